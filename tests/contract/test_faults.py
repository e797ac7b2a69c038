"""The product under faults, and the fault injector itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.awsrequest import AWSPreparedRequest

from core.aws import clients
from core.aws.calls import record_calls
from core.aws.errors import AwsAccessDeniedError, AwsError, AwsThrottledError
from core.aws.session import Aws
from tests import faults

Fresh = Callable[[str], str]


@pytest.mark.parametrize(
    ("error", "kind"), [("throttle", AwsThrottledError), ("denied", AwsAccessDeniedError), ("outage", AwsError)]
)
def test_aws_answers_are_understood_in_every_protocol(gateways: Aws, error: faults.Named, kind: type[AwsError]) -> None:
    calls = {
        ("cognito-idp", "DeleteUserPool"): lambda: gateways.cognito.delete_user_pool("eu-central-1_Missing00"),
        ("iam", "DeleteRolePolicy"): lambda: gateways.iam.delete_role_policy("missing", "missing"),
        ("s3", "DeleteBucket"): lambda: gateways.s3.delete_bucket("missing-bucket"),
    }
    for (service, operation), call in calls.items():
        with faults.inject(service, operation, error=error) as fault, pytest.raises(kind) as caught:
            call()
        assert fault.fired == 1
        assert (caught.value.service, caught.value.operation) == (service, operation)
        assert caught.value.request_id == "injected" or service == "s3"
        assert caught.value.retryable == (error != "denied")
        assert caught.value.answer_lost == (error == "outage")


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_lost_answer_leaves_the_thing_made_or_not(gateways: Aws, fresh: Fresh, when: faults.When, made: bool) -> None:
    name = fresh("pool")
    with faults.watch() as traffic, faults.inject("cognito-idp", "CreateUserPool", when=when), pytest.raises(AwsError) as caught:
        gateways.cognito.create_user_pool(name, tags={})
    assert (caught.value.answer_lost, caught.value.retryable) == (True, True)
    assert traffic.sends["cognito-idp", "CreateUserPool"] == 1
    pool = gateways.cognito.find_user_pool(name, tags={})
    assert (pool is not None) == made
    if pool is not None:
        gateways.cognito.delete_user_pool(pool.id)


def test_an_unreachable_endpoint_is_no_lost_answer(gateways: Aws) -> None:
    with faults.inject("kms", "CreateKey", error="unreachable"), pytest.raises(AwsError) as caught:
        gateways.kms.create_key(description="", tags={})
    assert (caught.value.answer_lost, caught.value.retryable) == (False, True)


@pytest.mark.parametrize("error", ["lost", "throttle", "outage", "unreachable"])
def test_reads_are_tried_three_times_and_writes_once(gateways: Aws, error: faults.Named, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(gateways.sts._call, "_sleep", pauses.append)
    with faults.watch() as traffic, faults.inject("sts", "GetCallerIdentity", error=error, times=2):
        assert gateways.sts.get_caller_identity().account_id
    assert traffic.sends["sts", "GetCallerIdentity"] == 3
    assert len(pauses) == 2
    assert all(0 < pause < 1 for pause in pauses)
    with faults.watch() as traffic, faults.inject("sts", "GetCallerIdentity", error=error, times=None), pytest.raises(AwsError):
        gateways.sts.get_caller_identity()
    assert traffic.sends["sts", "GetCallerIdentity"] == 3
    with faults.watch() as traffic, faults.inject("kms", "CreateKey", error=error, times=None), pytest.raises(AwsError):
        gateways.kms.create_key(description="", tags={})
    assert traffic.sends["kms", "CreateKey"] == 1
    assert traffic.retries == 0


def test_a_denied_read_is_not_tried_again(gateways: Aws) -> None:
    with (
        faults.watch() as traffic,
        faults.inject("iam", "GetRole", error="denied", times=None),
        pytest.raises(AwsAccessDeniedError),
    ):
        gateways.iam.find_role("anything")
    assert traffic.sends["iam", "GetRole"] == 1


def test_botocores_own_retries_would_be_seen(gateways: Aws, fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """With botocore's retries on, a lost answer makes two pools: the reason why they are off."""
    careful = clients._config

    def careless(endpoint: str | None) -> object:
        config = careful(endpoint)
        config.retries = {"mode": "legacy", "total_max_attempts": 2}  # type: ignore[attr-defined]
        return config

    name = fresh("pool")
    monkeypatch.setattr(clients, "_config", careless)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("core.aws.session.shared", clients.Clients())
    careless_aws = Aws(gateways.target, gateways._caller)
    with faults.watch() as traffic, faults.inject("cognito-idp", "CreateUserPool", when="after"):
        careless_aws.cognito.create_user_pool(name, tags={})
    assert (traffic.sends["cognito-idp", "CreateUserPool"], traffic.retries) == (2, 1)
    with pytest.raises(AwsError, match="Two user pools"):
        careless_aws.cognito.find_user_pool(name, tags={})


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_crash_passes_through_everything(gateways: Aws, fresh: Fresh, when: faults.When, made: bool) -> None:
    name = fresh("role")
    with faults.inject("iam", "CreateRole", when=when, error=faults.Crash), pytest.raises(faults.Crash):
        gateways.iam.create_role(name, trust={"Version": "2012-10-17", "Statement": []}, tags={})
    assert (gateways.iam.find_role(name) is not None) == made
    gateways.iam.delete_role(name)


def test_the_occurrence_is_counted_over_all_operations(gateways: Aws) -> None:
    with faults.watch() as traffic, faults.inject("*", "*", occurrence=3, error=faults.Crash) as fault:
        gateways.sts.get_caller_identity()
        gateways.iam.find_role("missing")
        with pytest.raises(faults.Crash):
            gateways.kms.find_key("missing")
    assert traffic.order == [("sts", "GetCallerIdentity"), ("iam", "GetRole"), ("kms", "DescribeKey")]
    assert (fault.matched, fault.fired) == (3, 1)


def test_a_function_may_decide_by_the_request(gateways: Aws, fresh: Fresh) -> None:
    doomed, spared = fresh("doomed"), fresh("spared")

    def by_name(request: AWSPreparedRequest) -> None:
        if doomed in str(request.body):
            raise faults.Crash

    trust = {"Version": "2012-10-17", "Statement": []}
    with faults.inject("iam", "CreateRole", error=by_name, times=None):
        gateways.iam.create_role(spared, trust=trust, tags={})
        with pytest.raises(faults.Crash):
            gateways.iam.create_role(doomed, trust=trust, tags={})
    gateways.iam.delete_role(spared)


def test_faults_end_with_their_block(gateways: Aws) -> None:
    with faults.inject("sts", "*", error="denied", times=None), pytest.raises(AwsAccessDeniedError):
        gateways.sts.get_caller_identity()
    assert gateways.sts.get_caller_identity().account_id


def test_calls_are_recorded_with_their_outcome(gateways: Aws) -> None:
    with record_calls() as outer:
        gateways.sts.get_caller_identity()
        with record_calls() as inner:
            gateways.iam.find_role("missing")
        with faults.inject("kms", "CreateKey"), pytest.raises(AwsError):
            gateways.kms.create_key(description="", tags={})
    assert [(call.service, call.operation, call.error_code) for call in outer] == [
        ("sts", "GetCallerIdentity", ""),
        ("iam", "GetRole", "NoSuchEntity"),
        ("kms", "CreateKey", "ReadTimeoutError"),
    ]
    assert inner == outer[1:2]
    assert outer[0].request_id
    assert all(call.milliseconds > 0 for call in outer)
    gateways.sts.get_caller_identity()
    assert len(outer) == 3
