"""The first answer to a request with an ``Idempotency-Key``, given again to whoever asks again.

The promise (after Stripe's, and the IETF's draft-ietf-httpapi-idempotency-key-header): within 24 hours, the same caller with the same
key, method, path and body gets the same status, body and ``Location``, with ``Idempotent-Replayed: true``, and nothing is done twice;
another request under the key gets 422; while the first is still running, 409. Refusals of the service (404, 409, 422) are kept as well.
Not kept is what never reached the service (401, 403, a body of the wrong shape) and what may go away by itself (429, 5xx).

Most acts and their answers are written in one transaction (``answer_once``), so that neither can exist without the other. A process that
dies before that commit leaves nothing but a claim, which runs out after a minute; the number in the claim keeps a process that overslept
from writing after its successor.

Acts that call AWS run outside any transaction, and their answer is kept afterwards (``answer_once_outside``). A process that dies between
the two leaves an act without an answer, so such an act must find out by itself what an earlier try of the same claim has done: by the
claim's ``reference``, or by ``earlier_try_at``.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from controlplane.api import problems
from controlplane.api.answers import Answer, json_text
from controlplane.api.errors import IdempotencyKeyRequiredError, IdempotencyKeyReusedError, RequestStillRunningError
from controlplane.api.models import IdempotencyRecord, IdempotencyState
from core.errors import DomainError

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
CLAIM_LASTS = timedelta(minutes=1)
OUTSIDE_CLAIM_LASTS = timedelta(minutes=5)
"""Longer than the calls of one act on a key together, which have claims of two minutes each for making it and for settling its secret."""
NEVER_KEPT = frozenset({401, 429})
PURGED_AT_ONCE = 1_000
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to act under a key. ``reference`` names this first request towards services, and no other request ever.

    ``earlier_try_at`` is when the first try began, if there was one that left no answer; None for the first.
    """

    record_id: int
    number: int
    reference: str
    earlier_try_at: datetime | None = None


def answer_once(request: HttpRequest, *, caller: str, body: object, act: Callable[[Claim], Answer]) -> HttpResponse:
    """Run ``act`` unless its answer is already known. ``act`` may raise DomainError; anything else leaves no trace and no record.

    Raises IdempotencyKeyRequiredError, IdempotencyKeyReusedError, RequestStillRunningError.
    """
    known = _claim(caller, _key_of(request), _fingerprint(request, body), timezone.now())
    if isinstance(known, Answer):
        return known.as_response(replayed=True)
    try:
        with transaction.atomic():
            given = _answer_of(request, known, act)
            if not _keep(known, given):
                raise RequestStillRunningError(
                    "This request took so long that another has taken its key over. Nothing was done here."
                )
    except _NotKeptError as refusal:
        _release(known)
        return refusal.answer.as_response()
    except BaseException:
        _release(known)
        raise
    return given.as_response()


def answer_once_outside(request: HttpRequest, *, caller: str, body: object, act: Callable[[Claim], Answer]) -> HttpResponse:
    """As :func:`answer_once`, for acts that call AWS: they run outside any transaction, and must be safe to be tried again.

    The answer is kept only while the claim stands, and given to the caller in any case: it may hold what is shown once. What is kept is
    the answer's ``kept_body``. Whatever is not kept leaves the record behind with a claim that has run out, so that the next try knows
    that there was one, and goes by the same reference.
    """
    known = _claim(caller, _key_of(request), _fingerprint(request, body), timezone.now(), lasts=OUTSIDE_CLAIM_LASTS)
    if isinstance(known, Answer):
        return known.as_response(replayed=True)
    try:
        given = _answer_of(request, known, act)
    except _NotKeptError as refusal:
        _let_go(known)
        return refusal.answer.as_response()
    except BaseException:
        _let_go(known)
        raise
    try:
        kept = _keep(known, given)
    except DatabaseError:
        kept = False
    if not kept:
        logger.warning("an answer was given and not kept", extra={"record": known.record_id})
    return given.as_response()


def purge_expired(now: datetime | None = None) -> int:
    """Delete records whose day is over, a thousand at a time so that no lock is held long; gives how many."""
    gone = 0
    while True:
        due = IdempotencyRecord.objects.filter(expires_at__lte=now or timezone.now()).order_by("expires_at")
        ids = list(due.values_list("pk", flat=True)[:PURGED_AT_ONCE])
        if not ids:
            return gone
        gone += IdempotencyRecord.objects.filter(pk__in=ids, expires_at__lte=now or timezone.now()).delete()[0]


