"""Operators' accounts, as the command line handles them: added, given a role, their device taken away, disabled. Each with a reason, audited."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console import trail
from controlplane.console.access import Role, role_of, seed_groups
from core.actors import Actor
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError


@dataclass(frozen=True, slots=True)
class Account:
    """One account in a list."""

    username: str
    name: str
    role: str
    has_device: bool
    is_active: bool


def list_accounts() -> list[Account]:
    """Give every account by user name, in three queries."""
    with_device = set(TOTPDevice.objects.filter(confirmed=True).values_list("user_id", flat=True))
    roles = list(Role)
    rows = User.objects.prefetch_related("groups").order_by("username")
    return [
        Account(
            username=user.get_username(),
            name=user.get_full_name(),
            role=_strongest(user, roles),
            has_device=user.pk in with_device,
            is_active=user.is_active,
        )
        for user in rows
    ]


def _strongest(user: User, roles: list[Role]) -> str:
    if user.is_superuser:
        return "superuser"
    names = {group.name for group in user.groups.all()}
    return next((role.value for role in roles if role in names), "none")


def find_helper(username: str) -> User:
    """Give the operator who acts on the command line; raises ForbiddenError for anybody who may not."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None or role_of(user) is not Role.OPERATOR:
        raise ForbiddenError(f"{username!r} is not an active operator.")
    return user


@transaction.atomic
def add_account(*, actor: Actor, username: str, name: str, email: str, role: Role, password: str, reason: str) -> User:
    """Make an account without a device: its owner enrols one at the first sign-in. Raises InvalidInputError, ConflictError."""
    if User.objects.filter(username__iexact=username).exists():
        raise ConflictError("An account of this name exists.")
    first, _, last = name.partition(" ")
    user = User(username=username, email=email, first_name=first, last_name=last, is_staff=True)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInputError.at("/username", " ".join(error.messages)) from None
    user.set_password(password)
    user.save()
    _give(user, role)
    trail.account_changed("operator.added", actor, user, reason, role=role.value)
    return user


@transaction.atomic
def add_first(*, actor: Actor, username: str, name: str, email: str, password: str, reason: str) -> User:
    """Make the first operator of an installation, whom no operator can vouch for. Raises ConflictError once there is an active one."""
    if _operators().exists():
        raise ConflictError("There is an operator already, who can add others.")
    return add_account(actor=actor, username=username, name=name, email=email, role=Role.OPERATOR, password=password, reason=reason)


@transaction.atomic
def give_role(*, actor: Actor, username: str, role: Role, reason: str) -> User:
    """Put an account into one role, out of the other. The last operator keeps the role."""
    user = _get(username)
    if role is not Role.OPERATOR:
        _refuse_last(user)
    _give(user, role)
    trail.account_changed("operator.role_given", actor, user, reason, role=role.value)
    return user


@transaction.atomic
def reset_device(*, actor: Actor, username: str, reason: str) -> User:
    """Take an account's authenticators away: its sessions end, and the next sign-in enrols a new one.

    Another operator must do it (raises ForbiddenError): who has only one's own password must not get past the second factor with it.
    """
    user = _get(username)
    if actor.id == user.get_username():
        raise ForbiddenError("Another operator must do this for you.")
    taken, _ = TOTPDevice.objects.filter(user=user).delete()
    trail.account_changed("operator.device_reset", actor, user, reason, devices=str(taken))
    return user


@transaction.atomic
def disable(*, actor: Actor, username: str, reason: str) -> User:
    """Close an account: its sessions end with the next request. The last operator cannot be disabled."""
    user = _get(username)
    _refuse_last(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    trail.account_changed("operator.disabled", actor, user, reason)
    return user


def _get(username: str) -> User:
    user = User.objects.select_for_update().filter(username=username).first()
    if user is None:
        raise NotFoundError(f"There is no account {username!r}.")
    return user


def _give(user: User, role: Role) -> None:
    seed_groups()
    user.groups.remove(*Group.objects.filter(name__in=[other.value for other in Role if other is not role]))
    user.groups.add(Group.objects.get(name=role.value))


def _refuse_last(user: User) -> None:
    if not _operators().exclude(pk=user.pk).exists():
        raise ConflictError("This is the last operator: nobody could act any more.")


def _operators() -> QuerySet[User]:
    """Give the accounts that may act."""
    return User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.OPERATOR.value), is_active=True)
