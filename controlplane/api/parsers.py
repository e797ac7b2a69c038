"""Reading a body: JSON in UTF-8, at most 64 KiB, each name once, nothing that a database or an answer could choke on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from controlplane.api.errors import BodyTooLargeError, MalformedRequestError, UnsupportedMediaTypeError

MAX_BODY_BYTES = 64 * 1024


class StrictJson(BaseParser):
    """The API's only parser. Raises MalformedRequestError, BodyTooLargeError or UnsupportedMediaTypeError; never anything else."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Give the value of the body."""
        _, _, parameters = (media_type or "").partition(";")
        for parameter in filter(None, (part.strip() for part in parameters.split(";"))):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
                raise UnsupportedMediaTypeError("Send application/json in UTF-8.")
        return parse_json(read_body(stream))


def read_body(stream: IO[Any]) -> bytes:
    """Read at most one byte more than is allowed, so that no sender decides how much memory we spend."""
    try:
        raw = stream.read(MAX_BODY_BYTES + 1)
    except OSError:
        raise MalformedRequestError("The body ended before its announced length.") from None
    if len(raw) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"A body may have at most {MAX_BODY_BYTES} bytes.")
    return bytes(raw)


def parse_json(raw: bytes) -> Any:
    """Parse strictly (RFC 8259): no NaN, no name twice, no lone surrogates, no nesting beyond what Python can hold."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8, at byte {error.start}.") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once_each)
    except RecursionError:
        raise MalformedRequestError("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise MalformedRequestError(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except ValueError:  # a whole number with more digits than Python reads
        raise MalformedRequestError("The body holds a number that is too long.") from None
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedRequestError("The body holds the same name twice in one object.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedRequestError(f"The body holds {name}, which is not JSON.")


def _refuse_surrogates(value: Any) -> None:
    """A lone surrogate passes every check of JSON and then fails to encode, in the database or in our own answer."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedRequestError("The body holds half of a surrogate pair.") from None
