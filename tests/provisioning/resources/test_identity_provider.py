"""A tenant's own identity provider: in its pool, at its client and no other's, changed, lost, tampered with, and gone with all who came by it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from core.aws.errors import AwsError
from provisioning.plan import Entry, plan
from provisioning.resources.base import Desired, NotOursError
from tenants import naming
from tenants.facts import IsolationModel, TenantFacts
from tenants.partitions import hosted_host
from tests import faults
from tests.provisioning.resources.test_protocol import CELL
from tests.provisioning.resources.world import BRIDGE, OIDC, POOL, SAML, SECRET, SILO, World, connection, tenant_facts

CHAIN = ("user_pool", "pool_domain", "identity_provider", "app_client")


def stand(world: World, model: IsolationModel, **values: Any) -> tuple[TenantFacts, dict[str, Desired]]:
    """A tenant with a connection and all that this stands on."""
    tenant = world.tenant(model, connection=connection(), **values)
    return tenant, ensure(world, tenant)


def ensure(world: World, tenant: TenantFacts) -> dict[str, Desired]:
    wanted = {kind: item for kind, item in world.desired(tenant).items() if kind in CHAIN}
    for item in wanted.values():
        world.ensure(item, tenant)
        seen = world.observe(item, tenant)
        assert seen.is_as_promised, (item.kind, seen)
    return wanted


def provider_of(world: World, tenant: TenantFacts, kind: str = "oidc") -> dict[str, Any]:
    item = world.desired(tenant)["identity_provider"]
    pool = world.rows[tenant.id][item.kind, item.name]["pool_id"]
    name = naming.identity_provider(tenant, kind)
    return world.hand("cognito-idp").describe_identity_provider(UserPoolId=pool, ProviderName=name)["IdentityProvider"]


def client_of(world: World, tenant: TenantFacts) -> dict[str, Any]:
    item = world.desired(tenant)["app_client"]
    row = world.rows[tenant.id][item.kind, item.name]
    found = world.hand("cognito-idp").describe_user_pool_client(UserPoolId=row["pool_id"], ClientId=row["client_id"])
    return found["UserPoolClient"]


@pytest.mark.parametrize("model", [POOL, BRIDGE, SILO])
def test_provider_domain_and_client_come_and_go(town: World, model: IsolationModel) -> None:
    tenant, wanted = stand(town, model)
    found, client = provider_of(town, tenant), client_of(town, tenant)
    assert found["ProviderDetails"] == {**OIDC, "client_secret": SECRET}
    assert found["AttributeMapping"] == {"email": "email", "name": "name"}
    assert client["SupportedIdentityProviders"] == [found["ProviderName"]]
    assert client["CallbackURLs"] == [tenant.connection.callback_url if tenant.connection else ""]
    assert (client["AllowedOAuthFlows"], client["AllowedOAuthFlowsUserPoolClient"]) == (["code"], True)
    assert set(client["AllowedOAuthScopes"]) == {"openid", "email", "profile"}
    assert set(client["WriteAttributes"]) == {"email", "name"}
    without = replace(tenant, connection=None)
    town.ensure(town.desired(without)["app_client"], tenant)
    assert town.observe(town.desired(without)["app_client"], tenant).is_as_promised
    client = client_of(town, tenant)
    assert (client["SupportedIdentityProviders"], client["CallbackURLs"], client["AllowedOAuthFlowsUserPoolClient"]) == (
        [],
        [],
        False,
    )
    assert client["WriteAttributes"] == ["name"]
    for kind in ("identity_provider", "pool_domain"):
        if kind in wanted:
            town.remove(wanted[kind], tenant)
            assert not town.observe(wanted[kind], tenant).present
            town.remove(wanted[kind], tenant)


def test_an_own_pool_has_a_domain_of_its_own_only_with_a_connection(town: World) -> None:
    assert "pool_domain" not in town.desired(town.tenant(BRIDGE))
    assert "pool_domain" not in town.desired(town.tenant(POOL, connection=connection()))
    assert "pool_domain" in town.desired(town.tenant(BRIDGE, connection=connection()))


def test_a_client_that_never_had_a_connection_is_not_remade_for_it(town: World) -> None:
    spec = town.desired(town.tenant(POOL))["app_client"].spec
    assert not {"providers", "callback_urls", "oauth_flows", "oauth_scopes"} & set(spec["settings"])


def test_each_tenant_of_a_shared_pool_has_its_own_provider_alone(town: World) -> None:
    (one, _), (two, _) = stand(town, POOL), stand(town, POOL)
    first, second = client_of(town, one), client_of(town, two)
    assert first["UserPoolId"] == second["UserPoolId"]
    assert not set(first["SupportedIdentityProviders"]) & set(second["SupportedIdentityProviders"])
    assert "COGNITO" not in first["SupportedIdentityProviders"]


@pytest.mark.parametrize("state", ["suspended", "offboarding"])
def test_a_tenant_that_is_stopped_keeps_the_provider_and_lets_nobody_in_by_it(town: World, state: str) -> None:
    tenant, _ = stand(town, POOL)
    stopped = town.desired(replace(tenant, state=state))
    town.ensure(stopped["app_client"], tenant)
    assert town.observe(stopped["app_client"], tenant).is_as_promised
    client = client_of(town, tenant)
    assert (client["SupportedIdentityProviders"], client["AllowedOAuthFlowsUserPoolClient"]) == ([], False)
    assert town.observe(stopped["identity_provider"], tenant).is_as_promised


def test_another_kind_is_another_provider_and_the_client_moves_before_the_old_one_goes(town: World) -> None:
    tenant, before = stand(town, POOL)
    town.sealed["con_2"] = dict(SAML)
    moved = replace(tenant, connection=connection("saml", mark="con_2"))
    wanted = [item for item in town.desired(moved).values() if item.kind in CHAIN]
    ledger = [Entry(item.kind, item.name, "present", item.fingerprint, item.spec) for item in before.values()]
    steps = [(step.action, step.kind, step.name) for step in plan(wanted, ledger)]
    assert steps == [
        ("ensure", "identity_provider", "shared-saml"),
        ("ensure", "app_client", "shared"),
        ("remove", "identity_provider", "shared-oidc"),
    ]
    ensure(town, moved)
    assert client_of(town, moved)["SupportedIdentityProviders"] == [naming.identity_provider(tenant, "saml")]
    assert provider_of(town, moved, "saml")["ProviderDetails"] == SAML


def test_a_new_secret_alone_is_sent_because_its_mark_is_new(town: World) -> None:
    tenant, _ = stand(town, BRIDGE)
    town.sealed["con_3"] = {**OIDC, "client_secret": "another"}
    ensure(town, replace(tenant, connection=connection(mark="con_3")))
    assert provider_of(town, tenant)["ProviderDetails"]["client_secret"] == "another"
    with faults.watch() as traffic:
        ensure(town, replace(tenant, connection=connection(mark="con_3")))
    assert ("cognito-idp", "UpdateIdentityProvider") not in traffic.order


def test_the_secret_is_in_no_spec_and_no_ledger_row(town: World) -> None:
    tenant, wanted = stand(town, BRIDGE)
    kept = json.dumps([dict(item.spec) for item in wanted.values()]) + str(town.rows[tenant.id])
    assert SECRET not in kept
    assert "idp.example" not in kept


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ProviderDetails": {**OIDC, "oidc_issuer": "https://evil.example"}}, "the details"),
        ({"ProviderDetails": {**OIDC, "client_id": "x"}}, "the details"),
        ({"AttributeMapping": {"email": "email", "name": "name", "custom:tenantId": "t"}}, "the attribute mapping"),
        ({"AttributeMapping": {"email": "another"}}, "the attribute mapping"),
    ],
)
def test_what_somebody_changed_by_hand_is_named_and_set_right(town: World, change: dict[str, Any], said: str) -> None:
    tenant, wanted = stand(town, POOL)
    item = wanted["identity_provider"]
    row = town.rows[tenant.id][item.kind, item.name]
    town.hand("cognito-idp").update_identity_provider(UserPoolId=row["pool_id"], ProviderName=row["provider_name"], **change)
    assert said in " ".join(town.observe(item, tenant).differences)
    ensure(town, tenant)
    assert provider_of(town, tenant)["ProviderDetails"]["client_secret"] == SECRET


@pytest.mark.parametrize(
    "change",
    [
        {"SupportedIdentityProviders": ["COGNITO"]},
        {"CallbackURLs": ["https://evil.example/"]},
        {"AllowedOAuthFlows": ["implicit"]},
        {"AllowedOAuthScopes": ["aws.cognito.signin.user.admin"]},
        {"WriteAttributes": ["email", "name", "custom:tenantTier"]},
    ],
)
@pytest.mark.parametrize("has_connection", [True, False])
def test_what_somebody_opens_at_the_client_is_shut_again(town: World, change: dict[str, Any], has_connection: bool) -> None:
    tenant, _ = stand(town, POOL)
    tenant = tenant if has_connection else replace(tenant, connection=None)
    item = town.desired(tenant)["app_client"]
    town.ensure(item, tenant)
    row = town.rows[tenant.id][item.kind, item.name]
    town.hand("cognito-idp").update_user_pool_client(
        UserPoolId=row["pool_id"], ClientId=row["client_id"], AllowedOAuthFlowsUserPoolClient=True, **change
    )
    assert town.observe(item, tenant).differences
    town.ensure(item, tenant)
    assert town.observe(item, tenant).is_as_promised


def test_details_that_came_with_the_answer_of_aws_are_no_difference(town: World) -> None:
    tenant, wanted = stand(town, POOL)
    item = wanted["identity_provider"]
    row = town.rows[tenant.id][item.kind, item.name]
    added = {**OIDC, "client_secret": SECRET, "authorize_url": "https://idp.example/a", "attributes_url_add_attributes": "false"}
    town.hand("cognito-idp").update_identity_provider(
        UserPoolId=row["pool_id"],
        ProviderName=row["provider_name"],
        ProviderDetails=added,
        AttributeMapping={"email": "email", "name": "name", "username": "sub"},
    )
    assert town.observe(item, tenant).is_as_promised


def test_who_came_through_the_provider_goes_with_it(town: World) -> None:
    tenant, wanted = stand(town, POOL)
    neighbour, _ = stand(town, POOL)
    cognito = town.hand("cognito-idp")
    for one in (tenant, neighbour):
        item = town.desired(one)["identity_provider"]
        row = town.rows[one.id][item.kind, item.name]
        name, group = f"{row['provider_name']}_person", f"{row['pool_id']}_{row['provider_name']}"
        cognito.admin_create_user(UserPoolId=row["pool_id"], Username=name, MessageAction="SUPPRESS")
        cognito.admin_add_user_to_group(UserPoolId=row["pool_id"], Username=name, GroupName=group)
    mine, theirs = (naming.identity_provider(one, "oidc") for one in (tenant, neighbour))
    pool_id = row["pool_id"]
    town.remove(wanted["identity_provider"], tenant)
    assert town.aws.cognito.find_user(pool_id, f"{mine}_person") is None
    assert town.aws.cognito.find_group(pool_id, f"{pool_id}_{mine}") is None
    assert town.aws.cognito.find_user(pool_id, f"{theirs}_person") is not None


def test_a_domain_at_another_pool_is_left_untouched(town: World) -> None:
    tenant = town.tenant(BRIDGE, connection=connection())
    wanted = town.desired(tenant)
    town.ensure(wanted["user_pool"], tenant)
    cognito = town.hand("cognito-idp")
    stranger = cognito.create_user_pool(PoolName="stranger")["UserPool"]["Id"]
    prefix = wanted["pool_domain"].spec["prefix"]
    cognito.create_user_pool_domain(UserPoolId=stranger, Domain=prefix)
    for act in (town.ensure, town.remove):
        with pytest.raises(NotOursError):
            act(wanted["pool_domain"], tenant)
    assert town.observe(wanted["pool_domain"], tenant).differences
    assert cognito.describe_user_pool_domain(Domain=prefix)["DomainDescription"]["UserPoolId"] == stranger


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("CreateUserPoolDomain", "pool_domain"),
        ("CreateIdentityProvider", "identity_provider"),
        ("UpdateIdentityProvider", "identity_provider"),
    ],
)
def test_an_answer_that_is_lost_is_made_good(town: World, when: str, operation: str, kind: str) -> None:
    tenant = town.tenant(BRIDGE, connection=connection())
    if operation.startswith("Update"):
        ensure(town, tenant)
        town.sealed["con_4"] = {**OIDC, "client_secret": "fourth"}
        tenant = replace(tenant, connection=connection(mark="con_4"))
    wanted = town.desired(tenant)
    town.ensure(wanted["user_pool"], tenant)
    with faults.inject("cognito-idp", operation, 1, when, "lost") as fault, pytest.raises(AwsError):
        town.ensure(wanted[kind], tenant)
    assert fault.fired == 1
    ensure(town, tenant)
    assert (
        provider_of(town, tenant)["ProviderDetails"]["client_secret"]
        == town.sealed[wanted["identity_provider"].spec["mark"]]["client_secret"]
    )


@pytest.mark.parametrize("operation", ["DeleteIdentityProvider", "DeleteGroup", "DeleteUserPoolDomain"])
def test_a_removal_whose_answer_is_lost_is_made_good(town: World, operation: str) -> None:
    tenant, wanted = stand(town, BRIDGE)
    item = wanted["pool_domain" if "Domain" in operation else "identity_provider"]
    with faults.inject("cognito-idp", operation, 1, "after", "lost"), pytest.raises(AwsError):
        town.remove(item, tenant)
    town.remove(item, tenant)
    assert not town.observe(item, tenant).present


def test_a_name_fits_cognito_and_holds_what_nobody_else_has() -> None:
    facts = tenant_facts(CELL, POOL)
    names = {naming.identity_provider(facts, kind) for kind in ("saml", "oidc")}
    assert len(names) == 2
    for name in names:
        assert 3 <= len(name) <= 32
        assert "_" not in name
        assert facts.id.removeprefix("tnt_") in name
    with pytest.raises(naming.UnsafeNameError):
        naming.identity_provider(facts, "ldap")
    with pytest.raises(naming.UnsafeNameError):
        naming.identity_provider(replace(facts, id="tnt_../x"), "oidc")


def test_a_domain_is_hexadecimal_and_another_for_each_pool() -> None:
    cell = CELL
    facts = tenant_facts(cell, BRIDGE, id="tnt_" + "0aws" + "0" * 22)
    elsewhere = replace(cell, region="us-gov-east-1"), replace(cell, account_id="210987654321"), replace(cell, code="prod-eu")
    prefixes = [
        naming.names_of(facts).pool_domain,
        naming.names_of(replace(facts, id="tnt_" + "1" * 26)).pool_domain,
        *(naming.names_of_cell(one).pool_domain for one in (cell, *elsewhere)),
    ]
    assert len(set(prefixes)) == len(prefixes)
    for prefix in prefixes:
        assert re.fullmatch(r"cp-[0-9a-f]{40}", prefix)


def test_the_host_is_that_of_the_partition_and_none_where_there_is_none() -> None:
    cell = CELL
    assert hosted_host(cell, "x") == "x.auth-fips.us-gov-west-1.amazoncognito.com"
    assert hosted_host(replace(cell, partition="aws", region="eu-central-1"), "x") == "x.auth.eu-central-1.amazoncognito.com"
    for partition in ("aws-cn", "aws-iso", "aws-iso-b"):
        assert hosted_host(replace(cell, partition=partition), "x") == ""
