"""What secret scanners send: GitHub's partner format, its signature, and the answer that it asks for. Pure.

The format, the headers and the labels are those of
https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program

A finding holds the text of a key. It is kept in memory for one request and is in no repr, error or answer: the answer names it by its
SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from core.audit.secrets import SecretInDetailsError, refuse_secrets
from core.errors import FieldError, InvalidInputError
from tenants.keys import tokens

MOST_FINDINGS = 5_000
LONGEST_TEXT, LONGEST_KIND, LONGEST_URL = 4_096, 200, 8_192
SHOWN_URL = 500
MOST_ERRORS = 20
_LONGEST_SIGNATURE = 256
_SOURCE = re.compile(r"[a-z_]{1,40}")
_KEY = re.compile(tokens.PATTERN)


@dataclass(frozen=True, slots=True)
class Finding:
    """One text that a scanner took for a key. ``kind`` is the scanner's name of the pattern, ``url`` where it was found; it may be empty."""

    text: str = field(repr=False)
    kind: str = ""
    url: str = field(default="", repr=False)
    source: str = ""


def load_key(pem: str) -> EllipticCurvePublicKey | None:
    """Read a public key; None for whatever is not one on the curve P-256."""
    try:
        key = load_pem_public_key(pem.encode("utf-8", "replace"))
    except Exception:  # noqa: BLE001  # a ValueError or whatever else the library has for a stranger's bytes
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None


def is_signed(raw: bytes, signature: str, key: EllipticCurvePublicKey) -> bool:
    """Say whether ``signature`` (base64 of a DER pair) is the key's, by ECDSA with SHA-256, over exactly these bytes."""
    if len(signature) > _LONGEST_SIGNATURE:
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), raw, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def read_findings(value: Any) -> list[Finding]:
    """Give the findings of a parsed body, in their order; raises InvalidInputError that names what is wrong. Unknown members are ignored."""
    if not isinstance(value, list):
        raise _refusal([FieldError("", "This is a list of findings.")])
    if len(value) > MOST_FINDINGS:
        raise _refusal([FieldError("", f"A report has at most {MOST_FINDINGS} findings; this one has {len(value)}.")])
    errors: list[FieldError] = []
    findings = []
    for place, item in enumerate(value):
        wrong = _faults(f"/{place}", item)
        if wrong:
            errors += wrong
        else:
            findings.append(Finding(item["token"], item["type"], item.get("url") or "", item.get("source") or ""))
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise _refusal(errors)
    return findings


def feedback(findings: Sequence[Finding], real: Iterable[bool]) -> list[dict[str, str]]:
    """Give the answer: for each finding its SHA-256 in hex, its kind, and whether it is a key that we have issued."""
    return [
        {
            "token_hash": hashlib.sha256(finding.text.encode("utf-8")).hexdigest(),
            "token_type": finding.kind,
            "label": "true_positive" if is_real else "false_positive",
        }
        for finding, is_real in zip(findings, real, strict=True)
    ]


def place_of(finding: Finding, *, without: Iterable[str] = ()) -> str:
    """Give where a finding was made, fit to be kept: scheme, host and path, cut.

    Empty for what is no web address, and for one that holds a key, or one of the texts in ``without``, or anything that looks like a secret:
    a file can be named by the key that is in it.
    """
    try:
        parts = urlsplit(finding.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    plain = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
    read = unquote(unquote(plain))
    if (
        not plain.isprintable()
        or _KEY.search(read)
        or any(text in shown for text in (finding.text, *without) for shown in (plain, read))
    ):
        return ""
    try:
        refuse_secrets([plain, read])
    except SecretInDetailsError:
        return ""
    return plain[:SHOWN_URL]


def source_of(finding: Finding) -> str:
    """Give what kind of place it was, in the scanner's words; ``unknown`` for what is not a word."""
    word = finding.source.lower()
    return word if _SOURCE.fullmatch(word) else "unknown"


def _faults(pointer: str, item: Any) -> list[FieldError]:
    if not isinstance(item, Mapping):
        return [FieldError(pointer, "A finding is an object.")]
    wanted = (
        ("token", LONGEST_TEXT, True),
        ("type", LONGEST_KIND, True),
        ("url", LONGEST_URL, False),
        ("source", LONGEST_KIND, False),
    )
    found = []
    for name, longest, is_needed in wanted:
        value = item.get(name)
        if value is None and not is_needed:
            continue
        if not isinstance(value, str):
            found.append(FieldError(f"{pointer}/{name}", "This is a text."))
        elif len(value) > longest or (is_needed and not value):
            found.append(
                FieldError(
                    f"{pointer}/{name}", f"This has 1 to {longest} characters." if is_needed else f"At most {longest} characters."
                )
            )
    return found


def _refusal(errors: list[FieldError]) -> InvalidInputError:
    return InvalidInputError("The report cannot be read; nothing was done.", errors=tuple(errors[:MOST_ERRORS]))
