"""What the lists of keys show of each: name and visible start, badges, versions, last use, end. From the rows that were joined, no query."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from controlplane.console import key_counts, key_words, markup
from tenants.keys import selectors
from tenants.keys.models import ApiKey, KeyState, StoreState
from tenants.keys.words import nearness


def what(key: ApiKey) -> SafeString:
    """Give the name, and below it the visible start."""
    start = key_words.start_of(key, selectors.current_of(key))
    return format_html(
        '<span class="cp-two cp-key"><span class="cp-two-a" title="{}">{}</span><span class="cp-two-b cp-mono">{}</span></span>',
        key.name,
        key.name,
        start,
    )


def badges(key: ApiKey, now: datetime | None = None) -> SafeString:
    """Give the state, *found in public*, and how the store stands where that is not simply settled."""
    found = [markup.badge("key", selectors.state_of(key, now))]
    if key.leaked_at:
        found.append(markup.label("found in public", "bad" if key.is_living else "quiet"))
    if key.store_state != StoreState.SETTLED and (key.is_living or key.store_state == StoreState.UNSETTLED):
        found.append(markup.label(key_words.store_of(key.store_state), store_tone(key)))
    return format_html('<span class="cp-badges">{}</span>', format_html_join(" ", "{}", ((one,) for one in found)))


def store_tone(key: ApiKey) -> str:
    """Give the tone of a key's store state; one that has not followed for long is bad."""
    return "bad" if key_counts.is_long_unsettled(key) else key_words.STORE_TONES.get(key.store_state, "quiet")


def versions(key: ApiKey, now: datetime | None = None) -> SafeString:
    """Give the current version, and until when its predecessor works."""
    current, previous = selectors.current_of(key), selectors.previous_of(key)
    if current is None:
        return SafeString("")
    if previous is None:
        return format_html("version {}", current.number)
    until = min(previous.retires_at or previous.expires_at, previous.expires_at)
    below = (
        format_html("overlap until {}", markup.moment(until))
        if until > (now or timezone.now())
        else SafeString("its overlap is over")
    )
    return format_html(
        '<span class="cp-two"><span class="cp-two-a">version {} and {}</span><span class="cp-two-b">{}</span></span>',
        current.number,
        previous.number,
        below,
    )


def last_used(key: ApiKey) -> SafeString:
    """Give when any open version was last used."""
    times = [version.last_used_at for version in key.versions.all() if version.last_used_at]
    if times:
        return markup.moment(max(times))
    return format_html('<span class="cp-hint">{}</span>', "never" if key.is_living else "")


def ends(key: ApiKey, now: datetime | None = None) -> SafeString:
    """Give when the current version expires, marked when that is near; of a key that has ended, since when."""
    current = selectors.current_of(key)
    if current is None:
        return format_html('<span class="cp-hint">ended {}</span>', markup.moment(key.ended_at)) if key.ended_at else SafeString("")
    tone = nearness(current.expires_at, now or timezone.now()) if key.state == KeyState.ACTIVE else ""
    shown = markup.moment(current.expires_at)
    return format_html('<span class="cp-badge cp-{}">{}</span>', tone, shown) if tone else shown
