"""How failed sign-ins are slowed down: counted in Redis for every web process alike, under digests of what was typed.

Three counts with a patience each. The pair of account and address is strict: five failures, then a wait that doubles from a second to 15
minutes. The address alone and the account alone are loose and their waits short: the first stops one machine from trying many names, the
second stops many machines from trying one name without letting a stranger lock a person out. Codes of an authenticator are counted under the
member, five and then doubling. While Redis is away nobody is let through unlimited: signing in is refused politely.

What can be guessed is counted before it is looked at and given back when it was right: of many guesses at one moment the free ones pass, and of
the others one alone wins the wait that it begins. That wait may be longer than after as many in turn: the others are counted while they lose.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from core.errors import DomainError

FORGET_AFTER_SECONDS = 3_600


class ThrottleAwayError(DomainError):
    """The counts cannot be read."""

    code = "throttle-away"
    title = "Signing in is not possible just now"
    status = 503
    retryable = True


class HeldUpError(DomainError):
    """No attempt may be made for ``seconds``, at least one."""

    code = "held-up"
    title = "Too many failed attempts"
    status = 429

    def __init__(self, seconds: int) -> None:
        self.seconds = max(1, seconds)
        super().__init__(f"Too many failed attempts. Try again in {self.seconds} second{'s' if self.seconds > 1 else ''}.")


@dataclass(frozen=True, slots=True)
class Patience:
    """After ``free`` failures each further one blocks for twice as long as the last, from one second up to ``longest`` seconds."""

    free: int
    longest: int


@dataclass(frozen=True, slots=True)
class Turn:
    """An attempt that may be made: already counted as a failure under ``counts``; ``begun`` are those whose wait it has begun."""

    counts: dict[str, Patience]
    begun: tuple[str, ...]

    @property
    def is_held_up(self) -> bool:
        """True when the next attempt will have to wait."""
        return bool(self.begun)


PAIR = Patience(free=5, longest=900)
ADDRESS = Patience(free=50, longest=900)
ACCOUNT = Patience(free=50, longest=30)
CODE = Patience(free=5, longest=900)


def of_account(tenant_id: str, email: str, address: str) -> dict[str, Patience]:
    """Name the counts of somebody who types an address and a password."""
    name = f"{tenant_id}|{email.strip().casefold()}"
    return {_key(f"pair|{name}|{address}"): PAIR, _key(f"address|{address}"): ADDRESS, _key(f"account|{name}"): ACCOUNT}


def of_code(member_id: str) -> dict[str, Patience]:
    """Name the count of a member's codes."""
    return {_key(f"code|{member_id}"): CODE}


def of_links(address: str) -> dict[str, Patience]:
    """Name the count of those who ask for links, or try some."""
    return {_key(f"links|{address}"): Patience(free=20, longest=900)}


def of_organisation(address: str) -> dict[str, Patience]:
    """Name the count of answers from identity providers that were refused."""
    return {_key(f"organisation|{address}"): Patience(free=20, longest=900)}


def wait_seconds(counts: dict[str, Patience]) -> int:
    """Give the whole seconds, rounded up, until another attempt is looked at; 0 when it may be made now. Raises ThrottleAwayError."""
    try:
        found = cache.get_many([f"{key}:until" for key in counts])
    except RedisError as error:
        raise ThrottleAwayError from error
    left = max((float(until) - time.time() for until in found.values()), default=0.0)
    return max(0, int(-(-left // 1)))


def take_turn(counts: dict[str, Patience]) -> Turn:
    """Count an attempt as failed before it is looked at. Raises HeldUpError, ThrottleAwayError."""
    if seconds := wait_seconds(counts):
        raise HeldUpError(seconds)
    begun: list[str] = []
    taken: dict[str, Patience] = {}
    try:
        for key, patience in counts.items():
            cache.add(key, 0, timeout=FORGET_AFTER_SECONDS)
            taken[key] = patience
            wait = _wait_after(_raise(key), patience)
            if wait and not cache.add(f"{key}:until", time.time() + wait, timeout=wait):
                give_back(Turn(taken, tuple(begun)))  # another attempt of this moment was first
                raise HeldUpError(wait_seconds(counts))
            begun += [key] if wait else []
    except RedisError as error:
        raise ThrottleAwayError from error
    return Turn(counts, tuple(begun))


def give_back(turn: Turn) -> None:
    """Take an attempt out of the counts that was no failure, with the waits that it began."""
    with contextlib.suppress(RedisError):  # what stays counted runs out by itself
        cache.delete_many([f"{key}:until" for key in turn.begun])
        for key in turn.counts:
            with contextlib.suppress(ValueError):  # it ran out, or was forgotten
                cache.decr(key)


def note_failure(counts: dict[str, Patience]) -> bool:
    """Count a failed attempt; True when the next one will have to wait. Raises ThrottleAwayError."""
    is_held_up = False
    try:
        for key, patience in counts.items():
            cache.add(key, 0, timeout=FORGET_AFTER_SECONDS)
            if wait := _wait_after(_raise(key), patience):
                cache.set(f"{key}:until", time.time() + wait, timeout=wait)
                is_held_up = True
    except RedisError as error:
        raise ThrottleAwayError from error
    return is_held_up


def forget(counts: dict[str, Patience]) -> None:
    """Forget the first of these counts, the strict one, after a full sign-in; the others run out by themselves."""
    key = next(iter(counts))
    cache.delete_many([key, f"{key}:until"])


def _wait_after(failures: int, patience: Patience) -> int:
    return min(2 ** min(failures - patience.free, 20), patience.longest) if failures >= patience.free else 0


def _raise(key: str) -> int:
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two calls
        cache.set(key, 1, timeout=FORGET_AFTER_SECONDS)
        return 1


def _key(what: str) -> str:
    digest = hmac.new(settings.SECRET_KEY.encode(), what.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return f"portal-sign-in:{digest}"
