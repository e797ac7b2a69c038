"""Who may see and who may act in the console, and whose hand the audit log shows.

A role is membership in a Django group: ``operator`` acts, ``viewer`` sees. A superuser is an operator. An account without a role has no
business here. The second factor is not a role: no page works for a session that has not passed it (``site.has_permission``).
"""

from __future__ import annotations

import enum
import functools
import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from core import actors

VERIFIED_AT = "console.verified_at"
FRESH_SECONDS = 600
"""How long a TOTP code counts as fresh. Destructive acts ask for another one after that."""


class Role(enum.StrEnum):
    """The two groups of people in the console."""

    OPERATOR = "operator"
    VIEWER = "viewer"


def seed_groups() -> None:
    """Make the groups of the roles; repeatable."""
    for role in Role:
        Group.objects.get_or_create(name=role.value)


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """Give the role of an active account, the stronger one where it has both; one query, then remembered on the instance."""
    if not user.is_authenticated or not user.is_active or not isinstance(user, User):
        return None
    known: Role | bool | None = getattr(user, "_console_role", False)
    if isinstance(known, bool):
        known = _look_up(user)
        user._console_role = known  # type: ignore[attr-defined]  # one request, one instance
    return known


def _look_up(user: User) -> Role | None:
    if user.is_superuser:
        return Role.OPERATOR
    names = set(user.groups.filter(name__in=list(Role)).values_list("name", flat=True))
    return next((role for role in Role if role in names), None)


def may_enter(request: HttpRequest) -> bool:
    """Say whether this session may see the console: a role, and a second factor passed in this very session."""
    user = request.user
    is_verified: Callable[[], bool] | None = getattr(user, "is_verified", None)
    return role_of(user) is not None and is_verified is not None and is_verified()


def may_act(request: HttpRequest) -> bool:
    """Say whether this session may change anything."""
    return may_enter(request) and role_of(request.user) is Role.OPERATOR


def is_fresh(request: HttpRequest) -> bool:
    """Say whether a TOTP code was given within the last FRESH_SECONDS."""
    verified_at = request.session.get(VERIFIED_AT)
    return isinstance(verified_at, int | float) and 0 <= time.time() - verified_at < FRESH_SECONDS


def actor_of(request: HttpRequest) -> actors.Actor:
    """Give the operator behind the request, for services and the audit log."""
    user = request.user
    assert isinstance(user, User)
    return actors.operator(user.get_username(), user.get_full_name())


def acting(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse the view with 403 to everybody who may not act. Works on functions and on methods: the request is found by its type."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponseBase:
        request = next(argument for argument in args if isinstance(argument, HttpRequest))
        if not may_act(request):
            raise PermissionDenied("Viewers see everything and change nothing.")
        return view(*args, **kwargs)

    return guarded
