"""Acts on keys, with the real services and the stand-in's Secrets Manager: what the page says happens, a text is never shown, nothing is extended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console import key_acts
from core.audit.models import AuditEvent
from tenants.keys import rotation, services, store
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.controlplane.console.people import code_of, signed_in
from tests.tenants.keys.world import OLGA, StoreEyes, keyed_cell, new_tenant

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tests.services import StandIn

pytestmark = pytest.mark.django_db(transaction=True)

REASON = "Ticket 4711"


@pytest.fixture
def acme(footing: Footing, standin: StandIn, transactional_db: None) -> Tenant:
    return new_tenant(keyed_cell(footing, standin), "acme")


@pytest.fixture
def issued(acme: Tenant) -> IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=acme.pk, name="ingest", scopes=["events:write"])


@pytest.fixture
def eyes(standin: StandIn) -> StoreEyes:
    return StoreEyes(standin.endpoint_url)


def act_url(key: ApiKey, act: str) -> str:
    return reverse("admin:keys_apikey_act", args=[key.pk, act])


def confirm(client: Client, key: ApiKey, act: str, **data: Any) -> Any:
    """Look at the page, then confirm what it showed."""
    page = client.get(act_url(key, act))
    chosen = {"overlap": "3600"} if act == "rotate" else {"name": key.name} if act == "revoke" else {}
    return client.post(act_url(key, act), {"plan": page.context["plan"], "reason": REASON, **chosen, **data})


def groups(page: Any) -> dict[str, list[str]]:
    """What the page says becomes of each version."""
    return {group.key: [item.what for item in group.items] for group in page.context["previews"][0].groups}


def said(client: Client, key: ApiKey) -> str:
    """The key's page after an act, with its messages."""
    return str(client.get(reverse("admin:keys_apikey_change", args=[key.pk])).content.decode())


def stages(key: ApiKey) -> list[tuple[int, str]]:
    return list(KeyVersion.objects.filter(key=key).order_by("number").values_list("number", "stage"))


def test_rotating_gives_a_version_whose_text_nobody_here_sees(operator: Client, issued: IssuedKey, eyes: StoreEyes) -> None:
    page = operator.get(act_url(issued.key, "rotate"))
    assert groups(page) == {"new": ["Version 2"], "overlap": ["Version 1"]}
    answer = confirm(operator, issued.key, "rotate")
    assert answer.url == reverse("admin:keys_apikey_change", args=[issued.key.pk])
    after = said(operator, issued.key)
    assert "ingest has version 2 now. Its text is in the tenant" in after
    assert f"/keys/{issued.key.pk}" in after
    second = eyes.text(issued.key)
    assert verify(second).code is verify(issued.text).code is Code.VALID
    assert eyes.faults(issued.key) == []
    for text in (issued.text, second):
        secret = text.removeprefix(f"cpk_live_{issued.key.public_id}_")
        for shown in (page.content.decode(), answer.content.decode(), after, str(dict(operator.session)), str(answer.headers)):
            assert secret not in shown
    event = AuditEvent.objects.get(action="key.rotated")
    assert (event.actor_id, event.reason, event.target) == ("olga", REASON, issued.key.pk)
    overlap = KeyVersion.objects.get(number=1)
    assert overlap.retires_at is not None
    assert timedelta(minutes=59) < overlap.retires_at - timezone.now() <= timedelta(hours=1)


def test_no_overlap_ends_the_predecessor_at_once(operator: Client, issued: IssuedKey) -> None:
    page = operator.get(act_url(issued.key, "rotate"), {"overlap": "0"})
    assert groups(page) == {"new": ["Version 2"], "ends": ["Version 1"]}
    assert confirm(operator, issued.key, "rotate", overlap="0").status_code == 302
    assert verify(issued.text).code is Code.EXPIRED
    assert stages(issued.key) == [(1, "retired"), (2, "current")]


def test_a_choice_changes_what_is_shown_and_nothing_else(operator: Client, issued: IssuedKey) -> None:
    for overlap in ("0", "3600", "nonsense", "-1", "9" * 30, ""):
        fragment = operator.get(act_url(issued.key, "rotate"), {"fragment": "1", "overlap": overlap})
        assert fragment.status_code == 200
        assert "<html" not in fragment.content.decode()
        assert ("ends" in groups(fragment)) == (overlap == "0")
    assert stages(issued.key) == [(1, "current")]


