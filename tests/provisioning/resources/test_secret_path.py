"""The secrets of a tenant's keys lie beside its container: they follow its KMS key, and none stays when it goes."""

from __future__ import annotations

from typing import Any

import pytest

from core.ids import new_id
from provisioning.resources.base import NotOursError
from tenants.facts import TenantFacts
from tenants.naming import key_secret, names_of, tenant_tags
from tests.provisioning.resources.world import BRIDGE, POOL, World


def key_secret_of(town: World, tenant: TenantFacts, *, tags: dict[str, str] | None = None) -> str:
    name = key_secret(tenant, new_id("key"))
    pairs = [{"Key": key, "Value": value} for key, value in (tenant_tags(tenant) if tags is None else tags).items()]
    town.hand("secretsmanager").create_secret(Name=name, SecretString="x", Tags=pairs)
    return name


def described(town: World, name: str) -> dict[str, Any]:
    return dict(town.hand("secretsmanager").describe_secret(SecretId=name))


def test_keys_come_under_the_tenants_own_kms_key_when_its_container_does(town: World) -> None:
    tenant = town.tenant(BRIDGE)
    wanted = town.onboard(tenant, until="secret")
    names = [key_secret_of(town, tenant) for _ in range(3)]
    other = key_secret_of(town, town.tenant(BRIDGE))
    town.hand("secretsmanager").update_secret(SecretId=names_of(tenant).api_secret, KmsKeyId="alias/elsewhere")
    town.ensure(wanted["secret"], tenant)
    own = town.rows[tenant.id]["kms_key", "own"]["arn"]
    assert [described(town, name)["KmsKeyId"] for name in names] == [own] * 3
    assert "KmsKeyId" not in described(town, other)


def test_no_key_is_left_when_the_tenant_goes(town: World) -> None:
    tenant = town.tenant(POOL)
    wanted = town.onboard(tenant, until="secret")
    names = [key_secret_of(town, tenant) for _ in range(2)]
    neighbour = key_secret_of(town, town.tenant(POOL))
    town.remove(wanted["secret"], tenant)
    assert not town.observe(wanted["secret"], tenant).present
    assert all(described(town, name).get("DeletedDate") for name in names)
    assert not described(town, neighbour).get("DeletedDate")


def test_a_key_that_is_left_is_seen(town: World) -> None:
    tenant = town.tenant(POOL)
    wanted = town.onboard(tenant, until="secret")
    key_secret_of(town, tenant)
    town.hand("secretsmanager").delete_secret(SecretId=names_of(tenant).api_secret)
    assert town.observe(wanted["secret"], tenant).differences == ("the container is gone; 1 secrets of keys are there",)


def test_a_strangers_secret_below_the_path_is_left_alone(town: World) -> None:
    tenant = town.tenant(POOL)
    wanted = town.onboard(tenant, until="secret")
    name = key_secret_of(town, tenant, tags={})
    with pytest.raises(NotOursError):
        town.remove(wanted["secret"], tenant)
    assert not described(town, name).get("DeletedDate")
