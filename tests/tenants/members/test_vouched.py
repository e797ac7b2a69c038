"""By which name a provider knows a member: kept once, compared ever after, forgotten by owners alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from core.actors import operator
from core.errors import ConflictError, ForbiddenError, NotFoundError
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.members.vouched import Vouched
    from tenants.models import Tenant

METADATA = '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{}">{}</EntityDescriptor>'


def by(subject: str, kind: str = "oidc", **details: str) -> Vouched:
    from tenants.members.models import Connection
    from tenants.members.vouched import vouched_by

    given = details or {"oidc_issuer": "https://idp.example", "client_id": "c"}
    return vouched_by(Connection(kind=kind, details=given), subject)


def comes(member: Member, who: Vouched) -> str:
    """Let somebody in as this member; gives why not."""
    from tenants.members.signing_in import AnotherPersonError, note_signed_in

    try:
        note_signed_in(member_id=member.pk, how="organisation", address="10.0.0.1", by=who)
    except AnotherPersonError as error:
        return error.reason
    member.refresh_from_db()
    return ""


def actions(member: Member) -> list[str]:
    from core.audit.models import AuditEvent

    return list(AuditEvent.objects.filter(target=member.pk).order_by("pk").values_list("action", flat=True))


def test_it_is_kept_at_the_first_sign_in_and_compared_at_the_next(viewer: Member) -> None:
    assert comes(viewer, by("one")) == ""
    since = viewer.vouched_since
    assert (comes(viewer, by("one")), viewer.vouched_since) == ("", since)
    assert comes(viewer, by("two")) == "another-person"
    assert actions(viewer) == ["member.provider_known", "member.signed_in", "member.signed_in"]


def test_neither_the_row_nor_the_log_holds_the_providers_own_name_of_somebody(viewer: Member) -> None:
    from core.audit.models import AuditEvent

    assert comes(viewer, by("wonderful-subject")) == ""
    kept = [viewer.vouched_source, viewer.vouched_subject, *AuditEvent.objects.values_list("details_json", flat=True)]
    assert "wonderful" not in json.dumps(kept)


def test_a_password_asks_for_nothing_and_keeps_nothing(viewer: Member) -> None:
    from tenants.members.signing_in import note_signed_in

    note_signed_in(member_id=viewer.pk, how="password", address="10.0.0.1")
    viewer.refresh_from_db()
    assert viewer.vouched_subject == ""


@pytest.mark.parametrize(
    "change", [{"oidc_issuer": "https://two.example", "client_id": "c"}, {"oidc_issuer": "https://idp.example", "client_id": "d"}]
)
def test_another_provider_or_client_knows_somebody_anew(viewer: Member, change: dict[str, str]) -> None:
    assert comes(viewer, by("one")) == ""
    assert comes(viewer, by("two", **change)) == ""
    assert comes(viewer, by("one")) == ""


def test_a_provider_over_saml_is_the_same_with_another_certificate_and_another_with_another_name() -> None:
    first, renewed = METADATA.format("urn:one", "a certificate"), METADATA.format("urn:one", "another")
    pasted = [by("one", "saml", MetadataFile=text) for text in (first, renewed, METADATA.format("urn:two", "a certificate"))]
    assert pasted[0] == pasted[1] != pasted[2]
    assert by("one", "saml", MetadataURL="https://a.example/m") != by("one", "saml", MetadataURL="https://b.example/m")


def test_two_members_of_a_tenant_are_never_one_person_and_two_tenants_may_have_the_same(
    viewer: Member, admin: Member, stranger: Member
) -> None:
    from django.db import IntegrityError, transaction

    assert comes(viewer, by("one")) == ""
    assert comes(admin, by("one")) == "known-as-another"
    assert comes(stranger, by("one")) == ""
    same = {
        "vouched_source": viewer.vouched_source,
        "vouched_subject": viewer.vouched_subject,
        "vouched_since": viewer.vouched_since,
    }
    for values in (same, {"vouched_subject": "f" * 64}, {**same, "vouched_subject": "plain"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(admin).objects.filter(pk=admin.pk).update(**values)


def test_two_who_come_as_two_members_at_one_moment_are_not_both_kept(
    viewer: Member, admin: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has looked before the other has written: the constraint is what holds."""
    from tenants.members import vouched

    assert comes(viewer, by("one")) == ""
    monkeypatch.setattr(vouched, "why_not", lambda *args: "")
    assert comes(admin, by("one")) == "known-as-another"


def test_owners_and_operators_have_it_forgotten_and_nobody_else(
    owner: Member, admin: Member, viewer: Member, stranger: Member
) -> None:
    from tenants.members.services import StaleMemberError
    from tenants.members.signing_in import member_actor
    from tenants.members.vouched import forget

    values: dict[str, Any] = {"tenant_id": viewer.tenant_id, "member_id": viewer.pk, "reason": "a new account there"}
    with pytest.raises(ConflictError):
        forget(actor=member_actor(owner), **values)
    assert comes(viewer, by("one")) == ""
    for actor in (admin, viewer, stranger):
        with pytest.raises(ForbiddenError):
            forget(actor=member_actor(actor), **values)
    with pytest.raises(NotFoundError):
        forget(actor=member_actor(stranger), tenant_id=stranger.tenant_id, member_id=viewer.pk)
    with pytest.raises(StaleMemberError):
        forget(actor=member_actor(owner), revision=viewer.revision + 1, **values)
    forget(actor=member_actor(owner), revision=viewer.revision, **values)
    assert comes(viewer, by("two")) == ""
    forget(actor=operator("olga"), **values)
    viewer.refresh_from_db()
    assert (viewer.vouched_subject, actions(viewer).count("member.provider_forgotten")) == ("", 2)


def test_whoever_was_removed_and_is_invited_again_is_known_anew(acme: Tenant, viewer: Member, owner: Member) -> None:
    from tenants.members.services import remove
    from tenants.members.signing_in import member_actor

    assert comes(viewer, by("one")) == ""
    remove(actor=member_actor(owner), tenant_id=acme.pk, member_id=viewer.pk)
    assert comes(new_member(acme, "viewer", email=viewer.email), by("one")) == ""
