"""What the console itself writes to the audit log: who came in, who was refused, whose device was taken away."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction

from core.actors import Actor, operator, system
from core.audit.services import record

STRANGER = system("console")


def _account(username: str) -> Actor:
    """Give the account of that name as an actor; a name of nobody is not kept."""
    known = User.objects.filter(username=username).first()
    return operator(known.get_username(), known.get_full_name()) if known else STRANGER


def refused(username: str, why: str, address: str) -> None:
    """Record a sign-in that failed."""
    actor = _account(username)
    target = f"operator:{actor.id}" if actor is not STRANGER else "operator:unknown"
    _write("operator.refused", actor, target, outcome="refused", why=why, address=address)


def signed_in(user: User, address: str, *, enrolled: bool) -> None:
    """Record a sign-in with both factors, and the enrolment that came with it."""
    actor = operator(user.get_username(), user.get_full_name())
    if enrolled:
        _write("operator.enrolled", actor, f"operator:{actor.id}", address=address)
    _write("operator.signed_in", actor, f"operator:{actor.id}", address=address)


def signed_out(user: User, address: str) -> None:
    """Record that somebody signed out."""
    actor = operator(user.get_username(), user.get_full_name())
    _write("operator.signed_out", actor, f"operator:{actor.id}", address=address)


def password_changed(user: User, address: str) -> None:
    """Record that somebody changed their own password."""
    actor = operator(user.get_username(), user.get_full_name())
    _write("operator.password_changed", actor, f"operator:{actor.id}", address=address)


def account_changed(action: str, actor: Actor, user: User, reason: str, **details: str) -> None:
    """Record what the command line did to an account: added, role given, device taken away, disabled."""
    with transaction.atomic():
        record(action=action, actor=actor, target=f"operator:{user.get_username()}", reason=reason, details=details)


@transaction.atomic
def _write(action: str, actor: Actor, target: str, *, outcome: str = "succeeded", **details: str) -> None:
    record(action=action, actor=actor, target=target, outcome=outcome, details=details)
