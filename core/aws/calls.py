"""One AWS call: paced, signed, timed, tried again where that is safe, and translated.

Retries happen here and nowhere else (botocore's are off): a read is tried three times; anything that changes AWS is sent once, because a
create without a client token that is sent twice makes two things. What a lost answer left behind is found by the caller, who looks
before it creates.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from core.aws import credentials as signing
from core.aws.errors import EXPIRED, FAILURES, AwsError, translate

if TYPE_CHECKING:
    from core.aws.clients import Target

P = ParamSpec("P")
R = TypeVar("R")

READ_ATTEMPTS = 3
READ_BACKOFF_SECONDS = (0.05, 0.2)
_READS = ("get_", "list_", "describe_", "head_", "admin_get_", "admin_list_", "query", "scan", "assume_role")
"""How the names of methods begin that change nothing; a second role session instead of a lost one harms nobody."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was answered or failed: ``error_code`` is empty on success, ``request_id`` is empty when no answer came."""

    service: str
    operation: str
    request_id: str
    error_code: str
    milliseconds: float


class Pace(Protocol):
    """What paces calls; see :class:`core.aws.pacing.Pacer`."""

    def wait(self, account_id: str, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Return when the call may be sent; raise CallBudgetError when that is too far off."""


_records: ContextVar[list[Call] | None] = ContextVar("aws_calls", default=None)


@contextmanager
def record_calls() -> Iterator[list[Call]]:
    """Collect the calls made in this thread or task while the block runs, in order; blocks may be nested, each sees its own calls."""
    calls: list[Call] = []
    outer = _records.get()
    token = _records.set(calls)
    try:
        yield calls
    finally:
        _records.reset(token)
        if outer is not None:
            outer.extend(calls)


class Caller:
    """Makes the calls of one target in one name. Cheap to make; safe across threads."""

    def __init__(
        self, target: Target, source: signing.CredentialSource, pacer: Pace | None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.target = target
        self.source = source
        self.pacer = pacer
        self._sleep = sleep

    def __call__(self, method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``method``, a bound method of a boto3 client, and give its answer.

        Raises AwsError (CallBudgetError before anything is sent). Reads are tried up to three times; everything else once.
        """
        name = method.__name__
        meta = method.__self__.meta  # type: ignore[attr-defined]  # a bound method of a boto3 client
        service, operation = meta.service_model.service_name, meta.method_to_api_mapping[name]
        attempts = READ_ATTEMPTS if name.startswith(_READS) else 1
        for attempt in range(1, attempts + 1):
            try:
                return self._once(method, service, operation, args, kwargs)
            except AwsError as error:
                if error.aws_code in EXPIRED:
                    self.source.forget()
                if attempt == attempts or not error.retryable or not error.aws_code:
                    raise
            self._sleep(READ_BACKOFF_SECONDS[attempt - 1] * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, not a secret
        raise AssertionError("unreachable")

    def _once(self, method: Callable[..., R], service: str, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        if self.pacer is not None:
            self.pacer.wait(self.target.account_id, self.target.region, service, operation, kwargs)
        token = signing.current.set(self.source.frozen())
        try:
            return method(*args, **kwargs)
        except FAILURES as error:
            raise translate(error, service=service, operation=operation) from error
        finally:
            signing.current.reset(token)


# botocore event handlers, carried by every client, so that calls are counted where they are really sent.

_CONTEXT_KEY = "controlplane_call"


def _note_start(*, model: Any, context: dict[str, Any], **_: Any) -> None:
    if _records.get() is not None:
        context[_CONTEXT_KEY] = (model.service_model.service_name, model.name, time.perf_counter())


def _note_answer(*, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    _note(context, parsed.get("ResponseMetadata", {}).get("RequestId", ""), parsed.get("Error", {}).get("Code", ""))


def _note_failure(*, exception: Exception, context: dict[str, Any], **_: Any) -> None:
    _note(context, "", type(exception).__name__)


def _note(context: dict[str, Any], request_id: str, error_code: str) -> None:
    calls, begun = _records.get(), context.get(_CONTEXT_KEY)
    if calls is not None and begun is not None:
        service, operation, started = begun
        calls.append(Call(service, operation, str(request_id or ""), str(error_code or ""), (time.perf_counter() - started) * 1000))


HANDLERS = (("before-call", _note_start), ("after-call", _note_answer), ("after-call-error", _note_failure))
