"""The words in which the portal speaks of what happened. Pure.

An act is recorded as ``noun.participle``. Whatever is not in the table is said in the words that it is recorded in, so that no act of anybody
is left out because nobody has found words for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ACTIONS = {
    "key.issued": "Issued a key",
    "key.imported": "Imported a key",
    "key.rotated": "Rotated a key",
    "key.changed": "Edited a key",
    "key.disabled": "Disabled a key",
    "key.enabled": "Enabled a key",
    "key.revoked": "Revoked a key",
    "key.expired": "A key expired",
    "key.abandoned": "A key was not issued",
    "key.leaked": "A key was found in public",
    "key.store_lost": "A key is lost from the store",
    "key.version_retired": "A key's version ended",
    "key_policy.changed": "Changed what is done with leaked keys",
    "keys.revoked": "Revoked all keys",
    "key.limited": "Changed a key's limits",
    "limit.overridden": "Changed a limit",
    "limit.override_revoked": "Took a changed limit back",
    "limit.override_expired": "A changed limit ended",
    "leak.reported": "Reported leaked keys",
    "member.invited_again": "Sent an invitation again",
    "member.invitation_link_asked": "Asked for an invitation link",
    "member.password_link_asked": "Asked for a link for a password",
    "member.provider_known": "Known to the identity provider from now on",
    "member.provider_forgotten": "Forgot whom the identity provider knows as a member",
    "connection.saved": "Saved the identity provider",
    "connection.tried": "Tried the identity provider",
    "connection.switched_on": "Switched single sign-on on",
    "connection.switched_off": "Switched single sign-on off",
    "connection.removed": "Removed the identity provider",
    "connection.refused": "The user pool refused the identity provider",
    "member.sign_in_moved": "The sign-in moved; whoever had a password is sent a link for a new one",
    "administrator.password_reset": "Reset the administrator's password",
}
NOUNS = {
    "key": "Keys",
    "key_policy": "Leak policy",
    "member": "Members",
    "connection": "Single sign-on",
    "tenant": "Tenant",
    "operation": "Operations",
    "limit": "Limits",
}
DETAILS = {
    "limited": "{}",
    "value": "{}",
    "number": "version {}",
    "because": "because: {}",
    "fields": "changed: {}",
    "from": "from {}",
    "to": "to {}",
    "expires_at": "until {}",
    "role": "role {}",
    "why": "{}",
}


def what(action: str, details: Mapping[str, Any]) -> str:
    """Give what happened, with the name of what it happened to where the entry has one."""
    noun, _, participle = action.partition(".")
    if noun == "operation" and details.get("kind"):
        said = f"{plain(str(details['kind'])).capitalize()}: {plain(participle)}"
    else:
        said = ACTIONS.get(action) or f"{plain(noun)} {plain(participle)}".capitalize()
    name = details.get("name") or details.get("member") or ""
    return f"{said}: {name}" if name and isinstance(name, str) else said


def particulars(details: Mapping[str, Any]) -> str:
    """Give the details that people ask for, in one line; the whole entry is in the proof."""
    found = [shape.format(_text(details[name])) for name, shape in DETAILS.items() if details.get(name) not in (None, "", [])]
    return ", ".join(found)


def plain(text: str) -> str:
    """Give a recorded word as people read it."""
    return text.replace("_", " ").replace("-", " ")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(plain(str(one)) for one in value)
    text = str(value)
    is_time = len(text) > 19 and text[10] == "T" and text[4] == "-"
    return f"{text[:10]} {text[11:16]} UTC" if is_time else plain(text)
