"""Keys at the portal: issued, shown once, rotated, edited and ended, through the real services and the stand-in's Secrets Manager."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.portal.key_form_fields import new_nonce
from tenants.keys import services, tokens
from tenants.keys.models import ApiKey, KeyPolicy, KeyVersion
from tenants.keys.verification import Code, verify
from tests.controlplane.portal.people import signed_in
from tests.tenants.keys.world import OLGA

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db(transaction=True)
KEY = re.compile(tokens.PATTERN)
ISSUE = "/portal/acme/keys/issue/"


def wish(**changes: Any) -> dict[str, Any]:
    given = {"name": "Course player", "environment": "test", "scopes": ["events:write"], "expiry": "90", "reference": new_nonce()}
    return {**given, **changes}


def issued(tenant: Tenant, name: str = "ingest", **fields: Any) -> services.IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name=name, scopes=["events:write"], **fields)


def where(key: ApiKey, act: str = "") -> str:
    return f"/portal/acme/keys/{key.pk}/{act + '/' if act else ''}"


def text_in(answer: Any) -> str:
    found = {match.group() for match in KEY.finditer(answer.content.decode())}
    assert len(found) == 1, found
    return found.pop()


def test_a_key_is_issued_and_shown_once(developer: Member) -> None:
    client, asked = signed_in(developer), wish(cidrs="192.0.2.0/24\n2001:db8::/32", rotate_every_days="30")
    first = client.post(ISSUE, asked)
    text = text_in(first)
    assert first.status_code == 200
    assert "no-store" in first["Cache-Control"]
    assert verify(text, scopes=["events:write"], address="192.0.2.9").code is Code.VALID
    key = ApiKey.objects.get()
    assert (key.created_by, key.cidrs, key.rotate_every_days) == (f"member:{developer.pk}", ["192.0.2.0/24", "2001:db8::/32"], 30)
    again = client.post(ISSUE, asked)
    assert KEY.search(again.content.decode()) is None
    assert "was shown already" in again.content.decode()
    assert ApiKey.objects.count() == 1


def test_no_other_page_has_the_text(owner: Member) -> None:
    client = signed_in(owner)
    text = text_in(client.post(ISSUE, wish()))
    key = ApiKey.objects.get()
    acts = ("", "rotate", "edit", "disable", "enable", "revoke", "retire-previous")
    pages = [
        "/portal/acme/keys/",
        *(where(key, act) for act in acts),
        *(f"/portal/acme/{name}/" for name in ("usage", "activity", "api")),
    ]
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert text not in answer.content.decode()
        assert KEY.search(answer.content.decode()) is None, path
    proof = b"".join(client.get("/portal/acme/activity/proof.json").streaming_content)
    assert text.encode() not in proof
    assert text not in str(dict(client.session)), "the text must not be kept in the session"


@pytest.mark.parametrize(
    ("changes", "says", "kept"),
    [
        ({"name": ""}, "This field is required.", "192.0.2.0/24"),
        ({"name": "x" * 10_000}, "200 is the most", "192.0.2.0/24"),
        ({"name": "a\x1bb"}, "control or unassigned characters", "192.0.2.0/24"),
        ({"cidrs": "10.0.0.0/33"}, "is no address range", "10.0.0.0/33"),
        ({"scopes": ["root:all"]}, "is not one of the available choices", "192.0.2.0/24"),
        ({"expiry": "custom", "expires_on": "2001-01-01"}, "at least a minute ahead", "2001-01-01"),
        ({"expiry": "custom", "expires_on": ""}, "Choose the day.", "192.0.2.0/24"),
        ({"expiry": "custom", "expires_on": "9999-12-31"}, "too far ahead", "9999-12-31"),
        ({"expiry": "custom", "expires_on": "soon"}, "Enter a valid date.", "soon"),
        ({"rotate_every_days": "99999"}, "whole number of days", "99999"),
        ({"environment": "moon"}, "not one of the available choices", "192.0.2.0/24"),
        ({"reference": "guessed"}, "out of date", "192.0.2.0/24"),
    ],
)
def test_what_cannot_be_is_said_at_the_field_and_nothing_typed_is_lost(
    owner: Member, changes: dict[str, Any], says: str, kept: str
) -> None:
    answer = signed_in(owner).post(ISSUE, wish(**{"cidrs": "192.0.2.0/24", **changes}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert says in page
    assert kept in page
    assert "Course player" in page or "name" in changes
    assert ApiKey.objects.count() == 0


def test_a_store_that_does_not_answer_leaves_the_form_as_it_was(owner: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.aws.errors import AwsError
    from core.aws.secretsmanager import SecretsManager

    client, asked = signed_in(owner), wish()

    def refuse(*args: object, **kwargs: object) -> None:
        raise AwsError("no", aws_code="InternalServiceError")

    with monkeypatch.context() as patched:
        patched.setattr(SecretsManager, "put_value", refuse)
        answer = client.post(ISSUE, asked)
    assert answer.status_code == 503
    assert "did not confirm the key" in answer.content.decode()
    assert "Course player" in answer.content.decode()
    assert verify(text_in(client.post(ISSUE, asked))).code is Code.VALID  # the very same form


def test_one_tenants_form_cannot_take_anothers_number(owner: Member, stranger: Member) -> None:
    asked = wish()
    mine, theirs = signed_in(owner).post(ISSUE, asked), signed_in(stranger).post("/portal/globex/keys/issue/", asked)
    assert text_in(mine) != text_in(theirs)


def test_a_rotation_shows_the_new_text_once_and_keeps_the_old_one_for_the_overlap(developer: Member, acme: Tenant) -> None:
    first, client = issued(acme), signed_in(developer)
    asked = {"overlap": "3600", "version": first.version.pk, "retire_when_quiet": "on", "reason": "yearly"}
    answer = client.post(where(first.key, "rotate"), asked)
    second = text_in(answer)
    assert "no-store" in answer["Cache-Control"]
    assert [verify(text).code for text in (first.text, second)] == [Code.VALID, Code.VALID]
    again = client.post(where(first.key, "rotate"), asked)
    assert again.status_code == 200
    assert KEY.search(again.content.decode()) is None
    assert KeyVersion.objects.filter(key=first.key).count() == 2
    page = client.get(where(first.key)).content.decode()
    assert "data-countdown" in page
    assert "End it now" in page
    ended = client.post(where(first.key, "retire-previous"), {"reason": "all moved"}, follow=True)
    assert "has ended" in ended.content.decode()
    assert [verify(text).code for text in (first.text, second)] == [Code.EXPIRED, Code.VALID]


def test_without_an_overlap_a_form_sent_again_does_not_rotate_its_own_successor(developer: Member, acme: Tenant) -> None:
    first, client = issued(acme), signed_in(developer)
    asked = {"overlap": "0", "version": first.version.pk}
    second = text_in(client.post(where(first.key, "rotate"), asked))
    assert KEY.search(client.post(where(first.key, "rotate"), asked).content.decode()) is None
    assert verify(second).code is Code.VALID
    assert KeyVersion.objects.filter(key=first.key).count() == 2


def test_somebody_elses_rotation_makes_an_old_form_a_conflict(developer: Member, admin: Member, acme: Tenant) -> None:
    first = issued(acme)
    asked = {"overlap": "0", "version": first.version.pk}
    signed_in(admin).post(where(first.key, "rotate"), asked)
    late = signed_in(developer).post(where(first.key, "rotate"), {**asked, "reason": "mine as well"})
    assert late.status_code == 409
    assert "was rotated meanwhile" in late.content.decode()
    assert "mine as well" in late.content.decode()
    assert KeyVersion.objects.filter(key=first.key).count() == 2


def test_an_open_rotation_must_be_ended_on_purpose(owner: Member, acme: Tenant) -> None:
    first, client = issued(acme), signed_in(owner)
    client.post(where(first.key, "rotate"), {"overlap": "3600", "version": first.version.pk})
    second = KeyVersion.objects.get(key=first.key, stage="current")
    refused = client.post(where(first.key, "rotate"), {"overlap": "3600", "version": second.pk})
    assert refused.status_code == 409
    assert "still works until" in refused.content.decode()
    made = client.post(where(first.key, "rotate"), {"overlap": "3600", "version": second.pk, "end_previous": "on"})
    assert text_in(made)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"overlap": "custom", "custom_hours": "9000"}, "At most 24 hours."),
        ({"overlap": "custom"}, "Say for how many hours."),
        ({"overlap": "custom", "custom_hours": "-1"}, "greater than or equal to 0"),
        ({"overlap": "31536000"}, "is not one of the available choices"),
        ({"overlap": "custom", "custom_hours": "NaN"}, "Enter a number."),
    ],
)
def test_an_overlap_beyond_the_tier_is_refused_at_the_field(owner: Member, acme: Tenant, given: dict[str, str], says: str) -> None:
    first = issued(acme)
    answer = signed_in(owner).post(where(first.key, "rotate"), {"version": first.version.pk, **given})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert KeyVersion.objects.filter(key=first.key).count() == 1


def test_a_key_is_disabled_enabled_and_revoked_by_its_name(developer: Member, acme: Tenant) -> None:
    made, client = issued(acme, "Grade book"), signed_in(developer)
    assert client.post(where(made.key, "disable"), {"reason": ""}).status_code == 422
    assert "is disabled" in client.post(where(made.key, "disable"), {"reason": "odd calls"}, follow=True).content.decode()
    assert verify(made.text).code is Code.DISABLED
    page = client.get(where(made.key, "rotate")).content.decode()
    assert "would bring it back" in page
    client.post(where(made.key, "enable"), {"reason": "they were ours"})
    assert verify(made.text).code is Code.VALID
    wrong = client.post(where(made.key, "revoke"), {"name": "grade book", "reason": "has left"})
    assert (wrong.status_code, "This is not the key" in wrong.content.decode(), "has left" in wrong.content.decode()) == (
        422,
        True,
        True,
    )
    assert verify(made.text).code is Code.VALID
    client.post(where(made.key, "revoke"), {"name": "Grade book", "reason": "has left"})
    assert verify(made.text).code is Code.NOT_FOUND
    assert client.post(where(made.key, "enable"), {"reason": "oh"}).status_code == 409
    assert client.post(where(made.key, "rotate"), {"overlap": "0", "version": made.version.pk}).status_code == 409


def test_an_edit_changes_what_was_touched_and_a_stale_one_keeps_what_was_typed(owner: Member, acme: Tenant) -> None:
    made, client = issued(acme), signed_in(owner)
    asked = {"name": "Reports", "scopes": ["jobs:read", "events:write"], "cidrs": "", "expiry": "keep", "revision": "1"}
    assert client.post(where(made.key, "edit"), asked).status_code == 302
    made.key.refresh_from_db()
    assert (made.key.name, made.key.scopes, made.key.revision) == ("Reports", ["events:write", "jobs:read"], 2)
    stale = client.post(where(made.key, "edit"), {**asked, "name": "Mine"})
    page = stale.content.decode()
    assert stale.status_code == 409
    assert 'value="Mine"' in page
    assert "Reports" in page
    assert client.post(where(made.key, "edit"), {**asked, "name": "Mine", "revision": "2"}).status_code == 302
    later = client.post(where(made.key, "edit"), {**asked, "expiry": "custom", "expires_on": "2001-01-01", "revision": "3"})
    assert later.status_code == 422


def test_a_scope_that_is_not_known_any_more_does_not_stop_an_edit(owner: Member, acme: Tenant) -> None:
    made = issued(acme)
    ApiKey.objects.filter(pk=made.key.pk).update(scopes=["events:write", "gone:read"])
    asked = {"name": "Renamed", "scopes": ["events:write", "gone:read"], "expiry": "keep", "revision": "1"}
    assert signed_in(owner).post(where(made.key, "edit"), asked).status_code == 302
    made.key.refresh_from_db()
    assert made.key.name == "Renamed"


def test_the_policy_for_leaks_is_decided_by_those_who_answer_for_the_tenant(admin: Member, developer: Member, acme: Tenant) -> None:
    asked = {"leak_action": "rotate", "revision": "1", "reason": "all read the store"}
    assert signed_in(developer).post("/portal/acme/keys/leaks/", asked).status_code == 403
    client = signed_in(admin)
    assert client.post("/portal/acme/keys/leaks/", asked).status_code == 302
    assert KeyPolicy.objects.get(tenant=acme).leak_action == "rotate"
    stale = client.post("/portal/acme/keys/leaks/", {**asked, "leak_action": "revoke"})
    assert stale.status_code == 409
    assert "all read the store" in stale.content.decode()
    assert client.post("/portal/acme/keys/leaks/", {"leak_action": "tell", "revision": "2"}).status_code == 422
    assert KeyPolicy.objects.get(tenant=acme).leak_action == "rotate"


def test_a_viewer_looks_and_does_nothing(viewer: Member, acme: Tenant) -> None:
    made, client = issued(acme), signed_in(viewer)
    assert client.post(ISSUE, wish()).status_code == 403
    for act in ("rotate", "edit", "disable", "enable", "revoke", "retire-previous"):
        assert client.get(where(made.key, act)).status_code == 403
        assert client.post(where(made.key, act), {"reason": "x", "name": "ingest", "overlap": "0"}).status_code == 403
    page = client.get(where(made.key)).content.decode()
    assert client.get(where(made.key)).status_code == 200
    assert "/rotate/" not in page
    assert "/revoke/" not in page
    assert "/keys/issue/" not in client.get("/portal/acme/keys/").content.decode()
    assert verify(made.text).code is Code.VALID


def test_another_tenants_key_is_not_found(owner: Member, stranger: Member, acme: Tenant, globex: Tenant) -> None:
    theirs = services.issue_key(actor=OLGA, tenant_id=globex.pk, name="theirs", scopes=[])
    client = signed_in(owner)
    for act in ("", "rotate", "edit", "disable", "enable", "revoke", "retire-previous"):
        assert client.get(where(theirs.key, act)).status_code == 404
        assert (
            client.post(where(theirs.key, act), {"reason": "x", "name": "theirs", "overlap": "0"}).status_code == 405
            if not act
            else 404
        )
    assert client.get("/portal/acme/keys/nonsense/").status_code == 404
    assert client.get(f"/portal/globex/keys/{theirs.key.pk}/").status_code == 404
    assert verify(theirs.text).code is Code.VALID
