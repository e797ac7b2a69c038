"""``If-Match`` before a change, ``If-None-Match`` before an answer (RFC 9110, section 13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags

from controlplane.api.answers import answer, etag_of
from controlplane.api.errors import PreconditionFailedError, PreconditionRequiredError
from core.errors import NotFoundError

Row = TypeVar("Row", bound=models.Model)


def not_modified_or(request: HttpRequest, data: Any) -> HttpResponse:
    """Answer with the representation and its ETag, or with an empty 304 when the caller has this very version."""
    etag = etag_of(data)
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
    wanted = parse_etags(request.headers.get("If-Match", ""))
    if not wanted:
        raise PreconditionRequiredError("Send If-Match with the ETag that you have read.")
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
        if locked is None:
            raise NotFoundError("There is nothing here.")
        if "*" not in wanted and etag_of(represent(locked)) not in wanted:
            raise PreconditionFailedError("If-Match names another version than the one that is stored now.")
        changed = change()
    data = represent(changed)
    return answer(data, headers={"ETag": etag_of(data)}).as_response()
