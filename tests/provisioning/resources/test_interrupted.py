"""A call whose answer is lost, or that is refused, at any point of any ensure or remove: tried again, there is one thing and it is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.aws.errors import AwsAccessDeniedError, AwsError
from provisioning.resources import KINDS
from provisioning.resources.base import NOT_SHOWN_YET, Desired, Known, MissingDependencyError, Removed
from tenants.facts import IsolationModel, TenantFacts
from tests import faults
from tests.provisioning.resources.world import BRIDGE, POOL, SILO, World

CASES = [
    *((POOL, kind) for kind in ("user_group", "app_client", "administrator", "storage_prefix", "secret", "log_group")),
    *((BRIDGE, kind) for kind in ("user_pool", "app_client", "administrator", "kms_key", "access_role", "secret")),
    (SILO, "stack"),
]
IDS = [f"{model}-{kind}" for model, kind in CASES]
READS = ("Get", "List", "Describe", "Head", "AdminGet", "AdminList")


def changes(traffic: faults.Traffic) -> list[tuple[str, str]]:
    """The calls that change something, in order."""
    return [call for call in traffic.order if not call[1].startswith(READS)]


def stands_on(world: World, model: IsolationModel, kind: str) -> tuple[TenantFacts, Desired]:
    """A tenant that has everything below the kind, and not the kind."""
    tenant = world.tenant(model)
    wanted = world.desired(tenant)
    for other, item in wanted.items():
        if other == kind:
            break
        if other in needs(kind):
            world.ensure(item, tenant, fresh=True)
    return tenant, wanted[kind]


def needs(kind: str) -> set[str]:
    below = set(KINDS[kind].DEPENDS_ON)
    return below.union(*map(needs, below)) if below else below


def again(world: World, item: Desired, tenant: TenantFacts) -> None:
    """What the engine does after an error: the same step, no longer new."""
    world.ensure(item, tenant)
    seen = world.observe(item, tenant)
    assert seen.is_as_promised, seen


@pytest.mark.parametrize(("model", "kind"), CASES, ids=IDS)
def test_an_answer_lost_in_an_ensure(town: World, model: IsolationModel, kind: str) -> None:
    tenant, item = stands_on(town, model, kind)
    with faults.watch() as traffic:
        town.ensure(item, tenant, fresh=True)
    for number in range(len(changes(traffic))):
        service, operation = changes(traffic)[number]
        nth = changes(traffic)[: number + 1].count((service, operation))
        tenant, item = stands_on(town, model, kind)
        with faults.inject(service, operation, nth, "after", "lost") as fault, pytest.raises(AwsError):
            town.ensure(item, tenant, fresh=True)
        assert fault.fired == 1
        again(town, item, tenant)
        assert count(town, item, tenant) == 1, (service, operation)


@pytest.mark.parametrize(("model", "kind"), CASES, ids=IDS)
def test_an_answer_lost_in_a_remove(town: World, model: IsolationModel, kind: str) -> None:
    tenant, item = stands_on(town, model, kind)
    town.ensure(item, tenant, fresh=True)
    with faults.watch() as traffic:
        town.remove(item, tenant)
    for number in range(len(changes(traffic))):
        service, operation = changes(traffic)[number]
        nth = changes(traffic)[: number + 1].count((service, operation))
        tenant, item = stands_on(town, model, kind)
        town.ensure(item, tenant, fresh=True)
        with faults.inject(service, operation, nth, "after", "lost") as fault, pytest.raises(AwsError):
            town.remove(item, tenant)
        assert fault.fired == 1
        town.remove(item, tenant)
        assert not town.observe(item, tenant).present
        assert count(town, item, tenant) == 0


@pytest.mark.parametrize(("model", "kind"), CASES, ids=IDS)
def test_a_refusal_surfaces_and_is_no_end(town: World, model: IsolationModel, kind: str) -> None:
    tenant, item = stands_on(town, model, kind)
    with faults.inject("*", "*", 1, "before", "denied", times=None), pytest.raises(AwsAccessDeniedError):
        town.ensure(item, tenant, fresh=True)
    again(town, item, tenant)
    with faults.inject("*", "*", 1, "before", "denied", times=None):
        with pytest.raises(AwsAccessDeniedError):
            town.observe(item, tenant)
        with pytest.raises(AwsAccessDeniedError):
            town.remove(item, tenant)
    assert town.observe(item, tenant).is_as_promised


def test_a_worker_that_dies_before_the_alias_leaves_one_key(town: World) -> None:
    tenant, item = stands_on(town, BRIDGE, "kms_key")
    with faults.inject("kms", "CreateAlias", 1, "before", faults.Crash), pytest.raises(faults.Crash):
        town.ensure(item, tenant, fresh=True)
    assert count(town, item, tenant) == 1
    again(town, item, tenant)
    assert count(town, item, tenant) == 1


def count(world: World, item: Desired, tenant: TenantFacts) -> int:
    """How many there are, asked with the root key."""
    counter = COUNTERS.get(item.kind)
    return counter(world, item, tenant) if counter else int(_is_present(world, item, tenant))


def _is_present(world: World, item: Desired, tenant: TenantFacts) -> bool:
    return world.observe(item, tenant).present


def _pools(world: World, item: Desired, tenant: TenantFacts) -> int:
    pages = world.hand("cognito-idp").get_paginator("list_user_pools").paginate(MaxResults=60)
    return sum(pool["Name"] == item.spec["pool_name"] for page in pages for pool in page["UserPools"])


def _clients(world: World, item: Desired, tenant: TenantFacts) -> int:
    pool = world.known(item, tenant).at(item.spec["pool"], "user_pool")["pool_id"]
    pages = world.hand("cognito-idp").get_paginator("list_user_pool_clients").paginate(UserPoolId=pool, MaxResults=60)
    return sum(client["ClientName"] == item.spec["client_name"] for page in pages for client in page["UserPoolClients"])


def _keys(world: World, item: Desired, tenant: TenantFacts) -> int:
    kms = world.hand("kms")
    alive = [key["KeyId"] for key in kms.list_keys()["Keys"] if kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Enabled"]]
    return sum(
        {"TagKey": "controlplane:tenant", "TagValue": tenant.id} in kms.list_resource_tags(KeyId=key)["Tags"] for key in alive
    )


COUNTERS: dict[str, Callable[[World, Desired, TenantFacts], int]] = {
    "user_pool": _pools,
    "app_client": _clients,
    "kms_key": _keys,
}


def test_removing_what_was_never_made(town: World) -> None:
    for model in (POOL, BRIDGE, SILO):
        tenant = town.tenant(model)
        for kind, item in reversed(town.desired(tenant).items()):
            if not KINDS[kind].DEPENDS_ON or kind in ("secret", "storage_prefix", "access_role", "stack"):
                assert KINDS[kind].remove(town.aws, item.spec, Known()) == Removed()
        assert town.rows.get(tenant.id, {}) == {}


def test_a_missing_dependency_is_a_reason_to_try_again_and_not_a_bug(town: World) -> None:
    for model in (POOL, BRIDGE, SILO):
        tenant = town.tenant(model)
        for kind, item in town.desired(tenant).items():
            if KINDS[kind].DEPENDS_ON and (kind, model) not in NEED_NOTHING:
                with pytest.raises(MissingDependencyError) as raised:
                    KINDS[kind].ensure(town.aws, item.spec, Known())
                assert raised.value.retryable


NEED_NOTHING = {("secret", POOL), ("storage_prefix", POOL), ("storage_prefix", BRIDGE)}
"""AWS's own key, and a bucket whose name is known beforehand."""


HIDDEN = [
    (POOL, "user_group", "cognito", "find_group"),
    (POOL, "administrator", "cognito", "find_user"),
    (BRIDGE, "access_role", "iam", "find_role"),
    (BRIDGE, "log_group", "logs", "find_log_group"),
]


@pytest.mark.parametrize(("model", "kind", "service", "verb"), HIDDEN, ids=[kind for _, kind, _, _ in HIDDEN])
def test_what_aws_does_not_show_yet_is_waited_for(
    town: World, model: IsolationModel, kind: str, service: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, item = stands_on(town, model, kind)
    town.ensure(item, tenant, fresh=True)
    with monkeypatch.context() as hiding:
        hiding.setattr(getattr(town.aws, service), verb, lambda *_: None)
        assert KINDS[kind].ensure(town.aws, item.spec, town.known(item, tenant)) == NOT_SHOWN_YET
    again(town, item, tenant)
