from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.aws.errors import AwsAccessDeniedError, AwsError
from core.aws.events import Event
from core.aws.session import Aws, Target

Fresh = Callable[[str], str]


@pytest.fixture
def role_arn(gateways: Aws, target: Target, fresh: Fresh) -> str:
    """A role that may do everything with S3."""
    principal = {"AWS": f"arn:aws:iam::{target.account_id}:root"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    }
    role = gateways.iam.create_role(fresh("vended"), trust=trust, tags={})
    gateways.iam.put_role_policy(role.name, "s3", _allow("*"))
    return role.arn


def _allow(resource: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": resource}]}


def test_a_session_policy_narrows_what_a_role_may(gateways: Aws, role_arn: str, fresh: Fresh) -> None:
    bucket = fresh("bucket")
    gateways.s3.create_bucket(bucket)
    policy = _allow(f"arn:aws:s3:::{bucket}/acme/*")
    vended = gateways.sts.assume_role(
        role_arn,
        session_name="acme operator:ada",
        session_policy=policy,
        tags={"tenant": "acme"},
        transitive=("tenant",),
        seconds=900,
    )
    tenant = gateways.with_credentials(vended.access_key, vended.secret_key, vended.token)
    identity = tenant.sts.get_caller_identity()
    assert identity.account_id == gateways.target.account_id
    assert identity.arn == vended.session_arn
    assert identity.arn.endswith("/acme-operator-ada")
    tenant.s3.put_object(bucket, "acme/a", b"x")
    assert tenant.s3.get_object(bucket, "acme/a") == b"x"
    with pytest.raises(AwsAccessDeniedError):
        tenant.s3.put_object(bucket, "acme-west/a", b"x")
    with pytest.raises(AwsAccessDeniedError):
        tenant.s3.get_object(bucket, "globex/a")


def test_a_session_policy_above_2048_characters_is_refused(gateways: Aws, role_arn: str) -> None:
    with pytest.raises(AwsError):
        gateways.sts.assume_role(role_arn, session_name="long", session_policy=json.dumps(_allow("arn:aws:s3:::" + "x" * 2048)))


def test_a_missing_role_cannot_be_assumed(gateways: Aws, target: Target) -> None:
    with pytest.raises(AwsError):
        gateways.sts.assume_role(f"arn:aws:iam::{target.account_id}:role/missing", session_name="nobody")


def test_events_are_sent_in_tens_and_each_has_an_id(gateways: Aws) -> None:
    events = [Event("sbt.control.plane", "sbt_aws_onboardingRequest", {"number": number}) for number in range(23)]
    ids = gateways.events.put_events(events)
    assert len(set(ids)) == 23
    assert gateways.events.put_events([]) == ()
