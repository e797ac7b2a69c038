"""Gateways under a role that may do everything, so that what fails is the gateway and not a policy. Never the stand-in's root."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from core.aws.session import Aws, Target, connect
from tests.services import REGION, StandIn

ADMIN_ROLE = "contract-admin"


@pytest.fixture(scope="module")
def target(standin: StandIn) -> Target:
    """The stand-in, as the process's own identity."""
    return Target("aws", REGION, standin.account_id, endpoint_url=standin.endpoint_url)


@pytest.fixture(scope="module")
def root(target: Target) -> Aws:
    """The stand-in's root, whom no policy binds: only to set tests up."""
    return connect(target, session_name="root").with_credentials("test", "test")


@pytest.fixture(scope="module")
def gateways(root: Aws, target: Target) -> Aws:
    """What the contract tests call."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{target.account_id}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = root.iam.find_role(ADMIN_ROLE) or root.iam.create_role(ADMIN_ROLE, trust=trust, tags={})
    root.iam.put_role_policy(ADMIN_ROLE, "everything", everything)
    vended = root.sts.assume_role(role.arn, session_name="contract")
    return root.with_credentials(vended.access_key, vended.secret_key, vended.token)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Give names that no other test uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tags() -> dict[str, str]:
    return {"controlplane:tenant": uuid.uuid4().hex, "controlplane:managed-by": "controlplane"}
