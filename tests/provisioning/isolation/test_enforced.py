"""Real calls with vended credentials against the stand-in with IAM enforcement on: home opens, every other door stays shut (ASVS 8.4.1).

``GAPS`` lists by name what the stand-in cannot enforce: it lets these calls through, AWS would not. Each is asserted as it is, so that a
stand-in that learns to enforce one makes this test fail and the line disappear. ``docs/fidelity.md`` has the same table, and the
evaluator and the proof hold the same documents as AWS will see them.
"""

from __future__ import annotations

import pytest

from tenants.facts import IsolationModel
from tests.provisioning.isolation.doors import DOORS, Door, is_open
from tests.provisioning.isolation.world import MODELS, World

POOL, BRIDGE, SILO = MODELS
_ITEM_DOORS = ("get item", "put item", "query", "batch get", "transact")

GAPS: dict[tuple[IsolationModel, IsolationModel, str], str] = {
    **{
        (one, other, door): "dynamodb:LeadingKeys is not filled in, so the shared table is open to all who may use it"
        for one in (POOL, BRIDGE)
        for other in (POOL, BRIDGE)
        for door in _ITEM_DOORS
    },
    **{
        (POOL, POOL, door): "kms:EncryptionContext is not filled in, so the shared key is open to all pooled tenants"
        for door in ("decrypt", "encrypt", "data key", "encrypt without context")
    },
}
HOME_GAPS: dict[tuple[IsolationModel, str], str] = {
    (model, "encrypt without context"): "kms:EncryptionContext is not filled in, so no context is asked for" for model in MODELS
}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("model", MODELS)
def test_own_door_opens_exactly_where_promised(world: World, model: IsolationModel, door: Door) -> None:
    home = world.places[model, 1]
    expected = door.is_mine or (model, door.name) in HOME_GAPS
    assert is_open(door, world.clients[model, 1], home, home) is expected


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("other", MODELS)
@pytest.mark.parametrize("model", MODELS)
def test_every_neighbours_door_is_shut(world: World, model: IsolationModel, other: IsolationModel, door: Door) -> None:
    home, target = world.places[model, 1], world.places[other, 2]
    assert is_open(door, world.clients[model, 1], home, target) is ((model, other, door.name) in GAPS)


def test_each_gap_names_a_door() -> None:
    names = {door.name for door in DOORS}
    assert {door for _, _, door in GAPS} | {door for _, door in HOME_GAPS} <= names
