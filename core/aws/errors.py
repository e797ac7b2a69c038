"""The one translation of what AWS and its transport say into the product's errors.

Every gateway call passes through :func:`translate`; nothing above ``core.aws`` sees a botocore exception. Codes come from the services'
API references ("Errors" of each action) and from https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from core.errors import DomainError

Failure = boto.ClientError | boto.BotoCoreError | ResponseParserError
FAILURES = (boto.ClientError, boto.BotoCoreError, ResponseParserError)
"""Everything that botocore raises when a call fails; the last is not of its own family."""


class AwsError(DomainError):
    """An AWS call that did not succeed.

    ``aws_code`` is AWS's own error code, or the transport failure's class name. ``retryable`` says that the same call may succeed
    later. ``answer_lost`` says that AWS may have carried the call out although no success was heard: look before doing it again.
    """

    code = "aws-error"
    title = "AWS refused or failed a call"
    status = 502

    def __init__(
        self,
        detail: str = "",
        *,
        aws_code: str = "",
        service: str = "",
        operation: str = "",
        request_id: str = "",
        retryable: bool | None = None,
        answer_lost: bool = False,
    ) -> None:
        super().__init__(detail)
        self.aws_code = aws_code
        self.service = service
        self.operation = operation
        self.request_id = request_id
        if retryable is not None:
            self.retryable = retryable
        self.answer_lost = answer_lost


class AwsNotFoundError(AwsError):
    """The resource does not exist, or not yet everywhere."""

    code = "aws-not-found"
    title = "AWS does not know this resource"


class AwsAlreadyExistsError(AwsError):
    """Something of this name exists; whose it is must be read from its tags."""

    code = "aws-already-exists"
    title = "AWS already has a resource of this name"


class AwsAccessDeniedError(AwsError):
    """The credentials in use may not do this. Not retryable by itself, though new IAM permissions need seconds to spread."""

    code = "aws-access-denied"
    title = "AWS denied access"


class AwsThrottledError(AwsError):
    """AWS refused the call for its rate; nothing was done."""

    code = "aws-throttled"
    title = "AWS asks for fewer calls"
    retryable = True


class AwsConflictError(AwsError):
    """The resource is busy with another change, or still in use."""

    code = "aws-conflict"
    title = "The AWS resource is busy"
    retryable = True


class AwsQuotaError(AwsError):
    """One of the account's resource quotas is used up: somebody must raise it or remove something."""

    code = "aws-quota"
    title = "An AWS quota is used up"


class CallBudgetError(AwsError):
    """The product's own pacing refused the call before it was sent: the budget of this API is used up for ``retry_after_seconds``."""

    code = "aws-call-budget"
    title = "The call budget of this AWS API is used up for the moment"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after_seconds: float, service: str = "", operation: str = "") -> None:
        super().__init__(detail, service=service, operation=operation)
        self.retry_after_seconds = retry_after_seconds


