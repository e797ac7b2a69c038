"""Acts on members: who may do what to whom, the last owner, epochs, and what is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.actors import Actor, ActorKind, operator
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.transitions import IllegalTransitionError
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

OLGA = operator("olga", "Olga")


def by(member: Member) -> Actor:
    return Actor(ActorKind.MEMBER, member.pk, member.name)


def again(member: Member) -> Member:
    from tenants.members.models import Member

    return Member.objects.get(pk=member.pk)


def audited(tenant: Tenant) -> list[str]:
    from core.audit.models import AuditEvent

    return list(AuditEvent.objects.filter(tenant_id=tenant.pk).order_by("pk").values_list("action", flat=True))


def test_an_invited_person_is_a_row_with_an_end_and_a_mail_to_come(acme: Tenant, owner: Member) -> None:
    from tenants.members import services

    made = services.invite(actor=by(owner), tenant_id=acme.pk, email="Dev@Acme.example", role="developer", name="Dee")
    made = again(made)
    assert (made.state, made.role, made.address, made.mail_wanted) == ("invited", "developer", "dev@acme.example", "invitation")
    assert made.invitation_expires_at is not None
    assert made.link_digest == ""
    assert made.directory_state == "unsettled"
    assert audited(acme) == ["member.invited"]


def test_one_person_is_invited_once_however_the_address_is_spelt(acme: Tenant, owner: Member) -> None:
    from tenants.members import services

    services.invite(actor=by(owner), tenant_id=acme.pk, email="dev@acme.example", role="developer")
    with pytest.raises(InvalidInputError) as refused:
        services.invite(actor=by(owner), tenant_id=acme.pk, email="DEV@acme.example", role="viewer")
    assert [error.pointer for error in refused.value.errors] == ["/email"]


def test_whoever_was_removed_can_be_invited_anew(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import services

    services.remove(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk)
    made = services.invite(actor=by(owner), tenant_id=acme.pk, email=viewer.email, role="viewer")
    assert made.pk != viewer.pk


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"email": "nobody", "role": "viewer"}, "/email"),
        ({"email": "a@acme.example", "role": "king"}, "/role"),
        ({"email": "a@acme.example", "role": "viewer", "name": "x\x07"}, "/name"),
    ],
)
def test_what_is_typed_wrong_is_named(acme: Tenant, owner: Member, fields: dict[str, Any], pointer: str) -> None:
    from tenants.members import services

    with pytest.raises(InvalidInputError) as refused:
        services.invite(actor=by(owner), tenant_id=acme.pk, **fields)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_nobody_is_invited_to_a_tenant_that_is_not_active(acme: Tenant, owner: Member) -> None:
    from tenants.members import services
    from tenants.models import Tenant

    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    with pytest.raises(ConflictError):
        services.invite(actor=by(owner), tenant_id=acme.pk, email="a@acme.example", role="viewer")


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_whoever_looks_after_nobody_can_invite_and_touch_nobody(acme: Tenant, owner: Member, viewer: Member, role: str) -> None:
    from tenants.members import services

    one = new_member(acme, role)
    with pytest.raises(ForbiddenError):
        services.invite(actor=by(one), tenant_id=acme.pk, email="a@acme.example", role="viewer")
    for act in (services.disable, services.enable, services.remove, services.invite_again, services.sign_out_everywhere):
        with pytest.raises(ForbiddenError):
            act(actor=by(one), tenant_id=acme.pk, member_id=viewer.pk)
    assert again(viewer).state == "active"


def test_an_admin_makes_no_owner_and_touches_none(acme: Tenant, owner: Member, admin: Member, viewer: Member) -> None:
    from tenants.members import services

    new_member(acme, "owner")
    with pytest.raises(ForbiddenError):
        services.invite(actor=by(admin), tenant_id=acme.pk, email="a@acme.example", role="owner")
    with pytest.raises(ForbiddenError):
        services.change_role(actor=by(admin), tenant_id=acme.pk, member_id=viewer.pk, role="owner")
    with pytest.raises(ForbiddenError):
        services.change_role(actor=by(admin), tenant_id=acme.pk, member_id=owner.pk, role="viewer")
    for act in (services.disable, services.remove, services.sign_out_everywhere):
        with pytest.raises(ForbiddenError):
            act(actor=by(admin), tenant_id=acme.pk, member_id=owner.pk)
    services.change_role(actor=by(admin), tenant_id=acme.pk, member_id=viewer.pk, role="developer")
    assert again(viewer).role == "developer"


@pytest.mark.parametrize("act", ["disable", "remove", "change_role"])
def test_nobody_does_it_to_themselves(acme: Tenant, owner: Member, act: str) -> None:
    from tenants.members import services

    new_member(acme, "owner")
    also = {"role": "viewer"} if act == "change_role" else {}
    with pytest.raises(ForbiddenError):
        getattr(services, act)(actor=by(owner), tenant_id=acme.pk, member_id=owner.pk, **also)


@pytest.mark.parametrize("act", ["disable", "remove", "change_role"])
def test_the_last_owner_stays_even_for_an_operator(acme: Tenant, owner: Member, act: str) -> None:
    from tenants.members import services

    new_member(acme, "owner", state="disabled")
    new_member(acme, "owner", state="invited")
    also = {"role": "viewer"} if act == "change_role" else {}
    with pytest.raises(services.LastOwnerError):
        getattr(services, act)(actor=OLGA, tenant_id=acme.pk, member_id=owner.pk, **also)
    assert (again(owner).state, again(owner).role) == ("active", "owner")


def test_another_tenants_people_are_not_found(acme: Tenant, owner: Member, stranger: Member) -> None:
    from tenants.members import services

    for act in (services.disable, services.remove, services.invite_again, services.sign_out_everywhere):
        with pytest.raises(NotFoundError):
            act(actor=by(owner), tenant_id=acme.pk, member_id=stranger.pk)
    with pytest.raises(ForbiddenError):
        services.disable(actor=by(stranger), tenant_id=acme.pk, member_id=owner.pk)


def test_whoever_was_disabled_may_do_nothing_any_more(acme: Tenant, owner: Member, admin: Member, viewer: Member) -> None:
    from tenants.members import services

    services.disable(actor=by(owner), tenant_id=acme.pk, member_id=admin.pk)
    with pytest.raises(ForbiddenError):
        services.remove(actor=by(admin), tenant_id=acme.pk, member_id=viewer.pk)


def test_disabling_enabling_and_signing_out_begin_a_new_epoch(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import selectors, services

    epochs = [viewer.epoch]
    for act in (services.disable, services.enable, services.sign_out_everywhere):
        act(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk)
        epochs.append(again(viewer).epoch)
    assert epochs == [1, 2, 3, 4]
    assert [selectors.find_of_session(viewer.pk, epoch) is None for epoch in epochs] == [True, True, True, False]


def test_a_change_on_what_somebody_else_has_changed_is_refused(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import services

    services.change_role(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk, role="developer", revision=1)
    with pytest.raises(services.StaleMemberError):
        services.remove(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk, revision=1)
    assert again(viewer).state == "active"


def test_a_removed_member_does_not_come_back(acme: Tenant, owner: Member, viewer: Member) -> None:
    from tenants.members import services

    services.remove(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk)
    services.remove(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk)
    with pytest.raises(IllegalTransitionError):
        services.enable(actor=by(owner), tenant_id=acme.pk, member_id=viewer.pk)
    assert audited(acme) == ["member.removed"]


def test_an_invitation_is_sent_again_after_a_minute_and_cancelled(
    acme: Tenant, owner: Member, django_capture_on_commit_callbacks: Any
) -> None:
    from tenants.members import services

    made = services.invite(actor=by(owner), tenant_id=acme.pk, email="a@acme.example", role="viewer")
    with pytest.raises(ConflictError):
        services.invite_again(actor=by(owner), tenant_id=acme.pk, member_id=made.pk)
    services.remove(actor=by(owner), tenant_id=acme.pk, member_id=made.pk)
    assert (again(made).state, again(made).mail_wanted) == ("removed", "")
    assert audited(acme) == ["member.invited", "member.invitation_cancelled"]


def test_the_log_holds_no_address(acme: Tenant, owner: Member) -> None:
    from core.audit.models import AuditEvent
    from tenants.members import services

    services.invite(actor=by(owner), tenant_id=acme.pk, email="secretive@acme.example", role="viewer")
    assert all("secretive" not in event.details_json + event.actor_label for event in AuditEvent.objects.all())


def test_onboarding_writes_the_first_owner(db: None) -> None:
    from tenants.members.models import Member
    from tests.cast import asked, ready_cell

    ready_cell()
    operation = asked("acme", admin_name="Ann")
    first = Member.objects.get(tenant_id=operation.tenant_id)
    assert (first.role, first.state, first.is_first, first.email) == ("owner", "invited", True, "admin@acme.example")
