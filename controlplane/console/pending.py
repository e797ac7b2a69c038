"""The time between the two factors, kept in the session: who has given the right password, when, and where they wanted to go.

Nobody is signed in during that time. It ends after five minutes, or when the password changes meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

KEY = "console.pending"
DEVICE_KEY = "console.enrolling"
PENDING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody who has passed the first factor. ``next_url`` is checked before it is stored."""

    user: User
    next_url: str


def begin(request: HttpRequest, user: User, next_url: str) -> None:
    """Remember the first factor in a fresh session."""
    request.session.flush()
    request.session[KEY] = {"user": user.pk, "auth": user.get_session_auth_hash(), "at": time.time(), "next": next_url}


def current(request: HttpRequest) -> Pending | None:
    """Give who is between the factors; None when nobody is, or for too long."""
    kept = request.session.get(KEY)
    if not isinstance(kept, dict) or not 0 <= time.time() - float(kept.get("at", 0)) < PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=int(kept.get("user") or 0), is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), str(kept.get("auth", ""))):
        return None
    return Pending(user, str(kept.get("next", "")))


def end(request: HttpRequest) -> None:
    """Forget the time between."""
    request.session.pop(KEY, None)
    request.session.pop(DEVICE_KEY, None)
