"""Reads: tenants, tiers and cells, as rows for pages and as facts for the pure functions."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from core.errors import NotFoundError
from core.ids import TENANT, is_id
from tenants.facts import Capabilities, CellFacts, ConnectionFacts, IsolationModel, TenantFacts, TierFacts
from tenants.lifecycle import TenantState
from tenants.models import Cell, Tenant, Tier


def list_tenants(
    *, state: str = "", tier: str = "", cell: str = "", isolation_model: str = "", search: str = ""
) -> QuerySet[Tenant]:
    """Give tenants, newest first, with tier and cell joined. ``search`` looks at slug and name (contains) and at the id and e-mail (whole)."""
    rows = Tenant.objects.select_related("tier", "cell")
    exact = {"state": state, "tier_id": tier, "cell__code": cell, "tier__isolation_model": isolation_model}
    rows = rows.filter(**{field: value for field, value in exact.items() if value})
    if search:
        rows = rows.filter(Q(slug__icontains=search) | Q(name__icontains=search) | Q(pk=search) | Q(admin_email__iexact=search))
    return rows


def get_tenant(id_or_slug: str) -> Tenant:
    """Give one tenant by id or slug, with tier and cell joined; raises NotFoundError."""
    key = {"pk": id_or_slug} if is_id(id_or_slug, TENANT) else {"slug": id_or_slug.lower()}
    tenant = Tenant.objects.select_related("tier", "cell").filter(**key).first()
    if tenant is None:
        raise NotFoundError("There is no such tenant.")
    return tenant


def get_tier(code: str) -> Tier:
    """Give a tier; raises NotFoundError."""
    tier = Tier.objects.filter(pk=code).first()
    if tier is None:
        raise NotFoundError("There is no such tier.")
    return tier


def lock_tenant(tenant_id: str) -> Tenant:
    """Give a tenant by its id with tier and cell, its row locked until the transaction ends; raises NotFoundError."""
    rows = Tenant.objects.select_for_update(of=("self",)).select_related("tier", "cell")
    tenant = rows.filter(pk=tenant_id).first()
    if tenant is None:
        raise NotFoundError("There is no such tenant.")
    return tenant


def get_cell(code: str) -> Cell:
    """Give a cell by its code; raises NotFoundError."""
    cell = Cell.objects.filter(code=code).first()
    if cell is None:
        raise NotFoundError("There is no such cell.")
    return cell


def list_tiers() -> QuerySet[Tier]:
    """Give all tiers, the retired ones too."""
    return Tier.objects.all()


def list_cells() -> QuerySet[Cell]:
    """Give all cells."""
    return Cell.objects.all()


def count_by_state() -> dict[str, int]:
    """Give the number of tenants in each state; states without tenants are there with 0."""
    found = dict(Tenant.objects.values_list("state").annotate(number=Count("pk")).order_by())
    return {state.value: found.get(state.value, 0) for state in TenantState}


def facts_of_cell(cell: Cell) -> CellFacts:
    """Give a cell's facts for the pure functions."""
    return CellFacts(
        id=cell.pk,
        code=cell.code,
        environment=cell.environment,
        partition=cell.partition,
        region=cell.region,
        account_id=cell.account_id,
        role_arn=cell.role_arn,
        capabilities=Capabilities(**cell.capabilities),
    )


def facts_of_tier(tier: Tier) -> TierFacts:
    """Give a tier's facts for the pure functions."""
    return TierFacts(
        code=tier.code, isolation_model=IsolationModel(tier.isolation_model), log_retention_days=tier.log_retention_days
    )


def facts_of(tenant: Tenant) -> TenantFacts:
    """Give a tenant's facts for the pure functions; tier and cell are read unless they were joined."""
    return TenantFacts(
        id=tenant.pk,
        slug=tenant.slug,
        name=tenant.name,
        state=tenant.state,
        tier=facts_of_tier(tenant.tier),
        cell=facts_of_cell(tenant.cell),
        admin_email=tenant.admin_email,
        admin_name=tenant.admin_name,
        admin_enabled=tenant.admin_enabled,
        connection=connection_facts(tenant),
    )


def connection_facts(tenant: Tenant) -> ConnectionFacts | None:
    """Give what the engine has to know of a tenant's own identity provider; None without one, and where the tier allows none."""
    kept = tenant.identity_provider
    if not kept or not tenant.tier.sso_allowed:
        return None
    return ConnectionFacts(
        kind=kept["kind"],
        mark=kept["mark"],
        detail_keys=tuple(kept["detail_keys"]),
        digest=kept["digest"],
        mapping=tuple(sorted(kept["mapping"].items())),
        callback_url=callback_url_of(tenant),
    )


def callback_url_of(tenant: Tenant) -> str:
    """Give the one address of the portal at which the hosted endpoint may answer a sign-in of this tenant."""
    return f"{settings.PORTAL_URL}/portal/{tenant.slug}/sign-in/organisation/callback/"
