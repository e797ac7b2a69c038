"""What AWS says becomes what the product knows."""

from __future__ import annotations

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from core.aws import errors
from core.aws.errors import AwsError, translate
from core.errors import DomainError


def _answer(code: str, status: int = 400, message: str = "words") -> boto.ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "req-1"}}
    return boto.ClientError(response, "DoIt")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        ("NoSuchEntity", errors.AwsNotFoundError, False),
        ("404", errors.AwsNotFoundError, False),
        ("ResourceNotFoundException", errors.AwsNotFoundError, False),
        ("EntityAlreadyExists", errors.AwsAlreadyExistsError, False),
        ("UsernameExistsException", errors.AwsAlreadyExistsError, False),
        ("AccessDenied", errors.AwsAccessDeniedError, False),
        ("AccessDeniedException", errors.AwsAccessDeniedError, False),
        ("TooManyRequestsException", errors.AwsThrottledError, True),
        ("Throttling", errors.AwsThrottledError, True),
        ("ConcurrentModificationException", errors.AwsConflictError, True),
        ("OperationAborted", errors.AwsConflictError, True),
        ("DeleteConflict", errors.AwsConflictError, False),
        ("BucketNotEmpty", errors.AwsConflictError, False),
        ("LimitExceededException", errors.AwsQuotaError, False),
        ("ExpiredTokenException", AwsError, True),
        ("ValidationError", AwsError, False),
    ],
)
def test_codes_become_kinds(code: str, kind: type[AwsError], retryable: bool) -> None:
    error = translate(_answer(code), service="iam", operation="DoIt")
    assert type(error) is kind
    assert (error.retryable, error.answer_lost) == (retryable, False)
    assert (error.aws_code, error.service, error.operation, error.request_id) == (code, "iam", "DoIt", "req-1")
    assert code in error.detail
    assert isinstance(error, DomainError)


@pytest.mark.parametrize(("code", "status"), [("InternalError", 500), ("ServiceUnavailable", 503), ("", 502), ("Odd", 500)])
def test_an_outage_may_have_done_the_work(code: str, status: int) -> None:
    error = translate(_answer(code, status), service="s3", operation="DoIt")
    assert type(error) is AwsError
    assert (error.retryable, error.answer_lost) == (True, True)


def test_one_code_two_meanings() -> None:
    made = translate(_answer("ResourceInUseException"), service="dynamodb", operation="CreateTable")
    deleted = translate(_answer("ResourceInUseException"), service="dynamodb", operation="DeleteTable")
    assert isinstance(made, errors.AwsAlreadyExistsError)
    assert isinstance(deleted, errors.AwsConflictError)


def test_a_principal_that_iam_has_not_spread_yet_is_worth_another_try() -> None:
    message = 'Invalid principal in policy: "AWS":"arn"'
    assert translate(_answer("MalformedPolicyDocument", message=message), service="iam", operation="DoIt").retryable
    assert not translate(_answer("MalformedPolicyDocument", message="Syntax"), service="iam", operation="DoIt").retryable


@pytest.mark.parametrize(
    ("failure", "retryable", "answer_lost"),
    [
        (boto.ReadTimeoutError(endpoint_url="http://x"), True, True),
        (boto.ConnectionClosedError(endpoint_url="http://x"), True, True),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), True, True),
        (ResponseParserError("not xml"), True, True),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), True, False),
        (boto.EndpointConnectionError(endpoint_url="http://x"), True, False),
        (boto.ParamValidationError(report="wrong"), False, False),
        (boto.NoCredentialsError(), False, False),
    ],
)
def test_silence_is_told_from_never_sent(failure: errors.Failure, retryable: bool, answer_lost: bool) -> None:
    error = translate(failure, service="kms", operation="CreateKey")
    assert (error.retryable, error.answer_lost) == (retryable, answer_lost)
    assert error.aws_code == type(failure).__name__


def test_no_code_has_two_kinds() -> None:
    groups = [codes for codes, _ in errors._KINDS] + [errors.EXPIRED, errors.OUTAGE]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
