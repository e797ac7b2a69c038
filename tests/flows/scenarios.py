"""Every kind of operation as a story with a beginning: a tenant brought to where the operation starts, and the operation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from provisioning import services
from provisioning.connections import start_connect, start_disconnect
from provisioning.models import Operation
from tenants.members import connections
from tenants.members.connection_inputs import Typed
from tenants.models import Tenant, Tier
from tests.cast import OPERATOR, asked, finish

_numbers = itertools.count(1)
Act = Callable[[Tenant], Operation]


@dataclass(frozen=True)
class Scenario:
    """``tier`` is where the tenant starts; ``before`` are the acts that bring it to the beginning; ``act`` is what is looked at."""

    name: str
    tier: str
    act: Act | None
    before: tuple[Act, ...] = ()

    def begin(self) -> Operation:
        """Give the operation, with everything before it carried out, for a tenant that nobody else has."""
        if self.tier == POOL_WITH_SSO:
            _ensure_pool_with_sso()
        onboarding = asked(f"crash-{next(_numbers)}x", tier_code=self.tier)
        if self.act is None:
            return onboarding
        assert finish(onboarding).state == "succeeded", onboarding.error_detail
        tenant = Tenant.objects.get(pk=onboarding.tenant_id)
        for act in self.before:
            operation = finish(act(tenant))
            assert operation.state == "succeeded", operation.error_detail
            tenant.refresh_from_db()
        return self.act(tenant)


def _ensure_pool_with_sso() -> None:
    """No seeded pool tier has single sign-on; an operator may make one that has."""
    Tier.objects.get_or_create(code=POOL_WITH_SSO, defaults={"name": "Basic", "isolation_model": "pool", "sso_allowed": True})


def _suspend(tenant: Tenant) -> Operation:
    return services.start_suspend(actor=OPERATOR, tenant_id=tenant.pk, reason="crash")


def _resume(tenant: Tenant) -> Operation:
    return services.start_resume(actor=OPERATOR, tenant_id=tenant.pk, reason="crash")


def _offboard(tenant: Tenant) -> Operation:
    return services.start_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="crash", grace=timedelta(0))


def _undo(tenant: Tenant) -> Operation:
    return services.start_undo_offboard(actor=OPERATOR, tenant_id=tenant.pk, reason="crash")


def _deprovision(tenant: Tenant) -> Operation:
    return services.start_deprovision(actor=OPERATOR, tenant_id=tenant.pk, reason="crash")


def _repair(tenant: Tenant) -> Operation:
    return services.start_repair(actor=OPERATOR, tenant_id=tenant.pk, reason="crash")


def _connect(tenant: Tenant) -> Operation:
    return _connect_as(tenant, "first")


def _connect_anew(tenant: Tenant) -> Operation:
    return _connect_as(tenant, "second")


def _connect_as(tenant: Tenant, client_id: str) -> Operation:
    typed = Typed(
        "oidc", issuer="https://idp.example", client_id=client_id, client_secret=f"secret of {client_id}".replace(" ", "-")
    )
    row = connections.find(tenant.pk)
    return start_connect(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark if row else "", typed=typed)


def _disconnect(tenant: Tenant) -> Operation:
    row = connections.find(tenant.pk)
    assert row is not None
    return start_disconnect(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark, reason="crash")


def _move_to(tier: str) -> Act:
    def move(tenant: Tenant) -> Operation:
        return services.start_change_tier(actor=OPERATOR, tenant_id=tenant.pk, tier_code=tier, reason="crash")

    return move


POOL_WITH_SSO = "basic-sso"
MODELS = {"pool": "basic", "bridge": "standard", "silo": "premium"}
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        *(Scenario(f"onboard-{model}", tier, None) for model, tier in MODELS.items()),
        *(Scenario(f"suspend-{model}", tier, _suspend) for model, tier in MODELS.items()),
        *(Scenario(f"resume-{model}", tier, _resume, (_suspend,)) for model, tier in MODELS.items()),
        *(Scenario(f"offboard-{model}", tier, _offboard) for model, tier in MODELS.items()),
        *(Scenario(f"undo-{model}", tier, _undo, (_offboard,)) for model, tier in MODELS.items()),
        *(Scenario(f"deprovision-{model}", tier, _deprovision, (_offboard,)) for model, tier in MODELS.items()),
        *(Scenario(f"repair-{model}", tier, _repair) for model, tier in MODELS.items()),
        Scenario("pool-to-silo", "basic", _move_to("premium")),
        Scenario("silo-to-pool", "premium", _move_to("basic")),
        Scenario("pool-to-bridge", "basic", _move_to("standard")),
        Scenario("bridge-to-silo", "standard", _move_to("premium")),
        Scenario("connect-pool", POOL_WITH_SSO, _connect),
        Scenario("connect-bridge", "standard", _connect),
        Scenario("reconnect-bridge", "standard", _connect_anew, (_connect,)),
        Scenario("disconnect-bridge", "standard", _disconnect, (_connect,)),
        Scenario("deprovision-connected", "standard", _deprovision, (_connect, _offboard)),
    )
}
