"""Acts: the page says exactly what the service then does, asks for a reason, and for a fresh code where something is destroyed."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console import acts, words
from core.audit.models import AuditEvent
from provisioning import engine, services
from provisioning.models import Operation, Resource
from provisioning.resources.base import Wait
from tenants.models import Cell, Tenant, Tier
from tests.cast import OPERATOR, asked, finish, onboarded
from tests.controlplane.console.made_up import RefusedError, raising
from tests.controlplane.console.people import code_of, signed_in

if TYPE_CHECKING:
    from tests.controlplane.console.pretend import PretendAws

pytestmark = pytest.mark.django_db

REASON = "Ticket 4711"


def act_url(tenant: Tenant, act: str) -> str:
    return reverse("admin:tenants_tenant_act", args=[tenant.pk, act])


def confirm(client: Client, url: str, **data: Any) -> Any:
    """Look at the page, then confirm what it showed."""
    chosen = {name: value for name, value in data.items() if name in ("tier", "cell", "grace_days")}
    page = client.get(url, chosen)
    return client.post(url, {"plan": page.context["plan"], "reason": REASON, **data})


def shown(page: Any, part: int = 0) -> set[tuple[str, str]]:
    """What the page says will become of each resource: the group and the words."""
    previews = page.context["previews"]
    return {(group.key, item.what) for preview in previews[part : part + 1] for group in preview.groups for item in group.items}


def done(operation: Operation) -> set[tuple[str, str]]:
    """The steps of the operation in the same words; ensures are compared as one kind."""
    return {(step.action, words.resource_of(step.kind, step.name)) for step in operation.steps.all()}


def as_actions(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    action_of = {"removed": "remove", "retained": "retain"}
    return {(action_of.get(key, "ensure"), what) for key, what in pairs}


def latest(tenant: Tenant) -> Operation:
    return Operation.objects.filter(tenant=tenant).order_by("-pk")[0]


@pytest.mark.parametrize(
    ("who", "act", "data", "state"),
    [
        ("acme", "suspend", {}, "suspended"),
        ("acme", "repair", {}, "active"),
        ("acme", "change_tier", {"tier": "premium"}, "active"),
        ("globex", "change_tier", {"tier": "basic"}, "active"),
        ("globex", "offboard", {"grace_days": "3"}, "offboarding"),
        ("initech", "resume", {}, "suspended"),
    ],
)
def test_what_the_page_shows_is_what_the_operation_does(
    operator: Client, request: pytest.FixtureRequest, who: str, act: str, data: dict[str, str], state: str
) -> None:
    tenant: Tenant = request.getfixturevalue(who)
    url = act_url(tenant, act)
    page = operator.get(url, data)
    answer = operator.post(url, {"plan": page.context["plan"], "reason": REASON, **data})
    assert answer.status_code == 302
    operation = latest(tenant)
    assert operation.kind == act
    assert operation.reason == REASON
    assert operation.actor == "operator:olga"
    assert as_actions(shown(page)) == done(operation)
    tenant.refresh_from_db()
    assert tenant.state == state
    event = AuditEvent.objects.get(action="operation.started", target=operation.pk)
    assert (event.actor_id, event.actor_label, event.reason) == ("olga", "Olga Orlova", REASON)


def test_offboarding_shows_both_parts_and_can_be_undone(operator: Client, globex: Tenant) -> None:
    page = operator.get(act_url(globex, "offboard"))
    now, later = shown(page, 0), shown(page, 1)
    assert {key for key, _ in later} == {"removed"}
    have = Resource.objects.filter(tenant=globex).exclude(state="absent")
    assert {what for _, what in later} == {words.resource_of(row.kind, row.name) for row in have}
    assert now
    confirm(operator, act_url(globex, "offboard"), grace_days="3")
    globex.refresh_from_db()
    assert timedelta(days=2, hours=23) < globex.offboard_due_at - timezone.now() <= timedelta(days=3)
    finish(latest(globex))
    assert confirm(operator, act_url(globex, "undo_offboard")).status_code == 302
    finish(latest(globex))
    globex.refresh_from_db()
    assert globex.state == "active"


@pytest.mark.parametrize("grace", ["0", "-1", "91", "", "many", "1.5", "9" * 30])
def test_a_grace_that_is_none_is_refused(operator: Client, acme: Tenant, grace: str) -> None:
    answer = confirm(operator, act_url(acme, "offboard"), grace_days=grace)
    assert answer.status_code == 422
    acme.refresh_from_db()
    assert acme.state == "active"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b"])
def test_a_reason_is_required(operator: Client, acme: Tenant, reason: str) -> None:
    assert confirm(operator, act_url(acme, "suspend"), reason=reason).status_code in (400, 422)
    acme.refresh_from_db()
    assert acme.state == "active"


def test_a_plan_that_changed_meanwhile_is_shown_again(operator: Client, acme: Tenant) -> None:
    url = act_url(acme, "suspend")
    page = operator.get(url)
    Resource.objects.filter(tenant=acme, kind="secret").update(state="drifted")
    answer = operator.post(url, {"plan": page.context["plan"], "reason": REASON})
    assert answer.status_code == 409
    assert "has changed since you looked" in answer.content.decode()
    acme.refresh_from_db()
    assert acme.state == "active"
    again = operator.post(url, {"plan": answer.context["plan"], "reason": REASON})
    assert again.status_code == 302


def test_an_act_without_having_looked_is_refused(operator: Client, acme: Tenant) -> None:
    assert operator.post(act_url(acme, "suspend"), {"reason": REASON}).status_code == 409


def test_only_lawful_acts_are_offered_and_taken(operator: Client, acme: Tenant, initech: Tenant) -> None:
    offered = {tenant.slug: {act.name for act in acts.of_tenant(tenant)} for tenant in (acme, initech)}
    assert offered["acme"] == {"suspend", "change_tier", "repair", "offboard", "first_password", "invite_again"}
    assert offered["initech"] == {"resume", "change_tier", "repair", "offboard"}
    for tenant in (acme, initech):
        for name in acts.TENANT_ACTS:
            if name not in offered[tenant.slug]:
                answer = operator.post(act_url(tenant, name), {"reason": REASON, "plan": ""})
                assert answer.status_code == 302, name
                assert Operation.objects.filter(tenant=tenant, kind=name).count() == (1 if name == "suspend" else 0)


def test_a_service_that_refuses_is_heard(operator: Client, cell: Cell, acme: Tenant) -> None:
    """Another operation began between the look and the click."""
    url = act_url(acme, "repair")
    page = operator.get(url)
    services.start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="first")
    answer = operator.post(url, {"plan": page.context["plan"], "reason": REASON})
    assert answer.status_code == 409
    assert "still under way" in answer.content.decode()


def test_a_full_cell_is_named_at_the_form(operator: Client, cell: Cell, acme: Tenant) -> None:
    Cell.objects.filter(pk=cell.pk).update(quotas={"user_pools": 0})
    answer = confirm(operator, act_url(acme, "change_tier"), tier="premium")
    assert answer.status_code == 422
    assert "user_pools: 0 of 0 in use, 1 more needed" in answer.content.decode().replace("&#x27;", "'")
    acme.refresh_from_db()
    assert acme.tier_id == "basic"


def test_change_tier_previews_without_touching_the_row(operator: Client, acme: Tenant) -> None:
    for tier in ("premium", "standard", "sovereign", "basic", "nonsense", ""):
        fragment = operator.get(act_url(acme, "change_tier"), {"fragment": "1", "tier": tier})
        assert fragment.status_code == 200
        assert "<html" not in fragment.content.decode()
    acme.refresh_from_db()
    assert acme.tier_id == "basic"
    retired = Tier.objects.get(pk="standard")
    Tier.objects.filter(pk=retired.pk).update(retired_at=timezone.now())
    assert confirm(operator, act_url(acme, "change_tier"), tier="standard").status_code == 422


def test_destroying_asks_for_a_fresh_code(olga: User, acme: Tenant) -> None:
    client = signed_in(olga, minutes_ago=11)
    device = TOTPDevice.objects.get(user=olga)
    url = act_url(acme, "offboard")
    assert "code" in client.get(url).context["form"].fields
    for code in ("", "000000"):
        assert confirm(client, url, grace_days="3", code=code).status_code == 422
    acme.refresh_from_db()
    assert acme.state == "active"
    assert AuditEvent.objects.filter(action="operator.refused", actor_id="olga").count() == 1
    with time_machine.travel(time.time() + 5):
        assert confirm(client, url, grace_days="3", code=code_of(device)).status_code == 302
        acme.refresh_from_db()
        assert acme.state == "offboarding"


def test_a_fresh_session_is_not_asked_and_harmless_acts_never_are(olga: User, acme: Tenant) -> None:
    fresh, old = signed_in(olga, minutes_ago=9), signed_in(olga, minutes_ago=60)
    assert "code" not in fresh.get(act_url(acme, "offboard")).context["form"].fields
    assert "code" not in old.get(act_url(acme, "suspend")).context["form"].fields


def test_the_code_that_refreshed_a_session_counts_for_the_next_act(olga: User, acme: Tenant, globex: Tenant) -> None:
    client = signed_in(olga, minutes_ago=30)
    device = TOTPDevice.objects.get(user=olga)
    assert confirm(client, act_url(acme, "offboard"), grace_days="3", code=code_of(device)).status_code == 302
    assert confirm(client, act_url(globex, "offboard"), grace_days="3").status_code == 302


def test_onboarding_through_the_form(operator: Client, world: PretendAws, cell: Cell) -> None:
    url = reverse("admin:tenants_tenant_add")
    page = operator.get(url, {"tier": "premium"})
    data = {
        "reference": page.context["form"]["reference"].value(),
        "name": "Zürich Læring & Søn <b>",
        "slug": "zurich",
        "tier": "premium",
        "cell": "",
        "admin_email": "ada@zurich.example",
        "admin_name": "",
    }
    answer = confirm(operator, url, **data)
    tenant = Tenant.objects.get(slug="zurich")
    assert answer.url == reverse("admin:tenants_tenant_change", args=[tenant.pk])
    assert as_actions(shown(page)) == done(latest(tenant))
    again = confirm(operator, url, **data)
    assert again.url == answer.url
    assert Tenant.objects.count() == 1
    finish(latest(tenant))
    body = operator.get(answer.url).content.decode()
    assert "Søn <b>" not in body
    assert "Søn &lt;b&gt;" in body


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Acme!"),
        ("slug", "acme"),
        ("admin_email", "not an address"),
        ("tier", "nonsense"),
        ("name", ""),
        ("cell", "nowhere"),
        ("reference", ""),
    ],
)
def test_a_bad_field_of_an_onboarding_is_named(operator: Client, acme: Tenant, field: str, value: str) -> None:
    data = {"reference": "r1", "name": "New", "slug": "new-one", "tier": "basic", "admin_email": "a@new.example", field: value}
    answer = confirm(operator, reverse("admin:tenants_tenant_add"), **data)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert Tenant.objects.count() == 1


def failed_onboarding(world: PretendAws) -> Operation:
    world.next_for("secret", raising(RefusedError("no <i>secrets</i> for you")))
    operation = asked("globex")
    engine.run(operation.pk)
    operation.refresh_from_db()
    assert operation.state == "failed"
    return operation


def test_a_failed_operation_says_why_and_can_be_retried(operator: Client, world: PretendAws, cell: Cell) -> None:
    operation = failed_onboarding(world)
    for url in (reverse("admin:index"), reverse("admin:tenants_tenant_change", args=[operation.tenant_id])):
        body = operator.get(url).content.decode()
        assert "Ensure the secret container" in body
        assert "AWS refused the call" in body
        assert "no &lt;i&gt;secrets&lt;/i&gt; for you" in body
        assert "AccessDeniedException" in body
    url = reverse("admin:provisioning_operation_act", args=[operation.pk, "retry"])
    page = operator.get(url)
    assert confirm(operator, url).status_code == 302
    assert as_actions(shown(page)) == {pair for pair in done(operation) if pair in as_actions(shown(page))}
    finish(operation)
    assert Tenant.objects.get(pk=operation.tenant_id).state == "active"


def test_abandoning_an_onboarding_removes_what_it_made(olga: User, world: PretendAws, cell: Cell) -> None:
    operation = failed_onboarding(world)
    url = reverse("admin:provisioning_operation_act", args=[operation.pk, "abandon"])
    old = signed_in(olga, minutes_ago=20)
    assert confirm(old, url).status_code == 422
    client = signed_in(olga)
    page = client.get(url)
    assert confirm(client, url).status_code == 302
    way_back = latest(operation.tenant)
    assert as_actions(shown(page)) == done(way_back)
    finish(way_back)
    assert Tenant.objects.get(pk=operation.tenant_id).state == "closed"
    assert client.get(reverse("admin:tenants_tenant_change", args=[operation.tenant_id])).context["acts"] == ()


def test_abandoning_a_change_of_tier_goes_back(operator: Client, world: PretendAws, acme: Tenant) -> None:
    operation = services.start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="premium", reason="more")
    world.next_for("stack", raising(RefusedError("no")))
    engine.run(operation.pk)
    url = reverse("admin:provisioning_operation_act", args=[operation.pk, "abandon"])
    page = operator.get(url)
    assert confirm(operator, url).status_code == 302
    assert as_actions(shown(page)) == done(latest(acme))
    acme.refresh_from_db()
    assert acme.tier_id == "basic"


def test_preparing_and_repairing_a_cell(operator: Client, cell: Cell) -> None:
    for state, act, kind in (("registered", "prepare", "prepare_cell"), ("ready", "repair", "repair")):
        Operation.objects.all().delete()
        Cell.objects.filter(pk=cell.pk).update(state=state)
        url = reverse("admin:tenants_cell_act", args=[cell.pk, act])
        page = operator.get(url)
        assert confirm(operator, url).status_code == 302
        operation = Operation.objects.get(cell=cell)
        assert operation.kind == kind
        assert as_actions(shown(page)) == done(operation)


def test_the_first_password_is_shown_once_and_kept_nowhere(operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    password = "Sh0wn-0nce-and-never-again"
    asked_for: list[dict[str, Any]] = []

    def give(**given: Any) -> str:
        asked_for.append(given)
        return password

    monkeypatch.setattr("controlplane.console.tenant_acts.set_first_password", give)
    answer = confirm(operator, act_url(acme, "first_password"))
    assert answer.status_code == 200
    assert password in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert asked_for[0]["reason"] == REASON
    assert asked_for[0]["tenant_id"] == acme.pk
    assert password not in str(dict(operator.session))
    for url in (act_url(acme, "first_password"), reverse("admin:tenants_tenant_change", args=[acme.pk])):
        assert password not in operator.get(url).content.decode()


def test_an_act_waits_for_no_engine(operator: Client, world: PretendAws, cell: Cell) -> None:
    """Suspending works while an operation is under way: it is set aside."""
    tenant = onboarded("acme")
    operation = services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="look")
    world.next_for("log_group", lambda: Wait(30, "AWS is at it"))
    engine.run(operation.pk)
    assert confirm(operator, act_url(tenant, "suspend")).status_code == 302
    tenant.refresh_from_db()
    assert tenant.state == "suspended"


def test_a_first_administrator_who_never_came_is_invited_again(operator: Client, acme: Tenant) -> None:
    from tenants.members.selectors import find_first

    page = reverse("admin:tenants_tenant_change", args=[acme.pk])
    first = find_first(acme.pk)
    assert first is not None
    type(first).objects.filter(pk=first.pk).update(invitation_expires_at=timezone.now() - timedelta(days=1))
    shown = operator.get(page).content.decode()
    assert "cp-warn" in shown
    assert ">expired<" in shown
    assert act_url(acme, "invite_again") in shown
    answer = confirm(operator, act_url(acme, "invite_again"))
    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    first.refresh_from_db()
    assert (first.mail_wanted, first.invitation_expires_at > timezone.now()) == ("invitation", True)
    event = AuditEvent.objects.get(action="member.invited_again")
    assert (event.actor_id, event.reason, event.target) == ("olga", REASON, first.pk)
    shown = operator.get(page).content.decode()
    assert "A fresh invitation to admin@acme.example is on its way." in shown
    assert ">sending<" in shown
    assert confirm(operator, act_url(acme, "invite_again")).status_code == 409


def test_whoever_joined_while_an_operator_looked_is_not_invited_again(operator: Client, viewer: Client, acme: Tenant) -> None:
    from tenants.members.selectors import find_first

    url = act_url(acme, "invite_again")
    assert viewer.get(url).status_code == 403
    looked = operator.get(url)
    first = find_first(acme.pk)
    assert first is not None
    type(first).objects.filter(pk=first.pk).update(state="active", joined_at=timezone.now())
    answer = operator.post(url, {"plan": looked.context["plan"], "reason": REASON}, follow=True)
    shown = answer.content.decode()
    assert "is not possible: the first administrator of Acme has joined already, or was removed." in shown
    assert ">joined " in shown.replace("\n", "").replace("<dd>joined ", ">joined ")
    assert not AuditEvent.objects.filter(action="member.invited_again").exists()
