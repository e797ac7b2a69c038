"""What a key's page says at its top: what is out of order or soon will be, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from controlplane.console import key_counts, markup, words
from tenants.keys import selectors
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, StoreState
from tenants.keys.words import nearness
from tenants.lifecycle import SERVED
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tenants.words import count


@dataclass(frozen=True, slots=True)
class Note:
    """One banner."""

    tone: str
    title: SafeString
    text: SafeString


def notes_of(key: ApiKey, now: datetime) -> list[Note]:
    """Give the banners, what is worst first."""
    return [*_ended(key, now), *_leaked(key), *_store(key), *_held_up(key, now), *_soon(key, now), *_imported(key)]


def _ended(key: ApiKey, now: datetime) -> Iterator[Note]:
    state, current = selectors.state_of(key, now), selectors.current_of(key)
    if state == KeyState.REVOKED:
        why = format_html("“{}” ", key.state_reason) if key.state_reason else ""
        yield _note(
            "quiet", format_html("Revoked {}", markup.moment(key.ended_at)), "{}It is refused, and nothing brings it back.", why
        )
    elif state == KeyState.EXPIRED:
        ended_at = key.ended_at or (current.expires_at if current else None)
        text = "It is refused. A rotation would bring it back, so there is none: its tenant issues a new key instead."
        yield _note("quiet" if key.ended_at else "bad", format_html("Expired {}", markup.moment(ended_at)), text)


def _leaked(key: ApiKey) -> Iterator[Note]:
    if not key.leaked_at or not key.is_living:
        return
    title = format_html("Found in public {}", markup.moment(key.leaked_at))
    previous = selectors.previous_of(key)
    if key.rotate_due_at is not None:
        text = "Whoever found it can use it, until the clock has rotated it. Rotate it now without an overlap, or revoke it."
        yield _note("bad", title, text)
    elif previous is not None and previous.promoted_at is not None and previous.promoted_at <= key.leaked_at:
        text = "Version {} may be what was found, and it works on until its overlap is over. Retire it to end that now."
        yield _note("bad", title, text, previous.number)
    else:
        yield _note("warn", title, "The version that was found is refused; a later one is in use.")


def _store(key: ApiKey) -> Iterator[Note]:
    if key.store_state == StoreState.LOST and key.is_living:
        text = (
            "Somebody deleted {} in Secrets Manager. Whoever has the key's text goes on as before, but the tenant's workload cannot "
            "fetch it any more, and nobody can put it back: no other copy exists. Rotate the key, and its new version is written there."
        )
        name = markup.mono(key_secret(facts_of(key.tenant), key.pk))
        yield _note("bad", SafeString("Its secret is lost from the store"), text, name)
    elif key_counts.is_long_unsettled(key):
        known = words.error_of(key.store_error)
        why = format_html(" {} <code>{}</code>", known, key.store_error) if key.store_error else ""
        text = (
            "Secrets Manager has not followed the last change, after {}.{} The clock tries again by itself{}. "
            "What is accepted does not wait for that: it is decided here."
        )
        when = format_html(" ({})", markup.moment(key.store_due_at, due=True)) if key.store_due_at else ""
        tries = count(key.store_failures, "try", "tries")
        yield _note("bad", SafeString("The store is behind"), text, tries, why, when)


def _held_up(key: ApiKey, now: datetime) -> Iterator[Note]:
    if selectors.state_of(key, now) == KeyState.DISABLED:
        why = format_html("“{}” ", key.state_reason) if key.state_reason else ""
        text = "{}It is refused until somebody enables it. Its life runs out meanwhile."
        yield _note("warn", SafeString("Disabled"), text, why)
    if key.is_living and key.tenant.state not in SERVED:
        text = "Every request with it is refused, and it cannot be rotated until the tenant is active."
        yield _note("warn", format_html("Its tenant is {}", key.tenant.state), text)


def _soon(key: ApiKey, now: datetime) -> Iterator[Note]:
    current = selectors.current_of(key)
    if current is None or selectors.state_of(key, now) != KeyState.ACTIVE:
        return
    tone = nearness(current.expires_at, now)
    if tone:
        yield _note(tone, format_html("Expires {}", markup.moment(current.expires_at)), "{}", _way_on(key, current))


def _way_on(key: ApiKey, current: KeyVersion) -> str:
    if key.expires_at is not None and key.expires_at <= current.expires_at:
        return "That is the end of the key itself, which nothing extends. Its tenant issues a new key in time."
    if key.rotate_every_days:
        return f"It is rotated by schedule, every {key.rotate_every_days} days; nothing needs to be done."
    days = key.tenant.tier.key_max_age_days
    return f"This version's end stays. A rotation gives the key a new version, with a life of its own of up to {days} days."


def _imported(key: ApiKey) -> Iterator[Note]:
    current = selectors.current_of(key)
    if current is not None and current.algorithm == Algorithm.IMPORTED and key.is_living:
        text = (
            "Only the digest of its text came here, so it is not in Secrets Manager. Its holders go on using it; "
            "its first rotation gives it a text of ours, and puts that into the store."
        )
        yield _note("quiet", SafeString("Imported from elsewhere"), text)


def _note(tone: str, title: SafeString, text: str, *values: object) -> Note:
    return Note(tone, title, format_html(text, *values) if values else SafeString(text))
