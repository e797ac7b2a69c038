"""How the organisation's identity provider is spoken of: where it stands, what comes next, and what a try has found. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.connections import Readiness
from tenants.members.connections import GOOD
from tenants.members.models import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a connection stands, for a badge, and what comes next. ``tone`` is the badge's class."""

    state: str
    tone: str
    sentence: str
    can_try: bool = False
    can_switch_on: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something that an owner does with a page in between: ``sentence`` says what follows."""

    label: str
    sentence: str
    done: str
    needs_reason: bool = False
    is_grave: bool = False


ACTS = {
    "on": Act(
        "Switch it on",
        "Everybody but the owners signs in through your provider from now on. Sessions that are open go on. Owners can still use their "
        "password, so that a provider that fails locks nobody out.",
        "Your organisation signs in through its provider now.",
    ),
    "off": Act(
        "Switch it off",
        "Everybody signs in with a password again, at once. Whoever has none asks for a link. The connection stays, and can be switched on again.",
        "Passwords are the way to sign in again.",
    ),
    "remove": Act(
        "Remove it",
        "The connection is deleted with its client secret, and taken out of your user pool. Passwords are the way to sign in again, at once.",
        "The connection is removed.",
        needs_reason=True,
        is_grave=True,
    ),
}

_FOUND = {
    "provider-access-denied": "Your provider refused: the person may not use this application there, or broke off.",
    "code-refused": "The user pool could not complete the sign-in. Look at what the provider was told: address, entity id, client secret.",
    "no-address": "Your provider gave no e-mail address under the name that the connection says. Look at the claim and at what the provider "
    "sends.",
    "domain-not-listed": "The address that your provider gave is in none of the listed domains.",
    "nobody-here": "Nobody of your organisation has the address that your provider gave. Invite them first, or look at the claim.",
    "not-admitted": "The address that your provider gave is that of somebody who may not come in.",
    "another-person": "Somebody else at your provider has come in with this address before. If that is right, an owner forgets it on the member's "
    "page.",
    "known-as-another": "Your provider signed in somebody whom it has vouched for under a colleague's address before.",
    "no-subject": "Your provider did not say who it signed in: over SAML it has to send a stable name id.",
    "another-provider": "Another provider answered.",
    "connection-changed": "The connection was changed meanwhile. Try it again.",
    "too-late": "It took too long. Try it again.",
}
_ELSE = "The answer was not in order ({}). Try it again; if that does not help, look at what the provider was told."


def standing_of(row: Connection, readiness: Readiness) -> Standing:
    """Say where a connection stands, and what its owner does next."""
    if readiness is Readiness.REFUSED:
        return Standing(
            "Refused", "bad", f"Your user pool did not take these details ({row.refused}). Look at them and save again."
        )
    if row.is_on:
        return Standing(
            "On", "good", "Everybody but the owners signs in through your provider.", can_try=readiness is Readiness.READY
        )
    if readiness is Readiness.STUCK:
        return Standing("Not set up", "bad", "Setting it up has failed. The operators see why.")
    if readiness is Readiness.MAKING:
        return Standing("Being set up", "warn", "Your user pool is being told of it. This takes seconds, rarely minutes.")
    if row.good_mark != row.mark:
        return Standing(
            "Not tried", "warn", "Sign in through it once, to see that it knows you. Nobody is affected by that.", can_try=True
        )
    return Standing(
        "Off", "", "It was tried, and it works. Switch it on when your people are ready.", can_try=True, can_switch_on=True
    )


def found(outcome: str) -> str:
    """Say what a try has found, to an owner."""
    if outcome == GOOD:
        return "It worked."
    return _FOUND.get(outcome) or _ELSE.format(outcome.replace("-", " "))
