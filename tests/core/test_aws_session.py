"""Clients are shared, names are not: who signs is decided for each call."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from core.aws import clients, credentials, session
from core.aws.calls import record_calls
from core.aws.clients import Clients, Target
from core.aws.errors import AwsAccessDeniedError, AwsError
from core.aws.session import Aws, connect
from tests import faults
from tests.services import REGION, StandIn

ROLE = "session-tests"
ACTIONS = ["sts:AssumeRole", "sts:TagSession"]


@pytest.fixture(scope="module")
def target(standin: StandIn) -> Iterator[Target]:
    """A role that the process's own identity may assume; the process is the stand-in's root meanwhile."""
    kept = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    session.forget_credentials()
    plain = Target("aws", REGION, standin.account_id, endpoint_url=standin.endpoint_url)
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{standin.account_id}:root"}, "Action": ACTIONS}],
    }
    iam = connect(plain, session_name="set-up").iam
    role = iam.find_role(ROLE) or iam.create_role(ROLE, trust=trust, tags={})
    yield Target("aws", REGION, standin.account_id, role.arn, standin.endpoint_url)
    os.environ.update({name: value for name, value in kept.items() if value is not None})
    session.forget_credentials()


def _arn(aws: Aws) -> str:
    return aws.sts.get_caller_identity().arn


def test_the_session_name_is_what_aws_sees(target: Target) -> None:
    assert _arn(connect(target, session_name="tnt_1@operator:ada")).endswith(f":assumed-role/{ROLE}/tnt_1@operator-ada")


def test_without_a_role_the_process_is_itself(target: Target) -> None:
    plain = Target(target.partition, target.region, target.account_id, endpoint_url=target.endpoint_url)
    assert ":assumed-role/" not in _arn(connect(plain, session_name="ignored"))


def test_a_session_is_opened_once_and_shared(target: Target) -> None:
    with record_calls() as calls:
        for _ in range(3):
            _arn(connect(target, session_name="once"))
    assert [call.operation for call in calls] == ["AssumeRole", *["GetCallerIdentity"] * 3]


def test_threads_ask_for_one_session_together_and_keep_their_own_names(target: Target) -> None:
    def work(number: int) -> bool:
        return _arn(connect(target, session_name=f"worker-{number % 4}")).endswith(f"/worker-{number % 4}")

    with faults.watch() as traffic, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(64)))
    assert traffic.calls["sts", "AssumeRole"] == 4


def test_a_new_name_makes_no_new_client(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(target, session_name="first").sts.get_caller_identity()

    def refuse(*_: Any) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr(clients.shared, "_make", refuse)
    connect(target, session_name="second").sts.get_caller_identity()


def test_vended_credentials_act_as_themselves(target: Target) -> None:
    aws = connect(target, session_name="vendor")
    plain = Target(target.partition, target.region, target.account_id, endpoint_url=target.endpoint_url)
    vended = connect(plain, session_name="x").sts.assume_role(target.role_arn, session_name="tenant", tags={"tenant": "acme"})
    assert vended.secret_key not in repr(vended)
    assert vended.token not in repr(vended)
    tenant = aws.with_credentials(vended.access_key, vended.secret_key, vended.token)
    assert _arn(tenant).endswith("/tenant")
    assert _arn(aws).endswith("/vendor")
    with pytest.raises(AwsAccessDeniedError):
        tenant.iam.find_role(ROLE)


def test_an_expired_session_is_opened_anew(target: Target) -> None:
    aws = connect(target, session_name="expiring")
    _arn(aws)

    def expired(_: object) -> None:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "GetCallerIdentity")

    with faults.inject("sts", "GetCallerIdentity", error=expired), record_calls() as calls:
        assert _arn(aws).endswith("/expiring")
    assert [call.operation for call in calls] == ["GetCallerIdentity", "AssumeRole", "GetCallerIdentity"]


def test_a_client_used_behind_the_gateways_back_fails(target: Target) -> None:
    with pytest.raises(AwsError, match="nobody to sign as"):
        clients.shared.get("sts", target).get_caller_identity()


def test_a_refused_role_is_reported_as_such(target: Target) -> None:
    with pytest.raises(AwsError) as caught:
        _arn(connect(Target("aws", REGION, target.account_id, f"{target.role_arn}-missing", target.endpoint_url), session_name="x"))
    assert (caught.value.service, caught.value.operation) == ("sts", "AssumeRole")


def test_a_handler_reaches_clients_made_before_and_after_it(target: Target) -> None:
    own, seen = Clients(), []
    own.get("sts", target)

    def handler(**kwargs: Any) -> None:
        seen.append(kwargs["event_name"])

    own.register("before-send", handler)
    for client in (own.get("sts", target), own.get("iam", target)):
        client.meta.events.emit("before-send.x.y", request=None)
    own.unregister("before-send", handler)
    own.get("sts", target).meta.events.emit("before-send.x.y", request=None)
    assert seen == ["before-send.x.y", "before-send.x.y"]


def test_a_forked_child_shares_no_client(target: Target) -> None:
    before = clients.shared.get("sts", target)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"new" if clients.shared.get("sts", target) is not before else b"old")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 3) == b"new"
    assert clients.shared.get("sts", target) is before


def test_every_client_has_time_outs_and_no_retries_of_botocores(target: Target) -> None:
    for service in ("cognito-idp", "s3"):
        config = clients.shared.get(service, target).meta.config
        assert (config.connect_timeout, config.read_timeout) == (3, 15)
        assert config.retries == {"mode": "legacy", "total_max_attempts": 1}
    assert clients.shared.get("s3", target).meta.config.s3["addressing_style"] == "path"


def test_aws_itself_is_called_where_no_endpoint_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    own = Clients()
    assert own.get("iam", Target("aws-us-gov", "us-gov-west-1", "1")).meta.endpoint_url == "https://iam.us-gov.amazonaws.com"
    assert own.get("kms", Target("aws-cn", "cn-north-1", "1")).meta.endpoint_url == "https://kms.cn-north-1.amazonaws.com.cn"
    s3 = own.get("s3", Target("aws", "eu-central-1", "1"))
    assert s3.meta.config.s3["addressing_style"] == "auto"


def test_the_environments_endpoint_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client = Clients().get("s3", Target("aws", "eu-central-1", "1"))
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.config.s3["addressing_style"] == "path"


class TestAssumedRole:
    def test_it_is_renewed_before_it_expires_and_not_sooner(self) -> None:
        start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        clock, opened = SimpleNamespace(now=start), []

        def assume() -> tuple[ReadOnlyCredentials, datetime.datetime]:
            opened.append(clock.now)
            return ReadOnlyCredentials(f"key-{len(opened)}", "secret", "token"), clock.now + datetime.timedelta(hours=1)

        role = credentials.AssumedRole(assume, lambda: clock.now)
        assert role.frozen().access_key == "key-1"
        clock.now = start + datetime.timedelta(minutes=54)
        assert role.frozen().access_key == "key-1"
        clock.now = start + datetime.timedelta(minutes=55)
        assert role.frozen().access_key == "key-2"
        role.forget()
        assert role.frozen().access_key == "key-3"

    def test_a_crowd_opens_one(self) -> None:
        opened, gate = [], threading.Barrier(8)

        def assume() -> tuple[ReadOnlyCredentials, datetime.datetime]:
            opened.append(1)
            return ReadOnlyCredentials("key", "secret", "token"), datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

        role = credentials.AssumedRole(assume)

        def ask(_: int) -> str:
            gate.wait()
            return role.frozen().access_key

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(8))) == {"key"}
        assert len(opened) == 1

    def test_the_longest_unused_session_is_dropped_first(self) -> None:
        cache = credentials.SessionCache(size=2)

        def make() -> credentials.AssumedRole:
            return credentials.AssumedRole(lambda: (ReadOnlyCredentials("", "", ""), datetime.datetime.now(datetime.UTC)))

        first = cache.get_or_make(("a",), make)
        cache.get_or_make(("b",), make)
        assert cache.get_or_make(("a",), make) is first
        cache.get_or_make(("c",), make)
        assert cache.get_or_make(("a",), make) is first


@given(st.text(max_size=200))
def test_any_text_makes_a_session_name_that_sts_accepts(text: str) -> None:
    import re

    name = credentials.session_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", name)
    assert credentials.session_name(name) == name
