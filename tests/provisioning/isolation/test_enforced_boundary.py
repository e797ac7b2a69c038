"""The boundary and the bucket's own policy hold even where a role's policy is wrong: here it allows everything."""

from __future__ import annotations

import pytest

from core.actors import operator
from provisioning.isolation.documents import statement
from provisioning.isolation.vending import vend
from tests.provisioning.isolation.doors import DOORS, Door, is_open
from tests.provisioning.isolation.world import MODELS, Clients, Place, World, furnish_tenant, tenant_of

POOL, BRIDGE, SILO = MODELS
ADMINISTRATION = ("make an object public", "list buckets", "read the bucket's policy", "describe table", "delete the key",
                  "read the key's policy", "write secret", "list secrets", "list log groups", "delete log group", "read the role",
                  "assume the role", "list user pools", "delete a version", "list uploads", "put at the root", "list without a prefix",
                  "list with an empty prefix", "list versions without a prefix", "scan")  # fmt: skip


@pytest.fixture(scope="module")
def wrong(world: World) -> tuple[Clients, Place]:
    """A bridge tenant whose role allows everything."""
    place = furnish_tenant(world.root, tenant_of(BRIDGE, 4), world.places[POOL, 1].key_id)
    everything = {"Version": "2012-10-17", "Statement": [statement("Wrong", ("*",), "*")]}
    world.provisioner.iam.put_role_policy(
        RoleName=place.names.access_role, PolicyName="access", PolicyDocument=str(everything).replace("'", '"')
    )
    given = vend(world.aws, place.tenant, operator("ada"))
    return Clients(world.endpoint_url, given.access_key, given.secret_key, given.token), place


@pytest.mark.parametrize("door", [door for door in DOORS if door.name in ADMINISTRATION], ids=lambda door: door.name)
def test_no_administration_under_the_boundary(wrong: tuple[Clients, Place], door: Door) -> None:
    clients, place = wrong
    assert not is_open(door, clients, place, place)


@pytest.mark.parametrize("door", [door for door in DOORS if door.is_mine and door.service == "s3"], ids=lambda door: door.name)
def test_an_own_bucket_refuses_another_tenants_session(world: World, wrong: tuple[Clients, Place], door: Door) -> None:
    clients, place = wrong
    assert not is_open(door, clients, place, world.places[SILO, 2])


@pytest.mark.parametrize("door", [door for door in DOORS if door.service == "kms" and door.is_mine], ids=lambda door: door.name)
@pytest.mark.parametrize("other", [BRIDGE, SILO])
def test_an_own_key_refuses_another_tenants_session(world: World, wrong: tuple[Clients, Place], door: Door, other: object) -> None:
    clients, place = wrong
    assert not is_open(door, clients, place, world.places[other, 2])  # type: ignore[index]
