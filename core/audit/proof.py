"""A tenant's chain as a file: everything that its codes cover, and nothing of any other tenant's or of the global chain.

Whoever has no key can check that the numbers have no gap, that each entry names the hash of the one before it, that the last one is the head,
and that the beginning is what an earlier file says. Whoever has the key checks the codes as well (``manage.py audit check FILE``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone

from core.audit.chain import GENESIS, Content, Keyring, UnknownKeyError, entry_code, same, tenant_hash, timestamp
from core.audit.models import AuditEvent, AuditHead
from core.audit.rows import content_of

FORMAT = "audit-proof/1"
CHUNK = 200


def proof_lines(tenant_id: str) -> Iterator[str]:
    """Give the file in pieces: an object with ``format``, ``tenant``, ``written_at``, ``head``, ``entries``. Entries that come meanwhile stay out."""
    head = AuditHead.objects.filter(chain=tenant_id).first()
    last, top = (head.sequence, head.hash) if head else (0, GENESIS)
    about = {"format": FORMAT, "tenant": tenant_id, "written_at": timestamp(timezone.now()), "head": {"number": last, "hash": top}}
    yield json.dumps(about, indent=1)[:-2] + ',\n "entries": ['
    for place, event in enumerate(_entries(tenant_id, last)):
        yield (",\n" if place else "\n") + json.dumps(_entry(event))
    yield "\n]}\n"


def check_proof(body: Mapping[str, Any], ring: Keyring) -> str:
    """Give what is wrong with a file's first bad entry; empty when the whole of it was written by a holder of these keys."""
    if body.get("format") != FORMAT:
        return f"this is not an {FORMAT} file"
    previous, number = GENESIS, 0
    for number, entry in enumerate(body["entries"], start=1):  # the last number is compared with the head
        fault = _fault(ring, str(body["tenant"]), entry, number=number, previous=previous)
        if fault:
            return f"entry {number}: {fault}"
        previous = str(entry["hash"])
    if (number, previous) != (body["head"]["number"], body["head"]["hash"]):
        return "the last entry is not the head"
    return ""


def _entries(tenant_id: str, last: int) -> Iterator[AuditEvent]:
    """Read by number and not by a cursor: outside a transaction PostgreSQL writes a cursor's whole answer down before it gives its first row."""
    of_tenant = AuditEvent.objects.filter(tenant_id=tenant_id).order_by("tenant_sequence")
    for place in range(0, last, CHUNK):
        yield from of_tenant.filter(tenant_sequence__gt=place, tenant_sequence__lte=min(place + CHUNK, last))


def _entry(event: AuditEvent) -> dict[str, Any]:
    place = {"number": event.tenant_sequence, "previous": event.tenant_previous_hash, "hash": event.tenant_hash}
    return {**place, "code": event.entry_mac, "recorded": content_of(event)._asdict()}


def _fault(ring: Keyring, tenant_id: str, entry: Mapping[str, Any], *, number: int, previous: str) -> str:
    content = Content(**entry["recorded"])
    if entry["number"] != number or entry["previous"] != previous:
        return "it does not follow the one before it"
    if content.tenant_id != tenant_id:
        return "it is another tenant's"
    try:
        code = entry_code(ring, content)
        link = tenant_hash(ring, content.key_id, tenant_id=tenant_id, sequence=number, previous=previous, code=code)
    except UnknownKeyError:
        return f"it names the key {content.key_id}, which is neither AUDIT_KEY nor a retired one"
    if not same(code, str(entry["code"])):
        return "what it says is not what was recorded"
    return "" if same(link, str(entry["hash"])) else "its hash is not the one that it was sealed with"