def test_overlaps_are_offered_within_the_tiers_bound(operator: Client, acme: Tenant, issued: IssuedKey) -> None:
    def offered() -> list[str]:
        return [label for _, label in operator.get(act_url(issued.key, "rotate")).context["form"].fields["overlap"].choices]

    assert offered() == ["not at all", "1 hour", "24 hours"]
    acme.tier.key_overlap_seconds = 5_400
    acme.tier.save()
    assert offered() == ["not at all", "1 hour", "90 minutes"]
    assert confirm(operator, issued.key, "rotate", overlap="604800").status_code == 422
    acme.tier.key_overlap_seconds = 0
    acme.tier.save()
    assert offered() == ["not at all"]
    assert stages(issued.key) == [(1, "current")]


def test_an_open_rotation_is_waited_for_unless_its_predecessor_may_go(operator: Client, issued: IssuedKey) -> None:
    assert confirm(operator, issued.key, "rotate", retire_when_quiet="on").status_code == 302
    assert KeyVersion.objects.get(number=1).retire_when_quiet
    refused = confirm(operator, issued.key, "rotate")
    assert refused.status_code == 409
    assert "The previous version still works until" in refused.content.decode()
    assert refused.context["form"]["reason"].value() == REASON
    assert groups(refused)["ends"] == ["Version 1"]
    assert confirm(operator, issued.key, "rotate", end_previous="on").status_code == 302
    assert stages(issued.key) == [(1, "retired"), (2, "previous"), (3, "current")]


def test_the_previous_version_is_retired_with_its_use_in_sight(operator: Client, issued: IssuedKey, eyes: StoreEyes) -> None:
    from tenants.keys.evidence import note_uses

    confirm(operator, issued.key, "rotate")
    note_uses({issued.version.pk: 14}, address="192.0.2.9")
    body = operator.get(act_url(issued.key, "retire_previous")).content.decode()
    assert "192.0.2.9" in body
    assert "UTC, 14 in 24 hours" in body
    assert "Version 2 has never been used." in body
    assert confirm(operator, issued.key, "retire_previous").status_code == 302
    assert verify(issued.text).code is Code.EXPIRED
    assert eyes.faults(issued.key) == []
    gone = operator.post(act_url(issued.key, "retire_previous"), {"plan": "", "reason": REASON}, follow=True)
    assert "“Retire previous” is not possible: there is no previous version." in gone.content.decode()


def test_disabling_and_enabling_move_no_end(operator: Client, issued: IssuedKey) -> None:
    end = issued.version.expires_at
    assert confirm(operator, issued.key, "disable").status_code == 302
    assert verify(issued.text).code is Code.DISABLED
    assert f"“{REASON}” It is refused until somebody enables it" in said(operator, issued.key)
    assert confirm(operator, issued.key, "enable").status_code == 302
    assert verify(issued.text).code is Code.VALID
    assert KeyVersion.objects.get().expires_at == end


def test_revoking_asks_for_the_keys_name(operator: Client, issued: IssuedKey, eyes: StoreEyes) -> None:
    for name in ("", "Ingest", issued.key.pk):
        refused = confirm(operator, issued.key, "revoke", name=name)
        assert refused.status_code == 422
        assert "name" in refused.context["form"].errors
        assert refused.context["form"]["reason"].value() == REASON
    assert verify(issued.text).code is Code.VALID
    assert confirm(operator, issued.key, "revoke").status_code == 302
    assert verify(issued.text).code is Code.NOT_FOUND
    assert eyes.stages(issued.key) == {}
    assert "ingest is revoked, with all its versions." in said(operator, issued.key)


