"""Every kind keeps the list of names, stands below what it depends on, and says what it wants without calling anybody."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from types import ModuleType

import pytest

from provisioning.resources import KINDS
from provisioning.resources.base import Desired, ResourceKind
from tenants.facts import Capabilities, CellFacts, IsolationModel, TenantFacts
from tenants.lifecycle import TenantState
from tests.provisioning.resources.world import TIERS, tenant_facts

CELL = CellFacts("cell_1", "prod", "production", "aws-us-gov", "us-gov-west-1", "123456789012")
EXPECTED = {
    IsolationModel.POOL: {"user_group", "app_client", "administrator", "storage_prefix", "pooled_access", "secret", "log_group"},
    IsolationModel.BRIDGE: {
        "user_pool", "app_client", "administrator", "kms_key", "storage_prefix", "access_role", "secret", "log_group",
    },
    IsolationModel.SILO: {"user_pool", "app_client", "administrator", "kms_key", "secret", "stack"},
}  # fmt: skip
EXPECTED[IsolationModel.SOVEREIGN] = EXPECTED[IsolationModel.SILO]
SHARED = {"boundary", "kms_key", "bucket", "table", "user_pool", "pool_domain", "access_role"}
SIGNATURES = {
    "shape": ["tenant"],
    "cell_shape": ["cell"],
    "ensure": ["aws", "spec", "known"],
    "observe": ["aws", "spec", "known"],
    "remove": ["aws", "spec", "known"],
}


def shapes(tenant: TenantFacts) -> list[Desired]:
    return [item for kind in KINDS.values() for item in kind.shape(tenant)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_kind_is_a_module_with_the_promised_names(kind: ResourceKind) -> None:
    assert isinstance(kind, ModuleType)
    assert kind.__name__ == f"provisioning.resources.{kind.KIND}"
    assert KINDS[kind.KIND] is kind
    assert isinstance(kind.HOLDS_DATA, bool)
    for name, parameters in SIGNATURES.items():
        function = getattr(kind, name)
        assert list(inspect.signature(function).parameters) == parameters
        assert function.__doc__


def test_each_kind_stands_below_what_it_depends_on() -> None:
    order = list(KINDS)
    for kind in KINDS.values():
        for other in kind.DEPENDS_ON:
            assert order.index(other) < order.index(kind.KIND), (kind.KIND, other)


@pytest.mark.parametrize("model", list(IsolationModel))
@pytest.mark.parametrize("state", list(TenantState))
def test_each_model_has_its_kinds_in_every_state_but_closed(model: IsolationModel, state: TenantState) -> None:
    wanted = {item.kind for item in shapes(tenant_facts(CELL, model, state=state))}
    assert wanted == (set() if state == TenantState.CLOSED else EXPECTED[model])


def test_a_cell_shares_what_pooled_tenants_need() -> None:
    assert {item.kind for kind in KINDS.values() for item in kind.cell_shape(CELL)} == SHARED


@pytest.mark.parametrize("model", list(IsolationModel))
def test_a_spec_is_plain_json_and_the_same_every_time(model: IsolationModel) -> None:
    tenant = tenant_facts(CELL, model)
    for first, second in zip(shapes(tenant), shapes(tenant), strict=True):
        assert json.loads(json.dumps(first.spec)) == first.spec
        assert first.fingerprint == second.fingerprint
    for kind in KINDS.values():
        for item in kind.cell_shape(CELL):
            assert json.loads(json.dumps(item.spec)) == item.spec


@pytest.mark.parametrize("model", list(IsolationModel))
def test_suspension_changes_access_and_no_data(model: IsolationModel) -> None:
    active, suspended = (tenant_facts(CELL, model, id="tnt_" + "0" * 26, state=state) for state in ("active", "suspended"))
    before, after = ({item.kind: item.fingerprint for item in shapes(facts)} for facts in (active, suspended))
    changed = {kind for kind in before if before[kind] != after[kind]}
    reach = {IsolationModel.POOL: {"pooled_access"}, IsolationModel.BRIDGE: {"access_role"}}.get(model, {"stack"})
    assert changed == {"app_client", "administrator"} | reach
    offboarding = {item.kind: item.fingerprint for item in shapes(replace(active, state="offboarding"))}
    assert offboarding == after


@pytest.mark.parametrize("model", list(IsolationModel))
def test_nothing_people_typed_reaches_an_aws_name(model: IsolationModel) -> None:
    tenant = tenant_facts(CELL, model, slug="zz-typed", name="Zz Typed", admin_email="zz-typed@example.org", admin_name="Zz Typed")
    for item in shapes(tenant):
        plain = {key: value for key, value in item.spec.items() if key != "attributes"}
        assert "typed" not in json.dumps(plain).lower(), item.kind


@pytest.mark.parametrize("model", list(IsolationModel))
def test_another_partition_is_never_named(model: IsolationModel) -> None:
    specs = [item.spec for item in shapes(tenant_facts(CELL, model))]
    specs += [item.spec for kind in KINDS.values() for item in kind.cell_shape(CELL)]
    assert "arn:aws:" not in json.dumps(specs)


def test_a_closed_tenants_tier_is_never_asked() -> None:
    for tier in TIERS.values():
        assert shapes(tenant_facts(CELL, tier.isolation_model, state="closed")) == []


def test_the_stand_ins_lacks_are_in_the_spec_so_that_a_cell_that_gains_one_is_remade() -> None:
    lacking = replace(CELL, capabilities=Capabilities(tls=False))
    assert [a.spec for a in KINDS["bucket"].cell_shape(CELL)] != [b.spec for b in KINDS["bucket"].cell_shape(lacking)]
