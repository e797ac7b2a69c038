"""How failed sign-ins are slowed down: counted in the database, so that every web process and every restart counts alike.

Three counts, each with its own patience. The pair of account and address is strict: five failures, then a wait that doubles from a
second to 15 minutes. The address alone and the account alone are loose, and their waits are short: the first stops one machine from
trying many names, the second stops many machines from trying one name without letting a stranger lock an operator out. TOTP codes have
django-otp's own throttle on top (a wait that doubles with each wrong code).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from controlplane.console.models import SignInThrottle

FORGET_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Patience:
    """After ``free`` failures each further one blocks for twice as long as the last, from one second up to ``longest``."""

    free: int
    longest: timedelta


PAIR = Patience(free=5, longest=timedelta(minutes=15))
ADDRESS = Patience(free=30, longest=timedelta(minutes=15))
ACCOUNT = Patience(free=50, longest=timedelta(seconds=30))


def _keys(username: str, address: str) -> dict[str, Patience]:
    name = username.strip().casefold()
    kinds = {f"pair|{name}|{address}": PAIR, f"address|{address}": ADDRESS, f"account|{name}": ACCOUNT}
    secret = settings.SECRET_KEY.encode()
    return {
        hmac.new(secret, kind.encode("utf-8", "replace"), hashlib.sha256).hexdigest(): patience for kind, patience in kinds.items()
    }


def wait_seconds(username: str, address: str) -> int:
    """Give the whole seconds, rounded up, until another attempt is looked at; 0 when it may be made now."""
    now = timezone.now()
    rows = SignInThrottle.objects.filter(key__in=_keys(username, address), blocked_until__gt=now)
    waits = [(until - now).total_seconds() for until in rows.values_list("blocked_until", flat=True) if until is not None]
    return int(-(-max(waits, default=0.0) // 1))


@transaction.atomic
def note_failure(username: str, address: str) -> bool:
    """Count a failed attempt under all three keys; True when the next attempt will have to wait."""
    now = timezone.now()
    is_held_up = False
    SignInThrottle.objects.filter(last_failed_at__lt=now - FORGET_AFTER).delete()
    for key, patience in sorted(_keys(username, address).items()):
        row, _ = SignInThrottle.objects.select_for_update().get_or_create(key=key, defaults={"last_failed_at": now})
        row.failures += 1
        row.last_failed_at = now
        row.blocked_until = _blocked_until(row.failures, patience, now)
        row.save()
        is_held_up = is_held_up or row.blocked_until is not None
    return is_held_up


def _blocked_until(failures: int, patience: Patience, now: datetime) -> datetime | None:
    if failures < patience.free:
        return None
    return now + min(timedelta(seconds=2 ** min(failures - patience.free, 20)), patience.longest)


def forget(username: str, address: str) -> None:
    """Forget the pair's failures after a full sign-in; the address's and the account's counts run out by themselves."""
    pair = next(iter(_keys(username, address)))
    SignInThrottle.objects.filter(key=pair).delete()
