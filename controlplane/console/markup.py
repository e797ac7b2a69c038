"""Small pieces of HTML that the lists' columns are made of. Every value is escaped."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from controlplane.console import words


def badge(family: str, state: str) -> SafeString:
    """Give a state as a badge in its tone."""
    return format_html('<span class="cp-badge cp-{}">{}</span>', words.tone_of(family, state), words.plain(state))


def label(text: str, tone: str) -> SafeString:
    """Give a word as a badge in a tone, where it is no state of the families."""
    return format_html('<span class="cp-badge cp-{}">{}</span>', tone, text)


def moment(value: datetime | None, *, relative: bool = True, due: bool = False) -> SafeString:
    """Give a time in UTC; the script shows it relative to now and keeps the full one as a hint.

    ``due`` is for the time from which a worker may go on: once it has passed, the script says so instead of *3 min ago*.
    """
    if value is None:
        return SafeString("")
    text = date_format(localtime(value), "j M Y, H:i:s")
    attribute = SafeString((" data-relative" if relative else "") + (" data-due" if due else ""))
    return format_html('<time datetime="{}"{}>{} UTC</time>', value.isoformat(), attribute, text)


def countdown(value: datetime | None) -> SafeString:
    """Give a time in UTC that the script shows as what is left until then, second by second: *for 2 h 13 min*, or *no longer*."""
    if value is None:
        return SafeString("")
    text = date_format(localtime(value), "j M Y, H:i:s")
    return format_html('<time datetime="{}" data-until>until {} UTC</time>', value.isoformat(), text)


def mono(text: str) -> SafeString:
    """Give an id in fixed width."""
    return format_html('<span class="cp-mono">{}</span>', text)


def two_lines(first: str, second: str) -> SafeString:
    """Give a name with a smaller line below; both are cut by the column, the full text is the hint."""
    return format_html(
        '<span class="cp-two"><span class="cp-two-a" title="{}">{}</span><span class="cp-two-b" title="{}">{}</span></span>',
        first,
        first,
        second,
        second,
    )


def bar(done: int, total: int, tone: str) -> SafeString:
    """Give a small progress bar with its numbers."""
    percent = done * 100 // total if total else 0
    return format_html(
        '<span class="cp-minibar cp-{}"><span class="cp-track" role="img" aria-label="{} of {}"><span style="width:{}%"></span></span>'
        "<span>{}/{}</span></span>",
        tone,
        done,
        total,
        percent,
        done,
        total,
    )
