"""What an act would make of each version of a key, shown before an operator confirms it. Nothing is written.

``fingerprint`` stands for the key and its versions as they are now: when somebody else rotates the key between the look and the click, the
page is shown again. It holds no time and no choice, which the form sends itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from controlplane.console import key_acts
from controlplane.console.acts import Act
from controlplane.console.preview import Group, Item, Preview
from tenants.keys import life, making, selectors
from tenants.keys.models import ApiKey, KeyVersion, Stage

GROUPS = {
    "new": ("Becomes current", "good", "add_circle"),
    "again": ("Accepted again", "good", "play_circle"),
    "on": ("Works on", "quiet", "check_circle"),
    "overlap": ("Works on for a while", "warn", "timelapse"),
    "held": ("Refused until it is enabled", "warn", "pause_circle"),
    "ends": ("Refused from now on, for good", "bad", "remove_circle"),
}


def of_act(act: Act, key: ApiKey, chosen: Mapping[str, Any]) -> Preview:
    """Preview an act with what was chosen so far (a form's raw data; nonsense counts as nothing chosen)."""
    current, previous = selectors.current_of(key), selectors.previous_of(key)
    fates: list[tuple[str, Item]] = []
    if act is key_acts.ROTATE:
        fates = _of_rotation(key, current, previous, chosen)
    elif act is key_acts.RETIRE_PREVIOUS:
        fates = [*_as("ends", previous), *_as("on", current, until=True)]
    else:
        fate = {key_acts.DISABLE: "held", key_acts.ENABLE: "again"}.get(act, "ends")
        fates = [*_as(fate, current, until=fate == "again"), *_as(fate, previous, until=fate == "again")]
    groups = tuple(
        Group(name, *look, items) for name, look in GROUPS.items() if (items := tuple(item for fate, item in fates if fate == name))
    )
    return Preview(groups, _fingerprint(act, key))


def _of_rotation(
    key: ApiKey, current: KeyVersion | None, previous: KeyVersion | None, chosen: Mapping[str, Any]
) -> list[tuple[str, Item]]:
    if current is None:
        return []
    now = timezone.now()
    ends_at = making.expiry(key, now, maker_ends_at=None)
    fates = [("new", Item(f"Version {current.number + 1}", f"until {_clock(ends_at)}"))]
    longest = timedelta(seconds=key.tenant.tier.key_overlap_seconds)
    overlap = life.overlap_of(_overlap(chosen), longest=longest, left=current.expires_at - now)
    if overlap:
        fates += [("overlap", Item(f"Version {current.number}", f"until {_clock(now + overlap)} at the latest"))]
    else:
        fates += _as("ends", current)
    if previous is not None:
        fates += _as("ends", previous)
    return fates


def _as(fate: str, version: KeyVersion | None, *, until: bool = False) -> list[tuple[str, Item]]:
    if version is None:
        return []
    end = min(version.retires_at or version.expires_at, version.expires_at)
    return [(fate, Item(f"Version {version.number}", f"until {_clock(end)}" if until else ""))]


def _overlap(chosen: Mapping[str, Any]) -> timedelta | None:
    text = str(chosen.get("overlap", ""))
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _clock(moment: datetime) -> str:
    return f"{date_format(localtime(moment), 'j M Y, H:i')} UTC"


def _fingerprint(act: Act, key: ApiKey) -> str:
    versions = [[version.pk, version.stage] for version in key.versions.all() if version.stage != Stage.RETIRED]
    content = [act.name, key.pk, key.state, key.revision, versions]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
