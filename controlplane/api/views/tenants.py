"""Tenants: the registry, and what belongs to one of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import Answer
from controlplane.api.idempotency import Claim
from controlplane.api.pagination import BY_ID, BY_ID_OR_SLUG, BY_POSITION
from controlplane.api.preconditions import change_if_match, not_modified_or
from controlplane.api.scopes import Scope
from controlplane.api.serializers import events as event_shapes
from controlplane.api.serializers import operations as operation_shapes
from controlplane.api.serializers import tenants as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.base import ApiView, accepted
from core.audit.selectors import list_events
from provisioning import selectors as provisioning
from provisioning.services import start_onboard
from tenants import selectors, services
from tenants.models import Tenant


def represent(tenant: Tenant) -> dict[str, Any]:
    """Give a tenant as the API shows it."""
    return dict(shapes.TenantShape(tenant).data)


class Tenants(ApiView):
    """``/tenants``."""

    scopes = {"GET": Scope.TENANTS_READ, "POST": Scope.TENANTS_WRITE}

    @extend_schema(operation_id="list_tenants", parameters=[shapes.TenantQuery], responses={200: shapes.TenantPage})
    def get(self, request: Request) -> HttpResponse:
        """List tenants, the newest first."""
        query = self.read_query(shapes.TenantQuery)
        wanted = {name: query.get(name, "") for name in ("state", "tier", "cell", "isolation_model")}
        rows = selectors.list_tenants(**wanted)
        return self.page(query, rows, of="tenants", shape=shapes.TenantSummaryShape, orderings=BY_ID_OR_SLUG)

    @extend_schema(operation_id="onboard_tenant", request=shapes.TenantOnboarding, responses={202: operation_shapes.OperationShape})
    def post(self, request: Request) -> HttpResponse:
        """Onboard a tenant. The answer is the operation that provisions it."""
        values = self.read_body(shapes.TenantOnboarding)

        def act(claim: Claim) -> Answer:
            return accepted(
                start_onboard(
                    actor=self.caller.actor,
                    reference=claim.reference,
                    tier_code=values["tier"],
                    cell_code=values.get("cell", ""),
                    **{name: values.get(name, "") for name in ("slug", "name", "admin_email", "admin_name", "reason")},
                )
            )

        return self.once(act)


class OfTenant(ApiView):
    """Any path below one tenant, which may be named by its id or its slug."""

    def find(self) -> Tenant:
        """Give the tenant."""
        return selectors.get_tenant(self.kwargs["tenant"])


class TenantDetail(OfTenant):
    """``/tenants/{tenant}``."""

    scopes = {"GET": Scope.TENANTS_READ, "PATCH": Scope.TENANTS_WRITE}

    @extend_schema(operation_id="get_tenant", responses={200: shapes.TenantShape})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """Show a tenant."""
        self.read_query(NoQuery)
        return not_modified_or(request, represent(self.find()))

    @extend_schema(operation_id="change_tenant", request=shapes.TenantChange, responses={200: shapes.TenantShape})
    def patch(self, request: Request, tenant: str) -> HttpResponse:
        """Change how a tenant is called."""
        values = self.read_body(shapes.TenantChange)
        row = self.find()
        return change_if_match(
            request,
            row,
            represent=represent,
            change=lambda: services.rename_tenant(actor=self.caller.actor, tenant_id=row.pk, **values),
        )


class TenantOperations(OfTenant):
    """``/tenants/{tenant}/operations``."""

    scopes = {"GET": Scope.OPERATIONS_READ}

    @extend_schema(
        operation_id="list_tenant_operations",
        parameters=[operation_shapes.OperationQuery],
        responses={200: operation_shapes.OperationPage},
    )
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """List what was and is done for a tenant, the newest first."""
        query = self.read_query(operation_shapes.OperationQuery)
        row = self.find()
        rows = provisioning.list_operations(tenant_id=row.pk, state=query.get("state", ""), kind=query.get("kind", ""))
        rows = rows.select_related(None).select_related("cell")  # of the tenant, its id is enough
        return self.page(query, rows, of=f"operations of {row.pk}", shape=operation_shapes.OperationSummaryShape, orderings=BY_ID)


class TenantResources(OfTenant):
    """``/tenants/{tenant}/resources``."""

    scopes = {"GET": Scope.TENANTS_READ}

    @extend_schema(
        operation_id="list_tenant_resources",
        parameters=[operation_shapes.ResourceQuery],
        responses={200: operation_shapes.ResourcePage},
    )
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """List what a tenant has in AWS, as it was last read back. What is gone is not shown."""
        query = self.read_query(operation_shapes.ResourceQuery)
        row = self.find()
        wanted = {name: query[name] for name in ("kind", "state") if name in query}
        rows = provisioning.list_resources(tenant_id=row.pk).filter(**wanted)
        return self.page(query, rows, of=f"resources of {row.pk}", shape=operation_shapes.ResourceShape, orderings=BY_ID)


class TenantEvents(OfTenant):
    """``/tenants/{tenant}/events``."""

    scopes = {"GET": Scope.AUDIT_READ}

    @extend_schema(operation_id="list_tenant_events", parameters=[event_shapes.EventQuery], responses={200: event_shapes.EventPage})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """List who did what to a tenant and why, the newest first."""
        query = self.read_query(event_shapes.EventQuery)
        row = self.find()
        wanted = {name: query[name] for name in ("action", "actor", "outcome", "since", "until") if name in query}
        rows = list_events(tenant_id=row.pk, **wanted)
        return self.page(query, rows, of=f"events of {row.pk}", shape=event_shapes.EventShape, orderings=BY_POSITION)
