"""How the portal's pages write times, numbers and states: the same everywhere, with the exact value at hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from controlplane.portal import key_words
from controlplane.portal.key_spark import Spark

register = template.Library()


def exact(moment: datetime) -> str:
    """Give a time as a page writes it: ``26 Nov 2026, 18:40 UTC``."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


@register.filter
def moment(value: datetime | None) -> SafeString:
    """Write how long ago or how far ahead, with the exact time as its title; a dash for none."""
    if value is None:
        return SafeString("&ndash;")
    words = key_words.ago(value, timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', value.astimezone(UTC).isoformat(), exact(value), words)


@register.filter
def clock(value: datetime | None) -> SafeString:
    """Write the exact time; a dash for none."""
    if value is None:
        return SafeString("&ndash;")
    return format_html('<time datetime="{}">{}</time>', value.astimezone(UTC).isoformat(), exact(value))


@register.filter
def countdown(value: datetime) -> SafeString:
    """Write what is left until a moment; the page's script counts it down."""
    left = key_words.roughly(value - timezone.now())
    shown = (value.astimezone(UTC).isoformat(), exact(value), left)
    return format_html('<time datetime="{}" title="{}" data-countdown>{}</time>', *shown)


@register.filter
def span(value: int | timedelta) -> str:
    """Write a duration in its largest whole unit."""
    return key_words.span(int(value.total_seconds()) if isinstance(value, timedelta) else value)


@register.filter
def drawn(spark: Spark) -> SafeString:
    """Draw calls by hour with their sum beside them. Not a template of its own: a list has one in every row."""
    bars = format_html('<path class="spark-bars" d="{}"/>', spark.path) if spark.path else ""
    return format_html(
        '<span class="spark-line"><svg class="spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{words}">'
        '<path class="spark-ground" d="M0 {h}h{w}"/>{bars}</svg><span class="hint">{total}</span></span>',
        w=spark.width,
        h=spark.height,
        words=spark.words,
        bars=bars,
        total=f"{spark.total:,}",
    )


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
    return key_words.STATE_TONES.get(value) or key_words.STAGE_TONES.get(value, "quiet")


@register.inclusion_tag("portal/keys_field.html")
def keys_field(field: Any, hint: str = "") -> dict[str, Any]:
    """Write one field of a form: label, help, control, errors, tied together for those who do not see them."""
    attrs = {"aria-describedby": " ".join(filter(None, [f"{field.id_for_label}-help" * bool(field.help_text or hint)]))}
    if field.errors:
        attrs["aria-invalid"] = "true"
        attrs["aria-describedby"] = f"{attrs['aria-describedby']} {field.id_for_label}-error".strip()
    shown = field.as_widget(attrs={name: text for name, text in attrs.items() if text})
    return {"field": field, "control": shown, "help": field.help_text or hint}
