"""Anchors: the head of the global chain, written now and then to a place that the database's owner does not own.

Somebody who can drop triggers can cut the chain's tail off and move the head back to an earlier, genuine hash. Only a witness
outside the database can tell. Each anchor is one small JSON object in Django's default storage, named by sequence and hash, so that
none ever replaces another. In production that is S3; versioning and Object Lock on that bucket (compliance mode) make the series
append-only for its owner too.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from core.audit.chain import Keyring, UnknownKeyError, anchor_code, same, timestamp
from core.audit.models import GLOBAL_CHAIN, AuditHead
from core.audit.rows import keyring

log = logging.getLogger("core.audit")
FOLDER = "audit/anchors"
_NAME = re.compile(r"(\d{20})-([0-9a-f]{64})\.json")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was written down: its sequence, its hash, and the object's name in the default storage."""

    sequence: int
    hash: str
    name: str


def write_anchor() -> Anchor | None:
    """Write the head of the global chain down; None while the chain is empty. Writing the same head twice makes one object."""
    head = AuditHead.objects.filter(chain=GLOBAL_CHAIN, sequence__gt=0).first()
    if head is None:
        return None
    ring, written_at = keyring(), timestamp(timezone.now())
    name = f"{FOLDER}/{head.sequence:020d}-{head.hash}.json"
    if not default_storage.exists(name):
        body = {
            "format": "audit-anchor/1",
            "sequence": head.sequence,
            "hash": head.hash,
            "written_at": written_at,
            "key_id": ring.current_id,
            "code": anchor_code(ring, ring.current_id, sequence=head.sequence, head=head.hash, written_at=written_at),
        }
        name = default_storage.save(name, ContentFile(json.dumps(body, indent=1).encode()))
    log.info("audit chain anchored", extra={"sequence": head.sequence, "hash": head.hash})
    return Anchor(head.sequence, head.hash, name)


def read_anchors(ring: Keyring) -> tuple[dict[int, str], tuple[str, ...]]:
    """All genuine anchors as sequence to hash, and notes on objects that are not genuine (they prove nothing and are left out).

    Two genuine anchors of one sequence contradict each other: the one that was written first stands, and a note says so.
    """
    anchors: dict[int, tuple[str, str]] = {}
    notes: list[str] = []
    for name in _names():
        body = _read(ring, name)
        if body is None:
            notes.append(f"{name} is not an anchor that this product wrote")
            continue
        sequence, hash_, written_at = int(body["sequence"]), str(body["hash"]), str(body["written_at"])
        known = anchors.get(sequence)
        if known is not None and known[0] != hash_:
            notes.append(f"entry {sequence} was anchored twice with different hashes: the chain was rewritten in between")
        if known is None or written_at < known[1]:
            anchors[sequence] = (hash_, written_at)
    return {sequence: hash_ for sequence, (hash_, _) in anchors.items()}, tuple(notes)


def _names() -> list[str]:
    try:
        _, files = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return []
    return sorted(name for name in files if name.endswith(".json"))


def _read(ring: Keyring, name: str) -> dict[str, Any] | None:
    try:
        with default_storage.open(f"{FOLDER}/{name}") as file:
            body = json.loads(file.read())
        code = anchor_code(ring, body["key_id"], sequence=int(body["sequence"]), head=body["hash"], written_at=body["written_at"])
        genuine = same(code, body["code"]) and _NAME.fullmatch(name) is not None
    except (ValueError, KeyError, TypeError, UnknownKeyError):
        return None
    return body if genuine else None
