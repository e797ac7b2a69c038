"""A pooled tenant's access is proven with its own credentials, and an open door is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.resources.base import Desired
from tenants.facts import TenantFacts
from tests import faults
from tests.provisioning.resources.world import POOL, World

KIND = "pooled_access"


@pytest.fixture
def tenant(town: World) -> TenantFacts:
    made = town.tenant(POOL)
    town.onboard(made)
    return made


def test_the_doors_are_tried_with_vended_credentials(town: World, tenant: TenantFacts) -> None:
    item = town.desired(tenant)[KIND]
    with faults.watch() as traffic:
        assert town.observe(item, tenant).is_as_promised
    assert [operation for _, operation in traffic.order] == ["AssumeRole", *["ListObjectsV2"] * 3]


def test_a_door_that_opens_to_neighbours_is_named(town: World, tenant: TenantFacts) -> None:
    item = town.desired(tenant)[KIND]
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    wide = Desired(item.kind, item.name, {**item.spec, "session_policy": {"Version": "2012-10-17", "Statement": [listing]}})
    neighbour, ancestor = item.spec["closed"]
    assert ancestor == "tenants/"  # closed by the shared role's own policy, whatever the session's says
    assert town.observe(wide, tenant).differences == (f"it can list {neighbour}",)


def test_a_door_that_does_not_open_to_its_owner_is_named(town: World, tenant: TenantFacts) -> None:
    town.hand("iam").delete_role_policy(RoleName=town.desired_shared()["access_role"].spec["role"], PolicyName="access")
    assert town.observe(town.desired(tenant)[KIND], tenant).differences == ("its own prefix cannot be listed",)
    town.prepare("access_role")
    assert town.observe(town.desired(tenant)[KIND], tenant).is_as_promised


def test_a_role_that_nobody_may_assume_is_named(town: World, tenant: TenantFacts) -> None:
    role = town.desired_shared()["access_role"].spec["role"]
    nobody = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}'
    town.hand("iam").update_assume_role_policy(RoleName=role, PolicyDocument=nobody)
    assert town.observe(town.desired(tenant)[KIND], tenant).differences == ("no credentials are given out for the shared role",)
    town.prepare("access_role")


def test_a_suspended_tenant_is_vended_nothing(town: World, tenant: TenantFacts) -> None:
    item = town.desired(replace(tenant, state="suspended"))[KIND]
    with faults.watch() as traffic:
        assert town.observe(item, tenant).is_as_promised
    assert not traffic.order
