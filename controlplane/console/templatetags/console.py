"""Template tags: badges and times as ``markup`` makes them, and quantities in words."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from controlplane.console import markup, words
from tenants.words import count

register = template.Library()


@register.simple_tag
def badge(family: str, state: str) -> SafeString:
    """``{% badge "tenant" tenant.state %}``."""
    return markup.badge(family, state)


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    """``{% moment row.created_at %}``: relative, with the full time as a hint."""
    return markup.moment(value)


@register.simple_tag
def due(value: datetime | None) -> SafeString:
    """``{% due line.not_before %}``: when a worker goes on."""
    return markup.moment(value, due=True)


@register.simple_tag
def clock(value: datetime | None) -> SafeString:
    """``{% clock row.due_at %}``: the full time."""
    return markup.moment(value, relative=False)


@register.simple_tag
def countdown(value: datetime | None) -> SafeString:
    """``{% countdown line.works_until %}``: how long until then, counted down by the script."""
    return markup.countdown(value)


@register.filter
def quantity(number: int, noun: str) -> str:
    """``{{ n|quantity:"step" }}``, or with both forms ``"entry,entries"``."""
    one, _, many = noun.partition(",")
    return count(number, one, many)


@register.filter
def kind(value: str) -> str:
    """A resource kind in words."""
    return words.kind_of(value)


@register.filter
def who(value: str) -> str:
    """A recorded actor in words."""
    return words.who(value)


@register.filter
def quota(value: str) -> str:
    """An AWS quota in words."""
    return words.QUOTAS.get(value, words.plain(value).capitalize())


@register.filter
def number(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


@register.filter(name="words")
def in_words(value: str) -> str:
    """An identifier as words."""
    return words.plain(value)


@register.filter
def action(value: str) -> str:
    """An audit action in words: ``operation.started`` is *Operation started*."""
    return words.plain(value).replace(".", " ").capitalize()


@register.filter
def outcome_tone(value: str) -> str:
    """The tone of an audit outcome."""
    return {"succeeded": "good", "failed": "bad", "refused": "bad"}.get(value, "quiet")
