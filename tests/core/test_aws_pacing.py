"""Calls to AWS stay within their budgets across workers, and go out unpaced rather than not at all when Redis is away."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from core.aws.budgets import BUDGETS, Budget
from core.aws.errors import CallBudgetError
from core.aws.pacing import Pacer
from tests.services import HeldPort

POOLS = Budget("cognito-idp", "UserPoolUpdate", 10, frozenset({"CreateUserPool", "DeleteUserPool"}))
HERE = ("000000000000", "eu-central-1", "cognito-idp")


@pytest.fixture
def prefix() -> str:
    return f"test:pace:{uuid.uuid4().hex}"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def _pacer(client: redis.Redis, prefix: str, waits: list[float], **options: float) -> Pacer:
    return Pacer(client, budgets=[POOLS], prefix=prefix, sleep=waits.append, **options)  # type: ignore[arg-type]


def test_a_burst_goes_at_once_then_slots_are_reserved_then_the_caller_is_told(client: redis.Redis, prefix: str) -> None:
    waits: list[float] = []
    pacer = _pacer(client, prefix, waits, share=1.0, max_wait_seconds=0.5)
    for _ in range(15):  # ten at once, and five within half a second
        pacer.wait(*HERE, "CreateUserPool", {})
    with pytest.raises(CallBudgetError) as caught:  # one or two more, by what the clock adds meanwhile
        [pacer.wait(*HERE, "CreateUserPool", {}) for _ in range(5)]
    assert waits == sorted(waits)
    assert 0 < waits[0] <= 0.1
    assert waits[-1] <= 0.5
    assert 0.5 < caught.value.retry_after_seconds <= 0.7
    assert caught.value.retryable
    assert (caught.value.service, caught.value.operation) == ("cognito-idp", "CreateUserPool")


def test_operations_of_a_group_share_and_places_do_not(client: redis.Redis, prefix: str) -> None:
    pacer = _pacer(client, prefix, [], share=1.0, max_wait_seconds=0.0)
    for _ in range(10):
        pacer.wait(*HERE, "CreateUserPool", {})
    with pytest.raises(CallBudgetError):
        pacer.wait(*HERE, "DeleteUserPool", {})
    pacer.wait("000000000000", "us-east-1", "cognito-idp", "DeleteUserPool", {})
    pacer.wait("111111111111", "eu-central-1", "cognito-idp", "DeleteUserPool", {})


def test_many_workers_share_one_budget(redis_url: str, prefix: str) -> None:
    def work(_: int) -> int:
        pacer, admitted = Pacer.from_url(redis_url, max_wait_seconds=0.0, share=1.0), 0
        pacer._prefix = prefix
        for _ in range(20):
            try:
                pacer.wait(*HERE, "CreateUserPool", {})
            except CallBudgetError:
                continue
            admitted += 1
        return admitted

    with ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(work, range(4)))
    assert 15 <= total <= 30  # a burst of fifteen, and a second's refill at the very most


def test_what_has_no_budget_is_not_asked_about(client: redis.Redis, prefix: str) -> None:
    pacer = _pacer(client, prefix, [])
    for _ in range(100):
        pacer.wait(*HERE, "SomethingElse", {})
    assert not list(client.scan_iter(f"{prefix}*"))


def test_the_share_leaves_room_for_others(client: redis.Redis, prefix: str) -> None:
    pacer = _pacer(client, prefix, [], share=0.5, max_wait_seconds=0.0)
    for _ in range(5):
        pacer.wait(*HERE, "CreateUserPool", {})
    with pytest.raises(CallBudgetError):
        pacer.wait(*HERE, "CreateUserPool", {})


def test_without_redis_calls_go_out_and_one_line_is_logged(
    redis_url: str, prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, now = HeldPort(), [100.0]
    pacer = Pacer.from_url(f"redis://127.0.0.1:{dead.number}/0")
    pacer._prefix, pacer._limiter._monotonic = prefix, lambda: now[0]
    with caplog.at_level(logging.INFO, logger="core.aws.pacing"):
        for _ in range(50):
            now[0] += 1
            pacer.wait(*HERE, "CreateUserPool", {})
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        with redis.Redis.from_url(redis_url) as alive:
            monkeypatch.setattr(pacer._limiter._script, "registered_client", alive)
            now[0] += 10
            pacer.wait(*HERE, "CreateUserPool", {})
            pacer.wait(*HERE, "CreateUserPool", {})
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert alive.exists(f"{prefix}:000000000000:eu-central-1:cognito-idp:UserPoolUpdate")
    dead.release()


def test_a_dead_redis_is_left_alone_for_a_while(prefix: str) -> None:
    dead, now, asked = HeldPort(), [100.0], 0
    pacer = Pacer.from_url(f"redis://127.0.0.1:{dead.number}/0")
    pacer._limiter._monotonic = lambda: now[0]

    def script(**_: object) -> None:
        nonlocal asked
        asked += 1
        raise redis.ConnectionError("away")

    pacer._limiter._script = script  # type: ignore[assignment]
    for _ in range(10):
        now[0] += 1.0
        pacer.wait(*HERE, "CreateUserPool", {})
    assert asked == 2
    dead.release()


def test_a_user_pool_has_a_narrower_budget_than_its_account(client: redis.Redis, prefix: str) -> None:
    pacer = Pacer(client, prefix=prefix, sleep=lambda _: None, max_wait_seconds=0.0, share=1.0)
    for _ in range(5):
        pacer.wait(*HERE, "CreateGroup", {"UserPoolId": "shared"})
    for _ in range(20):  # each refused by the pool's budget, before it could take a slot of the account's fifteen
        with pytest.raises(CallBudgetError, match="shared"):
            pacer.wait(*HERE, "CreateGroup", {"UserPoolId": "shared"})
    pacer.wait(*HERE, "DeleteGroup", {"UserPoolId": "shared"})
    for _ in range(5):
        pacer.wait(*HERE, "CreateGroup", {"UserPoolId": "own"})


class TestBudgets:
    def test_no_operation_is_counted_twice(self) -> None:
        seen = [(budget.service, operation, budget.each) for budget in BUDGETS for operation in budget.operations]
        assert len(seen) == len(set(seen))

    def test_every_operation_exists(self) -> None:
        import botocore.session

        session = botocore.session.get_session()
        for budget in BUDGETS:
            known = set(session.get_service_model(budget.service).operation_names)
            assert budget.operations <= known, budget

    @pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: f"{budget.service}:{budget.group}:{budget.each}")
    def test_a_share_never_exceeds_what_aws_allows_in_any_second(self, budget: Budget) -> None:
        for share in (0.5, 0.8, 1.0):
            limit = budget.limit(share)
            assert 1_000_000 / limit.interval_us <= budget.per_second * share
            assert limit.burst <= max(1, budget.per_second)

    def test_every_call_of_the_gateways_is_budgeted_or_known_not_to_be(self) -> None:
        """A new gateway call must be given a budget, or be listed here as one that AWS does not limit within our reach."""
        import re
        from pathlib import Path

        import core.aws

        unlimited = set(
            "GetObject PutObject HeadObject DeleteObject DeleteObjects CopyObject ListObjectsV2 ListObjectVersions GetObjectTagging "
            "HeadBucket GetBucketTagging PutBucketTagging GetBucketEncryption PutBucketEncryption GetBucketVersioning "
            "PutBucketVersioning GetPublicAccessBlock PutPublicAccessBlock GetBucketPolicy PutBucketPolicy DeleteBucketPolicy "
            "GetBucketOwnershipControls PutBucketOwnershipControls "
            "PutItem GetItem DeleteItem Query Scan DescribeContinuousBackups ListTagsOfResource "
            "DescribeTable Encrypt Decrypt GetKeyPolicy GetKeyRotationStatus DescribeSecret GetSecretValue".split()
        )
        used = set()
        for module in Path(core.aws.__file__).parent.glob("*.py"):
            for name in re.findall(r"self\._client\.(\w+)", module.read_text()):
                used.add("".join(part.capitalize() for part in name.split("_")))
        budgeted = {operation for budget in BUDGETS for operation in budget.operations}
        assert used - budgeted - unlimited == set()