def test_revoking_asks_for_a_fresh_code_and_nothing_else_does(olga: User, issued: IssuedKey) -> None:
    client = signed_in(olga, minutes_ago=11)
    device = TOTPDevice.objects.get(user=olga)
    assert "code" in client.get(act_url(issued.key, "revoke")).context["form"].fields
    for act in ("rotate", "disable"):
        assert "code" not in client.get(act_url(issued.key, act)).context["form"].fields
    for code in ("", "000000"):
        assert confirm(client, issued.key, "revoke", code=code).status_code == 422
    assert verify(issued.text).code is Code.VALID
    with time_machine.travel(time.time() + 5):
        assert confirm(client, issued.key, "revoke", code=code_of(device)).status_code == 302
    assert verify(issued.text).code is Code.NOT_FOUND


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b"])
def test_a_reason_is_required(operator: Client, issued: IssuedKey, reason: str) -> None:
    for act in ("rotate", "disable", "revoke"):
        assert confirm(operator, issued.key, act, reason=reason).status_code in (400, 422)
    assert stages(issued.key) == [(1, "current")]
    assert verify(issued.text).code is Code.VALID


def test_a_key_that_changed_meanwhile_is_shown_again(operator: Client, issued: IssuedKey) -> None:
    page = operator.get(act_url(issued.key, "revoke"))
    rotation.rotate_key(actor=OLGA, tenant_id=issued.key.tenant_id, key_id=issued.key.pk)
    answer = operator.post(act_url(issued.key, "revoke"), {"plan": page.context["plan"], "name": "ingest", "reason": REASON})
    assert answer.status_code == 409
    assert "has changed since you looked" in answer.content.decode()
    assert verify(issued.text).code is Code.VALID
    assert operator.post(act_url(issued.key, "disable"), {"reason": REASON}).status_code == 409


def test_a_store_that_does_not_answer_is_a_message(operator: Client, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*given: object) -> None:
        raise store.KeyStoreError("The key store did not confirm the key, so none was issued. Try again in a moment.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "put_pending", down)
        answer = confirm(operator, issued.key, "rotate")
    assert answer.status_code == 422
    assert "so none was issued. Try again in a moment." in answer.content.decode()
    assert answer.context["form"]["overlap"].value() == "3600"
    assert stages(issued.key) == [(1, "current"), (2, "retired")]
    assert verify(issued.text).code is Code.VALID
    assert confirm(operator, issued.key, "rotate").status_code == 302


def test_services_that_call_aws_run_outside_any_transaction(
    operator: Client, issued: IssuedKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(**given: Any) -> Any:
            seen.append(connection.in_atomic_block)
            return real(**given)

        return noted

    monkeypatch.setattr(rotation, "rotate_key", noting(rotation.rotate_key))
    monkeypatch.setattr(rotation, "retire_previous", noting(rotation.retire_previous))
    monkeypatch.setattr(services, "revoke_key", noting(services.revoke_key))
    for act in ("rotate", "retire_previous", "revoke"):
        assert confirm(operator, issued.key, act).status_code == 302
    assert seen == [False, False, False]


def test_a_lost_secret_is_explained_and_mended_by_a_rotation(operator: Client, issued: IssuedKey, eyes: StoreEyes) -> None:
    from tenants.keys import tending
    from tenants.naming import key_secret
    from tenants.selectors import facts_of

    name = key_secret(facts_of(issued.key.tenant), issued.key.pk)
    eyes.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    ApiKey.objects.update(store_state="unsettled", store_due_at=timezone.now())
    tending.settle_stores()
    assert "Its secret is lost from the store" in said(operator, issued.key)
    assert confirm(operator, issued.key, "rotate").status_code == 302
    assert "Its secret is lost" not in said(operator, issued.key)
    assert verify(eyes.text(issued.key)).code is Code.VALID


def test_a_viewer_acts_on_nothing(viewer: Client, issued: IssuedKey) -> None:
    events = AuditEvent.objects.count()
    for act in key_acts.KEY_ACTS:
        assert viewer.get(act_url(issued.key, act)).status_code == 403
        assert viewer.post(act_url(issued.key, act), {"reason": REASON, "name": "ingest"}).status_code == 403
    assert AuditEvent.objects.count() == events


def test_there_is_no_act_that_extends_or_shows(operator: Client, issued: IssuedKey) -> None:
    for act in ("extend", "show", "reveal", "issue", "edit"):
        assert operator.get(act_url(issued.key, act)).status_code == 404
