"""Reports of keys that were found in public: which findings are real, and their containment, all in one transaction.

A finding with a wrong checksum costs no query; the others are looked up some hundreds at a time. It is real when it is the text of any
version that we have ever issued or imported, whatever became of it. Nothing is asked of AWS here: rows say what is owed, and the clock
carries it out.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor, ActorKind
from core.audit.services import record
from core.errors import ConflictError
from tenants.keys import containment, endings, selectors, tokens, verification
from tenants.keys.models import Algorithm, ApiKey, KeyVersion, LeakReport
from tenants.keys.scanners import Finding, place_of, source_of

logger = logging.getLogger(__name__)

GITHUB = Actor(ActorKind.HOOK, "github-secret-scanning", "GitHub secret scanning")
CHUNK = 250
"""How many texts or keys one query takes."""
SHOWN_PLACES = 5

Item = TypeVar("Item")
Leaked = dict[str, dict[str, list[Finding]]]
"""By key id and version id, the findings of that version's text."""


class ReportTakenError(ConflictError):
    """A report with exactly this body was taken before. What it led to then stands; nothing was done this time."""

    code = "report-taken"
    title = "The report was taken before"


def take_report(*, actor: Actor, body_digest: str, findings: Sequence[Finding]) -> list[bool]:
    """Contain every key that is among the findings, by its tenant's policy, and say of each finding whether it is a key of ours.

    ``body_digest`` is the SHA-256 of the report's bytes, in hex. Report, endings, audit entries and events are one transaction: all of it
    stands or nothing. Raises ReportTakenError.
    """
    if LeakReport.objects.filter(body_digest=body_digest).exists():
        raise ReportTakenError("This report was taken before; what it led to stands.")
    found = find_versions({finding.text for finding in findings})
    leaked: Leaked = {}
    for finding in findings:
        if (version := found.get(finding.text)) is not None:
            leaked.setdefault(version.key_id, {}).setdefault(version.pk, []).append(finding)
    tenant_of = {version.key_id: version.key.tenant_id for version in found.values()}
    real = [finding.text in found for finding in findings]
    with transaction.atomic():
        report = _write_report(actor, body_digest, len(findings), sum(real))
        # By tenant, so that each tenant's consumers are rung for once; and always in this order, so that two reports wait for each other.
        for key_ids in _chunks(sorted(leaked, key=lambda key_id: (tenant_of[key_id], key_id))):
            _contain_all({key_id: leaked[key_id] for key_id in key_ids}, found, report, actor)
    logger.info("a report of leaked keys was taken", extra={"report": report.pk, "findings": len(findings), "real": sum(real)})
    return real


def find_versions(texts: Collection[str]) -> dict[str, KeyVersion]:
    """Give, by text, the version that each belongs to; a text that is nobody's is absent. No query for texts with a wrong checksum."""
    ours = [token for token in map(tokens.parse_token, texts) if token is not None]
    foreign = {hashed: text for text in texts if (hashed := tokens.foreign_hash(text))}
    found: dict[str, KeyVersion] = {}
    for part in _chunks(ours):
        rows = _rows_of(part)
        for token in part:
            for version in rows.get(token.public_id, ()):
                if verification.belongs(token.text, version):
                    found[token.text] = version
    for hashes in _chunks(list(foreign)):
        digests = selectors.digests_of(hashes)
        rows_of_them = KeyVersion.objects.filter(algorithm=Algorithm.IMPORTED, digest__in=digests)
        imported = list(rows_of_them.select_related("key").order_by("number"))
        for hashed in hashes if imported else ():
            for version in imported:
                if verification.belongs(hashed, version):
                    found[foreign[hashed]] = version
    return found


def _rows_of(part: Sequence[tokens.Token]) -> Mapping[str, list[KeyVersion]]:
    """The versions that may be these texts', by public id. The digests only narrow the query: :func:`verification.belongs` decides."""
    rows = KeyVersion.objects.filter(
        key__public_id__in={token.public_id for token in part},
        digest__in=selectors.digests_of(token.text for token in part),
        algorithm=Algorithm.OURS,
    )
    by_public_id: dict[str, list[KeyVersion]] = {}
    for version in rows.select_related("key"):
        by_public_id.setdefault(version.key.public_id, []).append(version)
    return by_public_id


def _write_report(actor: Actor, body_digest: str, number: int, real: int) -> LeakReport:
    report = LeakReport(source=actor.id, body_digest=body_digest, received_at=timezone.now(), tokens=number, real=real)
    try:
        with transaction.atomic():
            report.save(force_insert=True)
    except IntegrityError:
        raise ReportTakenError("This report was taken before; what it led to stands.") from None
    record(action="leak.reported", actor=actor, target=report.pk, details={"findings": number, "real": real})
    return report


def _contain_all(leaked: Leaked, found: Mapping[str, KeyVersion], report: LeakReport, actor: Actor) -> None:
    """Lock these keys and contain each. ``found`` was read before the lock: only what never changes is used of it."""
    now = timezone.now()
    versions = {version.pk: version for version in found.values()}
    foreign = [text for text, version in found.items() if version.algorithm == Algorithm.IMPORTED]
    keys = list(ApiKey.objects.select_for_update(of=("self",)).filter(pk__in=leaked).order_by("tenant_id", "pk"))
    actions = selectors.leak_actions_of({key.tenant_id for key in keys})
    is_open = KeyVersion.objects.filter(key_id__in=leaked, stage__in=endings.OPEN_STAGES)
    done = containment.contain(keys, leaked, is_open, actions=actions, actor=actor, now=now)
    for key in keys:
        for version_id, findings in leaked[key.pk].items():
            details = {"version": version_id, "number": versions[version_id].number, "done": done[version_id].value}
            where = {"report": report.pk, **_places(findings, foreign)}
            endings.tell(key, "key.leaked", actor, containment.REASON, {**details, **where})


def _places(findings: Sequence[Finding], foreign: Iterable[str]) -> dict[str, object]:
    """Where a text was found: the first few addresses, and how many findings there were."""
    without = list(foreign)
    urls = dict.fromkeys(place_of(finding, without=without) for finding in findings[: SHOWN_PLACES * 4])
    return {
        "urls": [url for url in urls if url][:SHOWN_PLACES],
        "found_in": sorted({source_of(finding) for finding in findings}),
        "findings": len(findings),
    }


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, CHUNK)):
        yield part
