"""What must never reach a log: found by its shape or by the name that it stands beside, and replaced.

Errs on the side of dropping too much: a forty-character value that merely looks like an AWS secret key goes as well. What it cannot
find is a secret without a shape in a sentence without a name ("it was hunter2"), which is why nothing may be logged on purpose that
holds one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REMOVED = "[removed]"
MAX_DEPTH = 6
"""Deeper structures are cut off: a log line is no place for them, and a cycle must end."""

_NAME = (
    r"[\w.-]{0,40}?(?:password|passwd|passphrase|secret|secret[_-]?(?:string|binary|hash|key|access[_-]?key)|token|api[_-]?key"
    r"|(?:audit|signing|private|encryption|session)[_-]?key|signature|credentials?|pepper|otp|totp|sessionid|csrftoken)s?"
)
_SECRET_NAME = re.compile(rf"(?:{_NAME}|(?:proxy-)?authorization|(?:set-)?cookies?)", re.IGNORECASE)
_QUOTE = r"""\\?["']"""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A whole PEM block, also one that was cut off.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), REMOVED),
    # Authorization and cookie headers: whatever follows, to the end of the line or of the quoted value.
    (
        re.compile(
            rf"""((?:(?:proxy-)?authorization|(?:set-)?cookie)(?:{_QUOTE})?\s*[:=]\s*(?:b?{_QUOTE})?)[^"'\r\n]+""", re.IGNORECASE
        ),
        rf"\1{REMOVED}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {REMOVED}"),
    # scheme://user:password@host
    (re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,200}):[^\s/@]+@", re.IGNORECASE), rf"\1:{REMOVED}@"),
    # Our own keys and tokens: brand, environment, public id, secret with checksum (docs/architecture.md, "The keys' life").
    # Wherever they begin: after a letter, a digit or an underscore there is no word boundary.
    (re.compile(r"[a-z][a-z0-9]{1,15}_[a-z]{2,12}_[0-9A-Za-z]{6,40}_[0-9A-Za-z]{24,}"), REMOVED),
    # Standard Webhooks signing secrets, and signatures made with them.
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]{8,}"), REMOVED),
    (re.compile(r"\bv1,[A-Za-z0-9+/=]{40,}"), REMOVED),
    # AWS: access key ids of people and of sessions, then secret access keys by their length and alphabet.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,20}\b"), REMOVED),
    (
        re.compile(
            r"(?<![A-Za-z0-9/+=])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[0-9])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
        ),
        REMOVED,
    ),
    # JSON web tokens, then any long run of base64 (session tokens of STS, challenge sessions of Cognito).
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)*"), REMOVED),
    (re.compile(r"[A-Za-z0-9+/_-]{120,}={0,2}"), REMOVED),
)
# name=value, name: value, "name": "value" and keyword arguments as repr() shows them. The quotes stay, so that JSON stays JSON. A structure
# as the value is gone through by its own names. An ARN's ":secret:" is no name.
_NAMED = re.compile(
    rf"""(?<![\w.-])(?<!\d{{12}}:)(?P<name>(?:{_QUOTE})?{_NAME}(?:{_QUOTE})?\s*[:=]\s*)(?!\[removed\])(?![\[{{(]+\s*["'\])}}])"""
    r"""(?:b?\\"(?:[^"\\]|\\[^"])*(?:\\")?|b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|[^\s,;&)}\]"']+)""",
    re.IGNORECASE,
)
_OPENING = re.compile(r"""b?(\\?["'])""")


def _without_value(match: re.Match[str]) -> str:
    name = match["name"]
    quote = _OPENING.match(match[0], len(name))
    return f"{name}{quote[1]}{REMOVED}{quote[1]}" if quote else f"{name}{REMOVED}"


def is_secret_name(name: str) -> bool:
    """Say whether a value under this name is to be dropped unseen (``password``, ``SecretString``; not ``secret_name``)."""
    return _SECRET_NAME.fullmatch(name) is not None


def redact_text(text: str) -> str:
    """Give the text without what looks like a secret; repeating it changes nothing more."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _NAMED.sub(_without_value, text)


def redact(value: Any, *, depth: int = 0) -> Any:
    """Give a JSON-able copy of a value without its secrets: by name in mappings, by shape in every text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= MAX_DEPTH:
        return "[cut off]"
    if isinstance(value, Mapping):
        return {str(name): REMOVED if is_secret_name(str(name)) else redact(item, depth=depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth=depth + 1) for item in value]
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "backslashreplace"))
    return redact_text(str(value))
