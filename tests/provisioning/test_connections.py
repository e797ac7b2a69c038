"""Connecting a tenant's own identity provider: one transaction with its operation, readiness from the ledger, a way back from a refusal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.cast import OPERATOR, finish
from tests.local_provider import CLIENT_SECRET, LocalProvider
from tests.services import StandIn
from tests.tenants.members.test_services import by
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from core.aws.session import Aws
    from tenants.models import Tenant


@pytest.fixture
def acme(footing: Footing, standin: StandIn, db: None) -> Tenant:
    from tenants.models import Tier
    from tests.controlplane.portal.real import prepared_cell, real_tenant

    prepared_cell(footing, standin)
    Tier.objects.update(sso_allowed=True)
    return real_tenant("acme")


def again(tenant: Tenant) -> Tenant:
    return type(tenant).objects.select_related("tier", "cell").get(pk=tenant.pk)


def start(tenant: Tenant, provider: LocalProvider, kind: str = "oidc", *, actor: Any = OPERATOR, **values: str) -> Any:
    from provisioning.connections import start_connect
    from tenants.members import connections
    from tests.controlplane.portal.sso_world import typed

    row = connections.find(tenant.pk)
    return start_connect(actor=actor, tenant_id=tenant.pk, mark=row.mark if row else "", typed=typed(provider, kind, **values))


def readiness(tenant: Tenant) -> str:
    from provisioning.connections import readiness_of
    from tenants.members import connections

    row = connections.find(tenant.pk)
    assert row is not None
    return str(readiness_of(again(tenant), row))


def client_of(aws: Aws, tenant: Tenant) -> Any:
    from provisioning.identity import identity_of

    identity = identity_of(again(tenant))
    return aws.cognito.find_app_client_by_id(identity.pool_id, identity.client_id)


def names_of(aws: Aws, tenant: Tenant) -> list[str]:
    """Which of the tenant's providers are in its present pool."""
    from provisioning.identity import identity_of
    from tenants.naming import identity_provider
    from tenants.selectors import facts_of

    pool = identity_of(again(tenant)).pool_id
    names = (identity_provider(facts_of(tenant), kind) for kind in ("oidc", "saml"))
    return [name for name in names if aws.cognito.find_identity_provider(pool, name) is not None]