class _NotKeptError(Exception):
    """Carries an answer out of the transaction, which is rolled back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def _fingerprint(request: HttpRequest, body: object) -> str:
    """Two bodies that differ in blanks or in the order of names are the same request."""
    canonical = json_text([request.method, request.path, _sorted(body)])
    return hashlib.sha256(canonical.encode()).hexdigest()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _key_of(request: HttpRequest) -> str:
    key = request.headers.get(HEADER, "")
    if _KEY.fullmatch(key) is None:
        raise IdempotencyKeyRequiredError(
            "Send Idempotency-Key with 1 to 255 visible ASCII characters, fresh for each new request."
        )
    return key


def _claim(caller: str, key: str, fingerprint: str, now: datetime, *, lasts: timedelta = CLAIM_LASTS) -> Claim | Answer:
    fresh = {
        "fingerprint": fingerprint,
        "claimed_until": now + lasts,
        "created_at": now,
        "expires_at": now + KEPT_FOR,
    }
    try:
        with transaction.atomic():
            record, created = IdempotencyRecord.objects.get_or_create(caller=caller, key=key, defaults=fresh)
    except IntegrityError:  # purged between the two statements of get_or_create
        raise RequestStillRunningError() from None
    if created:
        return _claim_of(record)
    if record.expires_at > now:
        if record.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError(
                "This key was used for another method, path or body. Take a fresh key for a new request."
            )
        if record.state == IdempotencyState.ANSWERED:
            return _kept_answer(record)
        if record.claimed_until > now:
            raise RequestStillRunningError("The first request with this key has not been answered yet.")
        fresh = {"claimed_until": now + lasts}
    return _take_over(record, fresh)


def _take_over(record: IdempotencyRecord, fresh: dict[str, object]) -> Claim:
    """Whoever raises the number first holds the claim."""
    blank: dict[str, object] = {
        "state": IdempotencyState.RUNNING,
        "status": None,
        "headers": {},
        "body": "",
        "claim": record.claim + 1,
    }
    if not IdempotencyRecord.objects.filter(pk=record.pk, claim=record.claim).update(**fresh, **blank):
        raise RequestStillRunningError("Another request has just taken this key over.")
    record.refresh_from_db()
    return _claim_of(record, earlier_try_at=None if "created_at" in fresh else record.created_at)


def _claim_of(record: IdempotencyRecord, *, earlier_try_at: datetime | None = None) -> Claim:
    key = hashlib.sha256(record.key.encode()).hexdigest()[:16]
    reference = f"api:{record.caller}:{key}:{record.created_at:%Y%m%d%H%M%S%f}"
    return Claim(record.pk, record.claim, reference, earlier_try_at)


def _answer_of(request: HttpRequest, claim: Claim, act: Callable[[Claim], Answer]) -> Answer:
    try:
        return act(claim)
    except DomainError as error:
        told = problems.translate(error)
        refusal = Answer(
            told.status, json_text(problems.document(told, request)), problems.headers_of(told), media_type=problems.MEDIA_TYPE
        )
        if told.status >= 500:
            raise
        if told.status in NEVER_KEPT or isinstance(told, RequestStillRunningError):
            raise _NotKeptError(refusal) from None
        return refusal


def _keep(claim: Claim, given: Answer) -> bool:
    """Keep an answer if the claim still stands; says whether it did."""
    kept = _held(claim).update(
        state=IdempotencyState.ANSWERED,
        status=given.status,
        headers={**given.headers, "Content-Type": given.media_type},
        body=given.body if given.kept_body is None else given.kept_body,
    )
    return bool(kept)


def _kept_answer(record: IdempotencyRecord) -> Answer:
    headers = dict(record.headers)
    media_type = headers.pop("Content-Type")
    return Answer(record.status or 500, record.body, headers, media_type)


def _release(claim: Claim) -> None:
    """Free the key at once: nothing was done under it."""
    _held(claim).delete()


def _let_go(claim: Claim) -> None:
    """Let the next try have the claim at once, and know of this one: what it did is not certain."""
    _held(claim).update(claimed_until=timezone.now())


def _held(claim: Claim) -> QuerySet[IdempotencyRecord]:
    return IdempotencyRecord.objects.filter(pk=claim.record_id, claim=claim.number, state=IdempotencyState.RUNNING)
