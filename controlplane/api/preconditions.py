"""``If-Match`` before a change, ``If-None-Match`` before an answer (RFC 9110, section 13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags

from controlplane.api.answers import answer, etag_of
from controlplane.api.errors import PreconditionFailedError, PreconditionRequiredError
from core.errors import NotFoundError
from tenants.keys.services import StaleKeyError
from tenants.limits.services import StaleLimitError

Row = TypeVar("Row", bound=models.Model)
_OTHER = "If-Match names another version than the one that is stored now."


def revised_etag(data: Mapping[str, Any]) -> str:
    """Give the entity tag of a thing that counts its edits in ``revision``: that number, to which changes are held, and a digest of it all.

    Much of what is shown of a key moves by itself, such as its last use; that must not refuse an edit, and a cache must hear of it.
    """
    return f'"{data["revision"]}-{etag_of(data)[1:]}'


def not_modified_or(request: HttpRequest, data: Any, *, etag: str = "") -> HttpResponse:
    """Answer with the representation and its ETag, or with an empty 304 when the caller has this very version."""
    etag = etag or etag_of(data)
    tags = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in tags or etag in (tag.removeprefix("W/") for tag in tags):
        response = HttpResponse(status=304)
        del response.headers["Content-Type"]
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["ETag"] = etag
        return response
    return answer(data, headers={"ETag": etag}).as_response()


def change_if_match(request: HttpRequest, row: Row, *, represent: Callable[[Row], Any], change: Callable[[], Row]) -> HttpResponse:
    """Run ``change`` if the row still is what the caller has read; answers with the new representation and ETag.

    The row is locked for the comparison and the change, so that of two callers with the same ETag one is refused. Raises
    PreconditionRequiredError without ``If-Match``, PreconditionFailedError when it names another version.
    """
    wanted = _wanted(request)
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
        if locked is None:
            raise NotFoundError("There is nothing here.")
        if "*" not in wanted and etag_of(represent(locked)) not in wanted:
            raise PreconditionFailedError(_OTHER)
        changed = change()
    data = represent(changed)
    return answer(data, headers={"ETag": etag_of(data)}).as_response()


def change_if_revision(
    request: HttpRequest, revision: int, *, represent: Callable[[Row], Mapping[str, Any]], change: Callable[[int | None], Row]
) -> HttpResponse:
    """As :func:`change_if_match`, for things that count their edits: the caller must have read ``revision``, whatever else has moved.

    ``change`` takes the revision that it is to hold the row to, under its own lock (None for any), and raises StaleKeyError or StaleLimitError.
    """
    wanted = _wanted(request)
    any_will_do = "*" in wanted
    if not any_will_do and not any(tag.startswith(f'"{revision}-') for tag in wanted):
        raise PreconditionFailedError(_OTHER)
    try:
        changed = change(None if any_will_do else revision)
    except (StaleKeyError, StaleLimitError):
        if any_will_do:  # nobody named a version: it is the service that will not write over what it has not seen
            raise
        raise PreconditionFailedError(_OTHER) from None
    data = represent(changed)
    return answer(data, headers={"ETag": revised_etag(data)}).as_response()


def _wanted(request: HttpRequest) -> list[str]:
    tags = parse_etags(request.headers.get("If-Match", ""))
    if not tags:
        raise PreconditionRequiredError("Send If-Match with the ETag that you have read.")
    return tags
