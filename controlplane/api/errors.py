"""What the door itself refuses, before or after a service was asked. Each kind has its section in ``docs/problems.md``."""

from __future__ import annotations

from core.errors import ConflictError, DomainError, ForbiddenError, InvalidInputError


class UnauthenticatedError(DomainError):
    """There is no valid token in the ``Authorization`` header.

    Absent, mistyped, unknown, expired, revoked and foreign tokens answer alike, and so does every path, whether it exists or not. So do
    tenants' keys that may not manage keys, that come from outside of their address ranges, or whose tenant is not active.
    """

    code = "unauthenticated"
    title = "Valid credentials are needed"
    status = 401


class InsufficientScopeError(ForbiddenError):
    """The token is valid and may see the thing, but lacks the scope that this act needs. ``detail`` names the scope."""

    code = "insufficient-scope"
    title = "The token lacks a scope"


class MalformedRequestError(DomainError):
    """The body or the query is not what it must be before anybody can look at its fields.

    The body is not JSON or not UTF-8, holds a name twice in one object, is nested too deeply, or ended early.
    """

    code = "malformed-request"
    title = "The request cannot be read"
    status = 400


class MethodNotAllowedError(DomainError):
    """The path exists and does not answer this method. The ``Allow`` header lists those that it does."""

    code = "method-not-allowed"
    title = "The method is not allowed here"
    status = 405


class NotAcceptableError(DomainError):
    """The ``Accept`` header rules out every form that this path can answer in. Answers are ``application/json``."""

    code = "not-acceptable"
    title = "No acceptable form of answer"
    status = 406


class UnsupportedMediaTypeError(DomainError):
    """The body is not ``application/json`` in UTF-8."""

    code = "unsupported-media-type"
    title = "The body has an unsupported type"
    status = 415


class LengthRequiredError(DomainError):
    """The body came in chunks, without a ``Content-Length``; the server would not see it. Send it with its length."""

    code = "length-required"
    title = "Content-Length is needed"
    status = 411


class BodyTooLargeError(DomainError):
    """The body is larger than 64 KiB."""

    code = "body-too-large"
    title = "The body is too large"
    status = 413


class PreconditionFailedError(DomainError):
    """Somebody else changed the thing since the caller read it: ``If-Match`` names another version. Read it again and decide anew."""

    code = "precondition-failed"
    title = "The thing has changed since it was read"
    status = 412


class PreconditionRequiredError(DomainError):
    """A change of a stored thing needs ``If-Match`` with the ``ETag`` that was read.

    So nobody overwrites what they have not seen (RFC 6585, section 3). ``If-Match: *`` says that any version will do.
    """

    code = "precondition-required"
    title = "If-Match is needed"
    status = 428


class IdempotencyKeyRequiredError(DomainError):
    """A POST that starts something needs an ``Idempotency-Key`` of 1 to 255 visible ASCII characters, so that it can be sent again safely."""

    code = "idempotency-key-required"
    title = "Idempotency-Key is needed"
    status = 400


class IdempotencyKeyReusedError(InvalidInputError):
    """The key was used within the last 24 hours for another method, path or body. Nothing was done this time."""

    code = "idempotency-key-reused"
    title = "The idempotency key belongs to another request"


class RequestStillRunningError(ConflictError):
    """The first request with this idempotency key has not been answered yet. Ask again after ``Retry-After`` seconds."""

    code = "request-still-running"
    title = "The first request is still running"
    retryable = True
    retry_after_seconds = 1


class RotatedMeanwhileError(ConflictError):
    """The answer to an earlier try of this request was lost, and the key has been rotated since that try began, by it or by somebody else.

    Nothing was done this time. If it was that try, the new text is in the tenant's secrets store; whoever needs to see one rotates again
    under a fresh idempotency key.
    """

    code = "rotated-meanwhile"
    title = "The key was rotated meanwhile"


class QuotaExceededError(DomainError):
    """The caller has asked more often than it may: an operator's token, a tenant's keys together, or a source of hooks.

    Nothing was done. ``RateLimit`` says which limit it was and what is left of it, as on every answer. Ask again after ``Retry-After`` seconds.
    """

    code = "quota-exceeded"
    title = "A limit was reached"
    status = 429
    retryable = True
    retry_after_seconds = 1


class BusyError(DomainError):
    """The control plane cannot serve this now.

    Its database is busy, or as many progress streams are open as it allows. Nothing was done; ask again after ``Retry-After`` seconds.
    """

    code = "busy"
    title = "Busy; try again"
    status = 503
    retryable = True
    retry_after_seconds = 2


class InternalError(DomainError):
    """Something failed that should not have. The answer says no more than the request id, under which the logs hold the rest."""

    code = "internal-error"
    title = "Something went wrong on our side"
    status = 500