NOT_FOUND = frozenset(
    "404 NoSuchEntity NoSuchBucket NoSuchKey NoSuchVersion NoSuchUpload NoSuchBucketPolicy NoSuchTagSet NoSuchLifecycleConfiguration "
    "NoSuchPublicAccessBlockConfiguration ServerSideEncryptionConfigurationNotFoundError OwnershipControlsNotFoundError NotFound "
    "NotFoundException ResourceNotFoundException UserNotFoundException ChangeSetNotFound ChangeSetNotFoundException "
    "TableNotFoundException StackNotFoundException".split()
)
ALREADY_EXISTS = frozenset(
    "EntityAlreadyExists EntityAlreadyExistsException AlreadyExistsException ResourceAlreadyExistsException ResourceExistsException "
    "BucketAlreadyExists BucketAlreadyOwnedByYou UsernameExistsException GroupExistsException AliasExistsException "
    "TableAlreadyExistsException DuplicateProviderException".split()
)
ACCESS_DENIED = frozenset(
    "403 AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorizedException AuthorizationErrorException Forbidden "
    "InvalidClientTokenId SignatureDoesNotMatch UnrecognizedClientException InvalidAccessKeyId AuthFailure".split()
)
THROTTLED = frozenset(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException TooManyRequestsException "
    "RequestLimitExceeded SlowDown ProvisionedThroughputExceededException BandwidthLimitExceeded PriorRequestNotComplete "
    "TransactionInProgressException".split()
)
CONFLICT = frozenset(
    "ConcurrentModification ConcurrentModificationException OperationAborted OperationAbortedException ConflictException "
    "EntityTemporarilyUnmodifiable EntityTemporarilyUnmodifiableException ResourceInUseException KMSInvalidStateException "
    "OperationInProgressException TokenAlreadyExistsException InvalidChangeSetStatus InvalidChangeSetStatusException "
    "DependencyTimeoutException ResourceConflictException".split()
)
CONFLICT_FOR_GOOD = frozenset("DeleteConflict DeleteConflictException BucketNotEmpty".split())
QUOTA = frozenset(
    "LimitExceeded LimitExceededException TooManyBuckets ServiceQuotaExceededException ResourceLimitExceeded "
    "InsufficientCapacityException".split()
)
EXPIRED = frozenset("ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired".split())
OUTAGE = frozenset(
    "500 502 503 504 InternalError InternalFailure InternalErrorException InternalServerError InternalServerException ServiceFailure "
    "ServiceFailureException ServiceUnavailable ServiceUnavailableException InternalServiceError InternalServiceErrorException "
    "ServiceException RequestTimeout RequestTimeoutException KMSInternalException KeyUnavailableException".split()
)
TRANSPORT = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, ResponseParserError)
NEVER_SENT = (boto.ConnectTimeoutError, boto.EndpointConnectionError, boto.ProxyConnectionError)
_KINDS: tuple[tuple[frozenset[str], type[AwsError]], ...] = (
    (NOT_FOUND, AwsNotFoundError),
    (ALREADY_EXISTS, AwsAlreadyExistsError),
    (ACCESS_DENIED, AwsAccessDeniedError),
    (THROTTLED, AwsThrottledError),
    (CONFLICT | CONFLICT_FOR_GOOD, AwsConflictError),
    (QUOTA, AwsQuotaError),
)
_UNSPREAD_PRINCIPAL = ("invalid principal in policy", "invalid principals in policy")


def translate(error: Failure, *, service: str, operation: str) -> AwsError:
    """Give the product's error for botocore's; never raises."""
    if isinstance(error, boto.ClientError):
        return _of_answer(error, service, operation)
    code = type(error).__name__
    transport = isinstance(error, TRANSPORT)
    return AwsError(
        f"{service} {operation}: {error}",
        aws_code=code,
        service=service,
        operation=operation,
        retryable=transport,
        answer_lost=transport and not isinstance(error, NEVER_SENT),
    )


def _of_answer(error: boto.ClientError, service: str, operation: str) -> AwsError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    message = str(answer.get("Error", {}).get("Message", ""))
    metadata = answer.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0) or 0)
    kind = _kind(code, operation)
    outage = kind is AwsError and (code in OUTAGE or status >= 500)
    retryable: bool | None = None
    if outage or code in EXPIRED or any(words in message.lower() for words in _UNSPREAD_PRINCIPAL):
        retryable = True
    elif code in CONFLICT_FOR_GOOD:
        retryable = False
    return kind(
        f"{service} {operation}: {code}: {message}",
        aws_code=code,
        service=service,
        operation=operation,
        request_id=str(metadata.get("RequestId", "")),
        retryable=retryable,
        answer_lost=outage,
    )


def _kind(code: str, operation: str) -> type[AwsError]:
    if code == "ResourceInUseException" and operation == "CreateTable":
        return AwsAlreadyExistsError  # DynamoDB's one code for "busy" and for "there is one of this name"
    for codes, kind in _KINDS:
        if code in codes:
            return kind
    return AwsError
