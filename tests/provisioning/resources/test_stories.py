"""Every isolation model from nothing to everything read back, suspended, resumed, and to nothing again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.resources import KINDS
from tenants.facts import IsolationModel
from tests.provisioning.resources.world import TIERS, World


@pytest.mark.parametrize("model", list(IsolationModel))
def test_a_tenant_comes_is_suspended_resumed_and_goes(world: World, model: IsolationModel) -> None:
    world.prepare()
    tenant = world.tenant(model)
    wanted = world.onboard(tenant)
    for state in ("suspended", "active", "offboarding"):
        for item in world.desired(replace(tenant, state=state)).values():
            world.ensure(item, tenant)
            seen = world.observe(item, tenant)
            assert seen.is_as_promised, (state, item.kind, seen)
    for kind, item in reversed(wanted.items()):
        world.remove(item, tenant)
        assert kind == "pooled_access" or not world.observe(item, tenant).present, kind
        world.remove(item, tenant)


def test_a_cell_comes_and_goes(world: World) -> None:
    world.prepare()
    for item in world.desired_shared().values():
        assert world.observe(item).is_as_promised, (item.kind, world.observe(item))
    for item in reversed(world.desired_shared().values()):
        world.remove(item)
        assert not world.observe(item).present
        world.remove(item)


@pytest.mark.parametrize("model", list(IsolationModel))
def test_ensuring_twice_gives_the_same_attributes_and_nothing_new(world: World, model: IsolationModel) -> None:
    world.prepare()
    tenant = world.tenant(model)
    world.onboard(tenant)
    first = {key: dict(row) for key, row in world.rows[tenant.id].items()}
    for fresh in (True, False):
        for item in world.desired(tenant).values():
            world.ensure(item, tenant, fresh=fresh)
    assert world.rows[tenant.id] == first
    world.rows[tenant.id] = {}  # as if no answer had ever been written down
    world.onboard(tenant, fresh=False)
    for key, row in world.rows[tenant.id].items():
        assert {name: row[name] for name in row if name != "deploying"} == {
            name: first[key][name] for name in row if name != "deploying"
        }


@pytest.mark.parametrize("model", list(IsolationModel))
def test_a_closed_tenant_should_have_nothing(world: World, model: IsolationModel) -> None:
    tenant = world.tenant(model, state="closed")
    assert all(kind.shape(tenant) == () for kind in KINDS.values())


def test_a_tenant_moves_from_model_to_model_and_back(world: World) -> None:
    world.prepare()
    tenant = world.tenant(IsolationModel.POOL)
    for model in (IsolationModel.POOL, IsolationModel.BRIDGE, IsolationModel.SILO, IsolationModel.BRIDGE, IsolationModel.POOL):
        tenant = replace(tenant, tier=TIERS[model])
        before = dict(world.rows.get(tenant.id, {}))
        world.onboard(tenant, fresh=False)
        wanted = {(item.kind, item.name) for item in world.desired(tenant).values()}
        for kind, name in set(before) - wanted:
            if not KINDS[kind].HOLDS_DATA:
                world.rows[tenant.id].pop((kind, name))
