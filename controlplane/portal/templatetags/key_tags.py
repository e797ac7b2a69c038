"""How the portal's pages write times, numbers and states: the same everywhere, with the exact value at hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from controlplane.portal import key_words
from controlplane.portal.key_lines import KeyLine
from controlplane.portal.key_spark import Spark
from tenants import words
from tenants.keys.models import StoreState
from tenants.keys.words import STAGE_TONES, STATE_TONES

register = template.Library()
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
GRANTED = 3
"""How many scopes a row of the list names."""


def exact(moment: datetime) -> str:
    """Give a time as a page writes it: ``26 Nov 2026, 18:40 UTC``."""
    at = moment.astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at.hour:02}:{at.minute:02} UTC"


@register.filter
def moment(value: datetime | None) -> SafeString:
    """Write how long ago or how far ahead, with the exact time as its title; a dash for none."""
    if value is None:
        return SafeString("&ndash;")
    words = key_words.ago(value, timezone.now())
    # Numbers and words of ours: nothing to escape, and a list has some of them in each of its rows.
    return SafeString(f'<time datetime="{value.astimezone(UTC).isoformat()}" title="{exact(value)}">{words}</time>')


@register.filter
def clock(value: datetime | None) -> SafeString:
    """Write the exact time; a dash for none."""
    if value is None:
        return SafeString("&ndash;")
    return SafeString(f'<time datetime="{value.astimezone(UTC).isoformat()}">{exact(value)}</time>')


@register.filter
def countdown(value: datetime) -> SafeString:
    """Write what is left until a moment; the page's script counts it down."""
    left = key_words.roughly(value - timezone.now())
    shown = (value.astimezone(UTC).isoformat(), exact(value), left)
    return format_html('<time datetime="{}" title="{}" data-countdown>{}</time>', *shown)


@register.filter
def span(value: int | timedelta) -> str:
    """Write a duration in its largest whole unit."""
    return words.span(int(value.total_seconds()) if isinstance(value, timedelta) else value)


# --- Cells of a row of the list of keys -----------------------------------------------------------------------------------------
# Written here rather than in the template: it looks a name up for tenfold the price, and a list has each of them in every row.


@register.filter
def badges(line: KeyLine) -> SafeString:
    """Write how a key stands. All of it is words of ours: states, environments and times."""
    key, shown = line.key, [_badge(line.state, tone_of(line.state)), _badge(line.key.environment, line.key.environment)]
    if line.overlap_ends_at is not None:
        left = countdown(line.overlap_ends_at)
        shown.append(f'<span class="badge warn" title="Two versions are accepted">overlap, {left}</span>')
    if key.is_living and key.leaked_at is not None:
        shown.append(_badge("found in public", "bad"))
    if key.is_living and key.store_state == StoreState.LOST:
        shown.append(_badge("lost from the store", "bad"))
    return SafeString(f'<span class="badges">{" ".join(shown)}</span>')


@register.filter
def last_use(line: KeyLine) -> SafeString:
    """Write when and from where a key was used last."""
    if line.last_used_at is None:
        return SafeString(f'<span class="hint">{"never" if line.key.is_living else "&ndash;"}</span>')
    where = format_html('<span class="mono hint block">{}</span>', line.last_used_from)
    if not line.last_used_from:  # most often a call through the edge
        where = SafeString('<span class="hint block">no address noted</span>')
    return SafeString(moment(line.last_used_at) + where)


@register.filter
def end_of(line: KeyLine) -> SafeString:
    """Write when a key will end, or has ended."""
    if line.expires_at is not None:
        shown = moment(line.expires_at)
        return SafeString(f'<span class="badge {line.nearness}">{shown}</span>') if line.nearness else shown
    return (
        SafeString(f'<span class="hint">ended {moment(line.key.ended_at)}</span>')
        if line.key.ended_at is not None
        else SafeString("")
    )


def _badge(words: str, tone: str) -> str:
    return f'<span class="badge {tone}">{words}</span>'


@register.filter
def drawn(spark: Spark) -> SafeString:
    """Draw calls by hour with their sum beside them. Not a template of its own: a list has one in every row."""
    bars, size = (
        f'<path class="spark-bars" d="{spark.path}"/>' if spark.path else "",
        f'width="{spark.width}" height="{spark.height}"',
    )
    return SafeString(  # numbers and words of ours: nothing to escape
        f'<span class="spark-line"><svg class="spark" viewBox="0 0 {spark.width} {spark.height}" {size} role="img" aria-label="{spark.words}">'
        f'<path class="spark-ground" d="M0 {spark.height}h{spark.width}"/>{bars}</svg><span class="hint">{spark.total:,}</span></span>'
    )


@register.filter
def granted(scopes: Sequence[str]) -> SafeString:
    """Write the first three scopes and how many more there are. Not a loop of the template's own: a list has one in every row."""
    shown = format_html_join(" ", "<code>{}</code>", ((scope,) for scope in scopes[:GRANTED])) or SafeString(
        '<span class="hint">nothing</span>'
    )
    more = format_html(' <span class="hint">and {} more</span>', len(scopes) - GRANTED) if len(scopes) > GRANTED else ""
    return format_html('<span class="scopes">{}{}</span>', shown, more)


@register.filter
def grouped(value: int) -> str:
    """Write a number with its thousands apart."""
    return f"{value:,}"


@register.filter
def scope_words(value: str) -> str:
    """Write what a scope allows."""
    return key_words.scope_of(value)


@register.filter
def tone_of(value: str) -> str:
    """Give the tone of a key's state or a version's stage."""
    return STATE_TONES.get(value) or STAGE_TONES.get(value, "quiet")


@register.inclusion_tag("portal/keys_field.html")
def keys_field(field: Any, hint: str = "") -> dict[str, Any]:
    """Write one field of a form: label, help, control, errors, tied together for those who do not see them."""
    attrs = {"aria-describedby": " ".join(filter(None, [f"{field.id_for_label}-help" * bool(field.help_text or hint)]))}
    if field.errors:
        attrs["aria-invalid"] = "true"
        attrs["aria-describedby"] = f"{attrs['aria-describedby']} {field.id_for_label}-error".strip()
    shown = field.as_widget(attrs={name: text for name, text in attrs.items() if text})
    return {"field": field, "control": shown, "help": field.help_text or hint}
