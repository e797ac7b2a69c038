"""The one mapping from errors to problem documents (RFC 9457, ``application/problem+json``).

Members are exactly ``type``, ``title``, ``status``, ``detail``, ``instance``, ``request_id`` and, where fields are at fault, ``errors``. An
error that nobody raised on purpose becomes an opaque 500: its text goes to the logs, under the request id, and never to the caller.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.encoding import iri_to_uri
from rest_framework import exceptions as drf

from controlplane.api import errors as kinds
from controlplane.api.shapes import field_errors
from core.errors import DomainError, InvalidInputError, NotFoundError
from tenants.keys.store import KeyStoreError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_FRAMEWORKS: tuple[tuple[tuple[type[Exception], ...], type[DomainError], str], ...] = (
    ((drf.AuthenticationFailed, drf.NotAuthenticated), kinds.UnauthenticatedError, ""),
    ((drf.NotFound, Http404, drf.PermissionDenied, PermissionDenied), NotFoundError, "There is nothing here."),
    ((drf.MethodNotAllowed,), kinds.MethodNotAllowedError, "The Allow header lists the methods of this path."),
    ((drf.NotAcceptable,), kinds.NotAcceptableError, "The Accept header rules out the form in which this path answers."),
    ((drf.UnsupportedMediaType,), kinds.UnsupportedMediaTypeError, "Send application/json in UTF-8."),
    ((RequestDataTooBig,), kinds.BodyTooLargeError, ""),
    ((drf.ParseError, SuspiciousOperation, BadRequest, UnreadablePostError), kinds.MalformedRequestError, ""),
    ((OperationalError,), kinds.BusyError, "The database did not answer in time. Nothing was done."),
)
"""The first row that fits says what a framework's error is to a caller."""
UNAVAILABLE = (kinds.BusyError, KeyStoreError)
"""Failures that are not the caller's doing, and that the caller is told of all the same: the same request may succeed later."""
CHALLENGE = 'Bearer realm="control plane"'
"""The same for every refused caller: which of the ways to be wrong it was is nobody's business (RFC 6750 would allow to say)."""


def translate(error: Exception) -> DomainError:
    """Give the error that the caller may be told of. Frameworks' errors become ours; what is unknown becomes InternalError."""
    if isinstance(error, DomainError):
        return error if error.status < 500 or isinstance(error, UNAVAILABLE) else kinds.InternalError()
    if isinstance(error, drf.ValidationError):
        return InvalidInputError("Some fields are not valid.", errors=field_errors(error.detail))
    for theirs, ours, detail in _FRAMEWORKS:
        if isinstance(error, theirs):
            return ours(detail)
    return kinds.InternalError()


def document(error: DomainError, request: HttpRequest) -> dict[str, Any]:
    """Give the members of the problem. ``instance`` is the path that was asked for, as a URI reference."""
    body: dict[str, Any] = {
        "type": type_of(error),
        "title": error.title,
        "status": error.status,
        "detail": "The logs hold more under this request id." if isinstance(error, kinds.InternalError) else error.detail,
        "instance": iri_to_uri(request.path),
        "request_id": request_id_of(request),
    }
    if error.errors:
        body["errors"] = [{"detail": item.detail, "code": item.code, **_place(item.pointer)} for item in error.errors]
    return body


def headers_of(error: DomainError) -> dict[str, str]:
    """Give the headers that belong to an error: the challenge of a 401, ``Retry-After`` in whole seconds, never zero."""
    headers = {"WWW-Authenticate": CHALLENGE} if error.status == 401 else {}
    seconds = getattr(error, "retry_after_seconds", kinds.BusyError.retry_after_seconds if error.status == 503 else None)
    if seconds is not None:
        headers["Retry-After"] = str(max(1, -int(-float(seconds) // 1)))
    return headers


def respond(error: Exception, request: HttpRequest) -> HttpResponse:
    """Answer with the problem; logs what was not raised on purpose, with its traceback."""
    told = translate(error)
    if isinstance(told, kinds.InternalError | kinds.BusyError) and told is not error:
        logger.error("The API could not answer", exc_info=error, extra={"path": request.path})
    response = HttpResponse(json.dumps(document(told, request)), content_type=MEDIA_TYPE, status=told.status)
    for name, value in headers_of(told).items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's hook: every exception of a view ends here."""
    response = respond(error, context["request"])
    if isinstance(error, drf.MethodNotAllowed):
        response.headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return response


def type_of(error: DomainError) -> str:
    """Give the address at which the kind of problem is explained.

    A service may sharpen the code of a kind for its own callers; one that no kind bears has no section there, so the kind's is named.
    """
    kinds_by_code = {kind.code for kind in subclasses_of(DomainError)}
    return f"{settings.API_PROBLEMS_URL}#{error.code if error.code in kinds_by_code else type(error).code}"


def subclasses_of(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    """Give every kind of error below ``kind`` that has been imported, in a stable order."""
    for inner in sorted(kind.__subclasses__(), key=lambda found: (found.__module__, found.__name__)):
        yield inner
        yield from subclasses_of(inner)


def request_id_of(request: HttpRequest) -> str:
    """Give the id that ``controlplane.tracing`` bound; empty where that middleware does not run."""
    return str(getattr(request, "request_id", ""))


def _place(pointer: str) -> dict[str, str]:
    """A JSON pointer into the body, or the name of a query parameter or header (written ``?name`` by whoever raised it)."""
    return {"parameter": pointer[1:]} if pointer.startswith("?") else {"pointer": pointer}
