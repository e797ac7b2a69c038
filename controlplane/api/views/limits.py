"""Limits: what holds for a tenant and why, its overrides, and the limits of a single key. For operators alone: nobody widens their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import Answer, answer, etag_of
from controlplane.api.idempotency import Claim
from controlplane.api.pagination import BY_ID
from controlplane.api.preconditions import change_if_revision, not_modified_or, revised_etag
from controlplane.api.scopes import Scope
from controlplane.api.serializers import limits as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.keys import OfKey
from controlplane.api.views.tenants import OfTenant
from tenants.limits import selectors, services
from tenants.limits.models import KeyLimit, LimitOverride
from tenants.models import Tenant


class TenantLimits(OfTenant):
    """``/tenants/{tenant}/limits``."""

    scopes = {"GET": Scope.LIMITS_READ}
    shows_one = True

    @extend_schema(operation_id="get_tenant_limits", responses={200: shapes.TenantLimitsShape})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """Show what holds for a tenant now: the tier's numbers, and the overrides in their places."""
        self.read_query(NoQuery)
        return not_modified_or(request, represent_limits(self.find()))


class Overrides(OfTenant):
    """``/tenants/{tenant}/limits/overrides``."""

    scopes = {"GET": Scope.LIMITS_READ, "POST": Scope.LIMITS_WRITE}

    @extend_schema(operation_id="list_overrides", parameters=[shapes.OverrideQuery], responses={200: shapes.OverridePage})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """List a tenant's overrides, the newest first, those that have ended too."""
        query = self.read_query(shapes.OverrideQuery)
        row = self.find()
        rows = selectors.list_overrides(tenant_id=row.pk, state=query.get("state", "")).select_related(None)
        return self.page(query, rows, of=f"overrides of {row.pk}", shape=shapes.OverrideShape, orderings=BY_ID)

    @extend_schema(operation_id="set_override", request=shapes.OverrideCreation, responses={201: shapes.OverrideShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Replace one of the tier's numbers for a tenant. An open override of the same limit ends with it."""
        values = self.read_body(shapes.OverrideCreation)

        def act(_: Claim) -> Answer:
            made = services.set_override(actor=self.caller.actor, tenant_id=self.find().pk, **values)
            where = reverse("api:tenant-override", kwargs={"tenant": made.tenant_id, "override": made.pk})
            return shown(made, status=201, Location=where)

        return self.once(act)


class OfOverride(OfTenant):
    """Any path below one override of a tenant."""

    def find_tenant(self) -> Tenant:
        """Give the tenant."""
        return super().find()

    def find(self) -> Any:
        """Give the override; another tenant's is not found."""
        return selectors.get_override(self.find_tenant().pk, self.kwargs["override"])


class OverrideDetail(OfOverride):
    """``/tenants/{tenant}/limits/overrides/{override}``."""

    scopes = {"GET": Scope.LIMITS_READ}

    @extend_schema(operation_id="get_override", responses={200: shapes.OverrideShape})
    def get(self, request: Request, tenant: str, override: str) -> HttpResponse:
        """Show an override."""
        self.read_query(NoQuery)
        return not_modified_or(request, represent_override(self.find()))


class OverrideRevocation(OfOverride):
    """``/tenants/{tenant}/limits/overrides/{override}:revoke``."""

    scopes = {"POST": Scope.LIMITS_WRITE}

    @extend_schema(operation_id="revoke_override", request=shapes.OverrideRevocation, responses={200: shapes.OverrideShape})
    def post(self, request: Request, tenant: str, override: str) -> HttpResponse:
        """End an override now: the tier's number holds again."""
        values = self.read_body(shapes.OverrideRevocation)

        def act(_: Claim) -> Answer:
            asked = {"tenant_id": self.find_tenant().pk, "override_id": override, "reason": values["reason"]}
            return shown(services.revoke_override(actor=self.caller.actor, **asked))

        return self.once(act)


class KeyLimits(OfKey):
    """``/tenants/{tenant}/keys/{key}/limits``."""

    scopes = {"GET": Scope.LIMITS_READ, "PATCH": Scope.LIMITS_WRITE}
    shows_one = True

    @extend_schema(operation_id="get_key_limits", responses={200: shapes.KeyLimitsShape})
    def get(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Show what one key may ask for at most, besides what its tenant may."""
        self.read_query(NoQuery)
        data = represent_key_limits(self._row())
        return not_modified_or(request, data, etag=revised_etag(data))

    @extend_schema(operation_id="change_key_limits", request=shapes.KeyLimitsChange, responses={200: shapes.KeyLimitsShape})
    def patch(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Limit one key besides its tenant: both are asked, so a key can only be narrower."""
        values = self.read_body(shapes.KeyLimitsChange)
        row = self._row()
        reason = values.pop("reason")
        # The service sets all of them, so it is held to the revision that these were read from, also under If-Match: *.
        wanted = {**asdict(selectors.limits_of_key_row(row)), **values}
        if wanted["rate_per_second"] is None and "burst" not in values:
            wanted["burst"] = None
        return change_if_revision(
            request,
            row.revision,
            represent=represent_key_limits,
            change=lambda _: services.set_key_limit(
                actor=self.caller.actor,
                tenant_id=self.find_tenant().pk,
                key_id=key,
                reason=reason,
                revision=row.revision,
                **wanted,
            ),
        )

    def _row(self) -> KeyLimit:
        """The key's row, or one that was never written for a key without limits of its own."""
        found = self.find_key()
        return selectors.find_key_limit(found.pk) or KeyLimit(key=found, revision=0, set_by="")


def represent_limits(tenant: Tenant) -> dict[str, Any]:
    """Give a tenant's limits as the API shows them, in one query beside its tier's row."""
    told = {
        "tenant": tenant.pk,
        "tier": tenant.tier_id,
        "limits": selectors.holdings_of(tenant),
        "fail_policy": tenant.tier.fail_policy,
    }
    return dict(shapes.TenantLimitsShape(told).data)


def represent_override(override: LimitOverride) -> dict[str, Any]:
    """Give an override as the API shows it."""
    return dict(shapes.OverrideShape(override).data)


def represent_key_limits(row: KeyLimit) -> dict[str, Any]:
    """Give a key's limits as the API shows them."""
    about = {"key": row.key_id, "set_by": row.set_by or None, "set_at": row.set_at, "revision": row.revision}
    return dict(shapes.KeyLimitsShape({**asdict(selectors.limits_of_key_row(row)), **about}).data)


def shown(override: LimitOverride, *, status: int = 200, **headers: str) -> Answer:
    """Answer with an override and its ETag."""
    data = represent_override(override)
    return answer(data, status=status, headers={"ETag": etag_of(data), **headers})
