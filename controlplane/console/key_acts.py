"""What operators can do to a key, and what the confirmation page says of it. Extending a life is not among it, nor is showing a text.

A page offers an act only when :func:`of_key` calls it lawful; the service checks again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from controlplane.console import markup
from controlplane.console.acts import Act
from tenants.keys import evidence, selectors
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage
from tenants.keys.store import RECOVERY_DAYS
from tenants.lifecycle import SERVED
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tenants.words import count, span

ROTATE = Act("rotate", "Rotate", "autorenew", "primary", example="Its holder has left; agreed with the tenant's administrator")
RETIRE_PREVIOUS = Act(
    "retire_previous", "Retire previous", "event_busy", "danger", example="All clients have moved, confirmed by the tenant"
)
DISABLE = Act("disable", "Disable", "pause_circle", example="Looks misused; held while the tenant is asked, ticket 4711")
ENABLE = Act("enable", "Enable", "play_circle", "primary", example="The tenant confirms that the calls were its own")
LIMIT = Act("limit", "Limit", "speed", example="A test rig that took what the others needed")
REVOKE = Act("revoke", "Revoke", "block", "danger", needs_fresh_code=True, example="The tenant asks for it, ticket 4711")

KEY_ACTS = {act.name: act for act in (ROTATE, ENABLE, RETIRE_PREVIOUS, LIMIT, DISABLE, REVOKE)}


def of_key(key: ApiKey, now: datetime) -> tuple[Act, ...]:
    """Give the acts that are lawful for a key now, in the order in which a page shows them. ``key`` has its open versions joined."""
    state = selectors.state_of(key, now)
    if state not in (KeyState.ACTIVE, KeyState.DISABLED):
        return ()
    under_way = any(version.stage == Stage.PENDING and _holds(version, now) for version in key.versions.all())
    lawful = {
        ROTATE: state == KeyState.ACTIVE and key.tenant.state in SERVED and not under_way,
        ENABLE: state == KeyState.DISABLED,
        RETIRE_PREVIOUS: selectors.previous_of(key) is not None,
        DISABLE: state == KeyState.ACTIVE,
        LIMIT: True,
        REVOKE: True,
    }
    return tuple(act for act in KEY_ACTS.values() if lawful[act])


def sentences(act: Act, key: ApiKey) -> tuple[str, ...]:
    """Say what an act does, in the order in which it happens, and what would notice it."""
    doing = what_they_do(key)
    if act is ROTATE:
        return (*_of_rotation(key), *doing)
    if act is RETIRE_PREVIOUS:
        previous = selectors.previous_of(key)
        assert previous is not None  # the act is lawful
        return (
            f"From the moment you confirm, version {previous.number} is refused. That cannot be undone.",
            "The current version goes on as it is.",
            *doing,
        )
    if act is DISABLE:
        return (
            "From the moment you confirm, every request with this key is refused, until somebody enables it again.",
            "Nothing is deleted, and its life goes on running out.",
            *doing,
        )
    if act is ENABLE:
        return ("The key is accepted again, for what is left of its life. No end moves.",)
    return (
        "From the moment you confirm, every version of this key is refused. That cannot be undone, and nobody can enable it again.",
        f"Its secret is deleted from the tenant's Secrets Manager, where AWS keeps it {RECOVERY_DAYS} more days, out of reach.",
        "Whoever needs access afterwards needs another key, which the tenant issues.",
        *doing,
    )


def what_they_do(key: ApiKey) -> tuple[SafeString, ...]:
    """Say of each open version when and how much it was used: whom an act would hit. Two queries."""
    versions = [version for version in key.versions.all() if version.stage in (Stage.CURRENT, Stage.PREVIOUS)]
    used = evidence.uses_of([version.pk for version in versions])
    return tuple(_doing(version, used[version.pk]) for version in versions if version.pk in used)


def _doing(version: KeyVersion, use: evidence.Use) -> SafeString:
    if use.last_used_at is None:
        return format_html("Version {} has never been used.", version.number)
    where = format_html(" from {}", markup.mono(use.last_used_from)) if use.last_used_from else ""
    return format_html(
        "Version {} was last used {}{}: {} since {} UTC, {} in 24 hours.",
        version.number,
        markup.moment(use.last_used_at),
        where,
        count(use.calls_last_hour, "call"),
        date_format(localtime() - timedelta(hours=1), "H:00"),
        f"{use.calls_last_day:,}",
    )


def _of_rotation(key: ApiKey) -> tuple[str, ...]:
    current = selectors.current_of(key)
    imported = current is not None and current.algorithm == Algorithm.IMPORTED
    start = f"{key.brand}_{key.environment}_{key.public_id}_"
    stays = (
        format_html("The key gets a new version, the first with a text of ours: it begins with {}.", markup.mono(start))
        if imported
        else "The key gets a new version with a text of its own. Its visible start, scopes, address ranges and end stay as they are."
    )
    longest = span(key.tenant.tier.key_overlap_seconds)
    return (
        stays,
        format_html(
            "The new text goes to the tenant's Secrets Manager as {}, where its own workload reads it. It is never shown here.",
            format_html('<span class="cp-mono cp-name">{}</span>', key_secret(facts_of(key.tenant), key.pk)),
        ),
        f"The present version works on for as long as you choose: at most {longest} on this tier, and never beyond its own end.",
    )


def _holds(version: KeyVersion, now: datetime) -> bool:
    return version.claimed_until is not None and version.claimed_until > now
