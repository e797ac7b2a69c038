"""The first administrator: invited, blind, disabled with the tenant, replaced with the address, never a password of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from warrant_lite import WarrantLite

from tenants.facts import TenantFacts
from tenants.naming import username
from tests import faults
from tests.provisioning.resources.world import BRIDGE, POOL, World

KIND = "administrator"
PASSWORD = "a Temporary 1 for the test"


@pytest.fixture
def tenant(town: World) -> TenantFacts:
    made = town.tenant(POOL)
    town.onboard(made, until=KIND)
    return made


def _user(world: World, tenant: TenantFacts, place: str = "shared") -> Any:
    row = world.rows[tenant.id][KIND, place]
    return world.hand("cognito-idp").admin_get_user(UserPoolId=row["pool_id"], Username=row["username"])


def _sign_in(world: World, tenant: TenantFacts, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Start SRP as the portal does and give Cognito's challenge."""
    monkeypatch.setattr("warrant_lite.temp_locale", _nothing, raising=False)
    row, client = world.rows[tenant.id][KIND, "shared"], world.rows[tenant.id]["app_client", "shared"]
    warrant = WarrantLite(row["username"], PASSWORD, row["pool_id"], client["client_id"], client=world.hand("cognito-idp"))
    answer = warrant.client.initiate_auth(
        AuthFlow="USER_SRP_AUTH", AuthParameters=warrant.get_auth_params(), ClientId=client["client_id"]
    )
    responses = warrant.process_challenge(answer["ChallengeParameters"])
    made: dict[str, Any] = warrant.client.respond_to_auth_challenge(
        ClientId=client["client_id"], ChallengeName="PASSWORD_VERIFIER", ChallengeResponses=responses
    )
    return made


class _nothing:  # noqa: N801  # stands in for a function of that module
    def __init__(self, name: str) -> None: ...

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_must_choose_a_password_at_the_first_sign_in(town: World, tenant: TenantFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _user(town, tenant)["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    row = town.rows[tenant.id][KIND, "shared"]
    town.aws.cognito.put_user_password(row["pool_id"], row["username"], PASSWORD)
    assert _sign_in(town, tenant, monkeypatch)["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


def test_cannot_sign_in_while_the_tenant_is_suspended(town: World, tenant: TenantFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    row = town.rows[tenant.id][KIND, "shared"]
    town.aws.cognito.put_user_password(row["pool_id"], row["username"], PASSWORD)
    suspended = town.desired(replace(tenant, state="suspended"))
    for only in ("app_client", KIND):  # each leg holds by itself
        town.ensure(suspended[only], tenant)
        with pytest.raises(ClientError):
            _sign_in(town, tenant, monkeypatch)
        town.ensure(town.desired(tenant)[only], tenant)
    assert _sign_in(town, tenant, monkeypatch)["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


def test_suspension_ends_live_sessions(town: World, tenant: TenantFacts) -> None:
    with faults.watch() as traffic:
        town.ensure(town.desired(replace(tenant, state="suspended"))[KIND], tenant)
    assert traffic.sends["cognito-idp", "AdminDisableUser"] == traffic.sends["cognito-idp", "AdminUserGlobalSignOut"] == 1
    assert _user(town, tenant)["Enabled"] is False


def test_one_person_may_administer_two_tenants_of_one_pool(town: World) -> None:
    one, two = town.tenant(POOL), town.tenant(POOL)
    assert one.admin_email == two.admin_email
    for tenant in (one, two):
        town.onboard(tenant, until=KIND)
    names = {_user(town, tenant)["Username"] for tenant in (one, two)}
    assert names == {username(one.id, one.admin_email), username(two.id, one.admin_email)}
    town.remove(town.desired(one)[KIND], one)
    assert town.observe(town.desired(two)[KIND], two).is_as_promised


def test_another_address_is_another_administrator_and_the_former_one_goes(town: World, tenant: TenantFacts) -> None:
    former = town.rows[tenant.id][KIND, "shared"]
    changed = replace(tenant, admin_email="eve@acme.example")
    town.ensure(town.desired(changed)[KIND], tenant)
    assert town.observe(town.desired(changed)[KIND], tenant).is_as_promised
    assert town.aws.cognito.find_user(former["pool_id"], former["username"]) is None


def test_the_user_name_and_the_ledger_hold_nothing_personal(town: World, tenant: TenantFacts) -> None:
    text = json.dumps(dict(town.rows[tenant.id][KIND, "shared"])).lower()
    assert "ada" not in text
    assert "acme" not in text
    assert "password" not in text.replace("force_change_password", "")


def test_people_cannot_change_who_they_are(town: World) -> None:
    tenant = town.tenant(BRIDGE)
    town.onboard(tenant, until=KIND)
    client = town.rows[tenant.id]["app_client", "own"]
    found = town.hand("cognito-idp").describe_user_pool_client(UserPoolId=client["pool_id"], ClientId=client["client_id"])
    assert found["UserPoolClient"]["WriteAttributes"] == ["name"]
    assert "ClientSecret" not in found["UserPoolClient"]
    schema = town.hand("cognito-idp").describe_user_pool(UserPoolId=client["pool_id"])["UserPool"]["SchemaAttributes"]
    assert {item["Name"]: item["Mutable"] for item in schema if item["Name"].startswith("custom:")} == {
        "custom:tenantId": False,
        "custom:tenantTier": True,
        "custom:userRole": True,
    }
