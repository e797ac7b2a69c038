from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.aws.errors import AwsAlreadyExistsError, AwsConflictError, AwsNotFoundError
from core.aws.session import Aws, Target

Fresh = Callable[[str], str]


def _trust(target: Target) -> dict[str, Any]:
    principal = {"AWS": f"arn:{target.partition}:iam::{target.account_id}:root"}
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}


def _allow(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def test_a_role_reads_back_as_it_was_asked_for(gateways: Aws, target: Target, fresh: Fresh, tags: dict[str, str]) -> None:
    boundary = gateways.iam.create_policy(fresh("boundary"), document=_allow("s3:*"), tags=tags)
    name = fresh("role")
    made = gateways.iam.create_role(name, trust=_trust(target), tags=tags, boundary_arn=boundary.arn, description="theirs")
    read = gateways.iam.find_role(name)
    assert read == made
    assert read is not None
    assert (read.trust, read.tags, read.boundary_arn, read.description) == (_trust(target), tags, boundary.arn, "theirs")
    with pytest.raises(AwsAlreadyExistsError):
        gateways.iam.create_role(name, trust=_trust(target), tags={})
    gateways.iam.delete_role(name)
    gateways.iam.delete_policy(boundary.arn)


def test_a_role_can_be_corrected(gateways: Aws, target: Target, fresh: Fresh) -> None:
    name, narrow = fresh("role"), _trust(target)
    gateways.iam.create_role(name, trust=_trust(target), tags={"a": "1"})
    narrow["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    boundary = gateways.iam.create_policy(fresh("boundary"), document=_allow("s3:*"), tags={})
    gateways.iam.put_role_trust(name, narrow)
    gateways.iam.put_role_tags(name, {"b": "2"})
    gateways.iam.put_role_boundary(name, boundary.arn)
    read = gateways.iam.find_role(name)
    assert read is not None
    assert (read.trust, read.tags, read.boundary_arn) == (narrow, {"a": "1", "b": "2"}, boundary.arn)
    gateways.iam.delete_role(name)
    gateways.iam.delete_policy(boundary.arn)


def test_inline_and_attached_policies_go_with_their_role(gateways: Aws, target: Target, fresh: Fresh) -> None:
    name = fresh("role")
    attached = gateways.iam.create_policy(fresh("attached"), document=_allow("s3:*"), tags={})
    gateways.iam.create_role(name, trust=_trust(target), tags={})
    gateways.iam.put_role_policy(name, "access", _allow("s3:GetObject"))
    gateways.iam.put_role_policy(name, "access", _allow("s3:PutObject"))
    gateways.iam.attach_role_policy(name, attached.arn)
    gateways.iam.attach_role_policy(name, attached.arn)
    assert gateways.iam.find_role_policy(name, "access") == _allow("s3:PutObject")
    assert gateways.iam.find_role_policy(name, "other") is None
    assert gateways.iam.list_role_policies(name) == ("access",)
    assert gateways.iam.list_attached_role_policies(name) == (attached.arn,)
    with pytest.raises(AwsConflictError) as caught:
        gateways.iam.delete_policy(attached.arn)
    assert not caught.value.retryable
    gateways.iam.delete_role(name)
    gateways.iam.delete_role(name)
    assert gateways.iam.find_role(name) is None
    gateways.iam.delete_policy(attached.arn)


def test_missing_roles_and_policies(gateways: Aws, target: Target) -> None:
    arn = f"arn:aws:iam::{target.account_id}:policy/missing"
    assert gateways.iam.find_role("missing") is None
    assert gateways.iam.find_policy(arn) is None
    assert gateways.iam.find_role_policy("missing", "access") is None
    gateways.iam.delete_role_policy("missing", "access")
    gateways.iam.detach_role_policy("missing", arn)
    gateways.iam.delete_policy(arn)
    with pytest.raises(AwsNotFoundError):
        gateways.iam.put_role_policy("missing", "access", _allow("s3:*"))


def test_a_policy_keeps_five_versions_and_the_newest_counts(gateways: Aws, fresh: Fresh, tags: dict[str, str]) -> None:
    made = gateways.iam.create_policy(fresh("versions"), document=_allow("s3:A0"), tags=tags)
    for number in range(1, 9):
        gateways.iam.put_policy_document(made.arn, _allow(f"s3:A{number}"))
    read = gateways.iam.find_policy(made.arn)
    assert read is not None
    assert read.tags == tags
    assert gateways.iam.get_policy_document(read) == _allow("s3:A8")
    gateways.iam.put_policy_tags(made.arn, {"b": "2"})
    again = gateways.iam.find_policy(made.arn)
    assert again is not None
    assert again.tags == {**tags, "b": "2"}
    gateways.iam.delete_policy(made.arn)
    assert gateways.iam.find_policy(made.arn) is None