def test_it_is_ready_when_everything_was_read_back_and_not_before(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.models import Step

    operation = start(acme, provider)
    assert (operation.kind, readiness(acme)) == ("connect", "making")
    assert [(step.action, step.kind) for step in operation.steps.order_by("position")] == [
        ("ensure", "identity_provider"),
        ("ensure", "app_client"),
    ]
    assert CLIENT_SECRET not in str(list(Step.objects.values()))
    assert finish(operation).state == "succeeded"
    assert readiness(acme) == "ready"
    assert client_of(aws, acme).settings.providers == tuple(names_of(aws, acme))
    start(acme, provider)
    assert readiness(acme) == "making", "of a connection that was saved anew, the old one in the pool is no evidence"


def test_from_openid_connect_to_saml_to_nothing(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.connections import start_disconnect
    from tenants.members import connections

    finish(start(acme, provider))
    finish(start(acme, provider, "saml"))
    assert readiness(acme) == "ready"
    assert [name[-2:] for name in names_of(aws, acme)] == ["-s"]
    row = connections.find(acme.pk)
    assert row is not None
    with pytest.raises(InvalidInputError):
        start_disconnect(actor=OPERATOR, tenant_id=acme.pk, mark=row.mark, reason=" ")
    with pytest.raises(ConflictError):
        start_disconnect(actor=OPERATOR, tenant_id=acme.pk, mark="con_old", reason="x")
    operation = start_disconnect(actor=OPERATOR, tenant_id=acme.pk, mark=row.mark, reason="another way")
    assert connections.find(acme.pk) is None
    assert finish(operation).state == "succeeded"
    assert names_of(aws, acme) == []
    assert client_of(aws, acme).settings.providers == ()
    with pytest.raises(NotFoundError):
        start_disconnect(actor=OPERATOR, tenant_id=acme.pk, mark="", reason="x")


def test_only_an_owner_connects(acme: Tenant, provider: LocalProvider) -> None:
    from tenants.members import connections

    with pytest.raises(ForbiddenError):
        start(acme, provider, actor=by(new_member(acme, "admin")))
    assert connections.find(acme.pk) is None
    assert start(acme, provider, actor=by(new_member(acme, "owner"))).kind == "connect"


def test_while_another_operation_runs_nothing_is_kept(acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.operations import BusyError
    from provisioning.services import start_repair
    from tenants.members import connections

    repair = start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="x")
    with pytest.raises(BusyError):
        start(acme, provider)
    assert connections.find(acme.pk) is None
    assert again(acme).identity_provider == {}
    finish(repair)
    assert finish(start(acme, provider)).state == "succeeded"


def test_what_aws_refuses_is_taken_back_and_can_be_mended(
    aws: Aws, acme: Tenant, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.aws.cognito import Cognito
    from core.aws.errors import AwsError
    from provisioning import engine
    from provisioning.models import Operation
    from tenants.members import connections

    def refuse(*args: object, **values: object) -> None:
        raise AwsError("Unable to read the metadata", aws_code="InvalidParameterException")

    with monkeypatch.context() as patch:
        patch.setattr(Cognito, "create_identity_provider", refuse)
        operation = finish(start(acme, provider, "saml", metadata_xml="", metadata_url="https://idp.example/gone"))
    assert operation.state == "abandoned"
    row = connections.find(acme.pk)
    assert row is not None
    assert (row.refused, row.details) == ("InvalidParameterException", {"MetadataURL": "https://idp.example/gone"})
    back = Operation.objects.filter(tenant=acme).order_by("pk").last()
    assert back is not None
    engine.run(back.pk)
    back.refresh_from_db()
    assert (back.kind, back.state, readiness(acme)) == ("connect", "succeeded", "refused")
    assert names_of(aws, acme) == []
    assert finish(start(acme, provider)).state == "succeeded"
    assert readiness(acme) == "ready"


def test_what_cannot_be_taken_back_is_an_operators(acme: Tenant, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.aws.cognito import Cognito
    from core.aws.errors import AwsError
    from provisioning.models import Operation
    from provisioning.services import retry
    from tenants.members import connections

    def refuse(*args: object, **values: object) -> None:
        raise AwsError("no", aws_code="InvalidParameterException")

    with monkeypatch.context() as patch:
        patch.setattr(Cognito, "create_identity_provider", refuse)
        patch.setattr(Cognito, "delete_identity_provider", refuse)
        finish(start(acme, provider))
        back = Operation.objects.filter(tenant=acme).order_by("pk").last()
        assert back is not None
        assert finish(back).state == "failed"
    assert Operation.objects.filter(tenant=acme, kind="connect").count() == 2
    retry(actor=OPERATOR, operation_id=back.pk, reason="again")
    assert finish(back).state == "succeeded"
    assert connections.find(acme.pk) is not None


def test_a_repair_keeps_it_and_a_tampered_client_is_set_right(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning import drift
    from provisioning.services import start_repair

    finish(start(acme, provider))
    good = client_of(aws, acme)
    aws.cognito.put_app_client_settings(
        good.pool_id,
        good.id,
        good.name,
        type(good.settings)(**{**_plain(good.settings), "callback_urls": ("https://evil.example/",)}),
    )
    assert [found.kind for found in drift.observe_tenant(again(acme), actor=OPERATOR)] == ["app_client"]
    assert finish(start_repair(actor=OPERATOR, tenant_id=acme.pk, reason="drift")).state == "succeeded"
    assert client_of(aws, acme).settings == good.settings
    assert drift.observe_tenant(again(acme), actor=OPERATOR) == []
    assert readiness(acme) == "ready"


def _plain(settings: Any) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}


def test_suspended_it_lets_nobody_in_and_comes_back_with_the_tenant(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.services import start_resume, start_suspend
    from tenants.members import connections
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    finish(start_suspend(actor=OPERATOR, tenant_id=acme.pk, reason="unpaid"))
    assert client_of(aws, acme).settings.providers == ()
    with pytest.raises(ConflictError):
        start(acme, provider)
    finish(start_resume(actor=OPERATOR, tenant_id=acme.pk, reason="paid"))
    assert client_of(aws, acme).settings.providers == tuple(names_of(aws, acme))
    assert connections.find_on(again(acme)) is not None
    assert readiness(acme) == "ready"


def test_a_tier_without_it_falls_back_and_takes_it_out_of_the_pool(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.services import start_change_tier
    from tenants.members import connections
    from tenants.models import Tier
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    Tier.objects.create(code="plain", name="Plain", isolation_model="pool", sso_allowed=False)
    operation = start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="plain", reason="smaller")
    row = connections.find(acme.pk)
    assert row is not None
    assert (row.is_on, connections.find_on(again(acme))) == (False, None)
    assert finish(operation).state == "succeeded"
    assert names_of(aws, acme) == []
    assert client_of(aws, acme).settings.providers == ()
    finish(start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="basic", reason="back"))
    assert readiness(acme) == "ready"
    assert connections.find_on(again(acme)) is None, "it does not come on again by itself"


def test_a_move_into_another_pool_falls_back_until_the_provider_was_told_and_tried(
    aws: Aws, acme: Tenant, provider: LocalProvider
) -> None:
    from provisioning.connections import addresses_of
    from provisioning.services import start_change_tier
    from tenants.members import connections
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    before = addresses_of(acme)
    finish(start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="standard", reason="grown"))
    tenant = again(acme)
    row = connections.find(acme.pk)
    assert row is not None
    assert (row.is_on, row.good_mark, readiness(acme)) == (False, "", "ready")
    after = addresses_of(tenant)
    assert before is not None
    assert after is not None
    assert (before.entity_id != after.entity_id, before.acs_url != after.acs_url) == (True, True)
    assert len(names_of(aws, tenant)) == 1


def test_a_change_of_tier_within_one_kind_of_pool_leaves_it_on(acme: Tenant, provider: LocalProvider) -> None:
    from provisioning.services import start_change_tier
    from tenants.members import connections
    from tenants.models import Tier
    from tests.controlplane.portal.sso_world import connected

    connected(acme, provider, on=True)
    Tier.objects.create(code="larger", name="Larger", isolation_model="pool", sso_allowed=True)
    finish(start_change_tier(actor=OPERATOR, tenant_id=acme.pk, tier_code="larger", reason="grown"))
    assert connections.find_on(again(acme)) is not None


@pytest.mark.parametrize("tier", ["basic", "standard"])
def test_nothing_is_left_of_it_when_a_tenant_goes(aws: Aws, acme: Tenant, provider: LocalProvider, tier: str) -> None:
    from core.audit.models import AuditEvent
    from provisioning.identity import identity_of
    from provisioning.services import start_deprovision, start_offboard
    from tenants.members import connections
    from tenants.naming import identity_provider, names_of
    from tenants.selectors import facts_of
    from tests.controlplane.portal.real import real_tenant

    tenant = acme if tier == "basic" else real_tenant("initech", tier_code=tier)
    finish(start(tenant, provider))
    pool, facts = identity_of(tenant).pool_id, facts_of(again(tenant))
    name, prefix = identity_provider(facts, "oidc"), names_of(facts).pool_domain
    assert (aws.cognito.find_pool_domain(prefix) is not None) == (tier == "standard")
    finish(start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="gone", grace=timedelta(0)))
    operation = finish(start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="gone"))
    assert operation.state == "succeeded", operation.error_detail
    assert aws.cognito.find_identity_provider(pool, name) is None
    assert aws.cognito.find_pool_domain(prefix) is None
    assert connections.find(tenant.pk) is None
    assert AuditEvent.objects.filter(tenant_id=tenant.pk, action="connection.removed").count() == 1
    order = [step.kind for step in operation.steps.order_by("position")]
    if tier == "standard":
        assert order.index("app_client") < order.index("identity_provider") < order.index("user_pool")
        assert order.index("pool_domain") < order.index("user_pool"), "AWS deletes no pool that has a domain"


def test_a_cell_of_an_older_release_gets_its_domain_by_the_clock(aws: Aws, acme: Tenant, provider: LocalProvider) -> None:
    from provisioning import drift
    from provisioning.models import Operation, Resource
    from tenants.models import Cell

    row = Resource.objects.get(cell=acme.cell, kind="pool_domain")
    aws.cognito.delete_pool_domain(row.attributes["pool_id"], row.attributes["prefix"])
    row.delete()
    with pytest.raises(ConflictError) as caught:
        start(acme, provider)
    assert caught.value.code == "cell-not-prepared"
    found = drift.observe_cell(Cell.objects.get(pk=acme.cell_id), actor=OPERATOR)
    assert [one.kind for one in found] == ["pool_domain"]
    drift.check_oldest(most=0)
    finish(Operation.objects.get(cell=acme.cell, kind="repair"))
    assert finish(start(acme, provider)).state == "succeeded"


def test_where_aws_has_no_hosted_endpoints_nothing_is_kept(acme: Tenant, provider: LocalProvider) -> None:
    from tenants.members import connections
    from tenants.models import Cell

    Cell.objects.filter(pk=acme.cell_id).update(partition="aws-iso")
    with pytest.raises(ConflictError) as caught:
        start(acme, provider)
    assert caught.value.code == "not-in-partition"
    assert connections.find(acme.pk) is None
