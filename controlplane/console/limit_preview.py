"""What an act would change of limits, shown before an operator confirms it. Nothing is written.

``fingerprint`` stands for what holds now: when somebody else overrides a limit, or edits the tier, between the look and the click, the page is shown
again. It holds no time and no choice, which the form sends itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from controlplane.console import limit_forms, limit_words, people
from controlplane.console.preview import Group, Item, Preview
from tenants.limits import effective, selectors
from tenants.limits.effective import KeyLimits, Limited
from tenants.limits.models import KeyLimit, LimitOverride
from tenants.limits.selectors import Holding
from tenants.models import Tenant
from tenants.usage.selectors import used_of

GROUPS = {
    "change": ("Changes", "busy", "change_circle"),
    "used": ("Used up at once", "bad", "block"),
    "ends": ("Ends with it", "warn", "remove_circle"),
    "after": ("Holds again afterwards", "quiet", "history"),
    "stays": ("Stays as it is", "quiet", "check_circle"),
}
CHOOSE = "Type the number to see what it changes."
NO_CHANGE = "Nothing changes yet: type what the key may ask for at most."


def of_override(tenant: Tenant, holdings: Sequence[Holding], chosen: Mapping[str, Any]) -> Preview:
    """Preview an override with what was typed so far (a form's raw data; nonsense counts as nothing typed)."""
    fingerprint = _fingerprint("override", holdings)
    limited, value = _limited(chosen), whole(chosen.get("value"))
    if limited is None or value is None:
        return _preview([], fingerprint)
    one = next(holding for holding in holdings if holding.limited is limited)
    now = timezone.now()
    ends_at = limit_forms.end_of(str(chosen.get("ends", "")), _moment(chosen.get("until")), now)
    name, number = limit_words.NAMES[limited], limit_words.number_of
    fates = [
        (
            "change",
            Item(f"{name}: {number(limited, value)}", f"instead of {number(limited, one.value)}, {limit_words.until(ends_at)}"),
        )
    ]
    if one.override is not None:
        fates.append(("ends", _item(one.override)))
    if ends_at is not None:
        fates.append(("after", Item(f"{name}: {number(limited, one.of_tier)}", f"the tier's, from {tenant.tier.name}")))
    if limited in (Limited.QUOTA_PER_DAY, Limited.QUOTA_PER_MONTH):
        used = used_of([tenant.pk], now)[tenant.pk]
        spent = used.day if limited is Limited.QUOTA_PER_DAY else used.month
        fate = "used" if spent >= value else "stays"
        fates.append((fate, Item(f"{spent:,} used so far", f"{max(0, value - spent):,} left of {value:,}")))
    return _preview(fates, fingerprint)


def of_end(tenant: Tenant, override: LimitOverride, holdings: Sequence[Holding]) -> Preview:
    """Preview the end of an override that holds."""
    one = next(holding for holding in holdings if holding.limited == override.limited)
    number = limit_words.number_of
    change = Item(
        f"{limit_words.NAMES[one.limited]}: {number(one.limited, one.of_tier)}",
        f"instead of {number(one.limited, one.value)}; the tier's, from {tenant.tier.name}",
    )
    return _preview([("change", change), ("ends", _item(override))], _fingerprint("end", holdings))


def of_key(tenant: Tenant, row: KeyLimit | None, chosen: Mapping[str, Any]) -> Preview:
    """Preview a key's limits with what was typed so far; before anything was, nothing changes."""
    known = selectors.limits_of_key_row(row) if row is not None else KeyLimits()
    of_tenant = selectors.effective_limits(tenant)
    fates = []
    for limited in limit_forms.OF_KEY:
        before, after = getattr(known, limited), getattr(known, limited)
        if limited in chosen:
            after = whole(chosen[limited])
        if limited is Limited.BURST and after is None and (rate := whole(chosen.get(Limited.RATE))):
            after = rate
        item = Item(
            f"{limit_words.NAMES[limited]}: {limit_words.number_of(limited, after)}", _beside(limited, before, after, of_tenant)
        )
        if after != before:
            fates.append(("change", item))
        elif after is not None:
            fates.append(("stays", item))
    content = [row.revision if row is not None else 0, asdict(known)]
    changes = any(fate == "change" for fate, _ in fates)
    return _preview(fates if changes else [], _digest(["key", *content]), empty=NO_CHANGE)


def whole(value: object) -> int | None:
    """Read a whole number as a form sends it; None for anything else."""
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def _beside(limited: Limited, before: int | None, after: int | None, tenant: effective.Limits) -> str:
    most = getattr(tenant, limited)
    of_tenant = f"its tenant: {limit_words.number_of(limited, most)}"
    if after is not None and most is not None and after > most:
        of_tenant += ", which holds first"
    return of_tenant if after == before else f"instead of {limit_words.number_of(limited, before)}; {of_tenant}"


def _item(override: LimitOverride) -> Item:
    by = people.names_of([override.set_by])[override.set_by]
    what = f"{limit_words.number_of(Limited(override.limited), override.value)}, {limit_words.until(override.expires_at)}"
    return Item(what, f"set by {by}: “{override.reason}”")


def _limited(chosen: Mapping[str, Any]) -> Limited | None:
    text = str(chosen.get("limited", ""))
    return Limited(text) if text in list(Limited) else None


def _moment(value: object) -> datetime | None:
    try:
        read = parse_datetime(str(value or ""))
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read is not None and read.tzinfo is None else read


def _preview(fates: Sequence[tuple[str, Item]], fingerprint: str, *, empty: str = CHOOSE) -> Preview:
    groups = tuple(
        Group(name, *look, items) for name, look in GROUPS.items() if (items := tuple(item for fate, item in fates if fate == name))
    )
    return Preview(groups, fingerprint, empty=empty, is_summed=False)


def _fingerprint(act: str, holdings: Sequence[Holding]) -> str:
    return _digest([act, *([one.limited, one.of_tier, one.override.pk if one.override else ""] for one in holdings)])


def _digest(content: list[Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
