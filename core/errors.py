"""The one family of errors that the product raises on purpose.

An error is a *kind* here and becomes a problem document only at the API's door. Subclasses live with their noun. ``detail`` is
read by people: it never carries a secret, a foreign tenant's name or a stack trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: its JSON pointer (``/admin_email``), and the reason in words."""

    pointer: str
    detail: str
    code: str = "invalid"


class DomainError(Exception):
    """Something the product refuses or could not do, with a stable code.

    ``code`` is a lower-case slug that callers may match on, ``title`` names the kind for people, ``detail`` says what happened this
    time. ``retryable`` says whether the same call may succeed later without anybody changing anything. ``status`` is the HTTP status
    that a door answers with.
    """

    code = "error"
    title = "The request could not be carried out"
    status = 400
    retryable = False

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = (), code: str | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        if code is not None:
            self.code = code


class InvalidInputError(DomainError):
    """The input itself is wrong; ``errors`` names each field."""

    code = "invalid-input"
    title = "The input is not valid"
    status = 422

    @classmethod
    def at(cls, pointer: str, reason: str, code: str = "invalid") -> Self:
        """Make the error about one field, of which the reason says all there is to say."""
        return cls(reason, errors=(FieldError(pointer, reason, code),))


class NotFoundError(DomainError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"
    title = "Not found"
    status = 404


class ConflictError(DomainError):
    """Another act came first: the thing is no longer in the state that this act needs."""

    code = "conflict"
    title = "The state has changed"
    status = 409


class ForbiddenError(DomainError):
    """The caller is known and may see the thing, but may not do this to it."""

    code = "forbidden"
    title = "Not allowed"
    status = 403
