"""Acts: POST to a thing's path with ``:`` and a verb. Each starts an operation and answers 202."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.scopes import Scope
from controlplane.api.serializers import tenants as shapes
from controlplane.api.serializers.operations import OperationShape
from controlplane.api.shapes import ReasonShape
from controlplane.api.views.base import ApiView, accepted
from controlplane.api.views.tenants import OfTenant
from provisioning import selectors, services
from provisioning.models import Operation


class TenantAct(OfTenant):
    """An act on a tenant."""

    scopes = {"POST": Scope.TENANTS_WRITE}

    def start(
        self,
        service: Callable[..., Operation],
        *,
        shape: type[ReasonShape] = shapes.Act,
        also: Callable[[dict[str, Any]], Any] = dict,
    ) -> HttpResponse:
        """Start the act, once; ``also`` makes further arguments of the service from the body's other fields."""
        values = self.read_body(shape)
        reason = values.pop("reason")
        return self.once(
            lambda _: accepted(service(actor=self.caller.actor, tenant_id=self.find().pk, reason=reason, **also(values)))
        )


class Suspend(TenantAct):
    """``/tenants/{tenant}:suspend``."""

    @extend_schema(operation_id="suspend_tenant", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Stop a tenant: at the edge at once, in AWS when the operation has run."""
        return self.start(services.start_suspend)


class Resume(TenantAct):
    """``/tenants/{tenant}:resume``."""

    @extend_schema(operation_id="resume_tenant", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Let a suspended tenant work again."""
        return self.start(services.start_resume)


class ChangeTier(TenantAct):
    """``/tenants/{tenant}:change-tier``."""

    @extend_schema(operation_id="change_tenant_tier", request=shapes.TierMove, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Move a tenant to another tier. What holds data is retained."""
        return self.start(services.start_change_tier, shape=shapes.TierMove, also=lambda values: {"tier_code": values["tier"]})


class Offboard(TenantAct):
    """``/tenants/{tenant}:offboard``."""

    @extend_schema(operation_id="offboard_tenant", request=shapes.Offboarding, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Close a tenant's doors now, and remove everything that it has once the grace is over."""
        return self.start(services.start_offboard, shape=shapes.Offboarding, also=_grace)


class UndoOffboard(TenantAct):
    """``/tenants/{tenant}:undo-offboard``."""

    @extend_schema(operation_id="undo_offboard_tenant", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Bring an offboarding tenant back, while its grace runs."""
        return self.start(services.start_undo_offboard)


class Repair(TenantAct):
    """``/tenants/{tenant}:repair``."""

    @extend_schema(operation_id="repair_tenant", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Read everything of a tenant back from AWS and correct what differs."""
        return self.start(services.start_repair)


class OperationAct(ApiView):
    """An act on an operation that has failed."""

    scopes = {"POST": Scope.OPERATIONS_WRITE}

    def find(self) -> Operation:
        """Give the operation."""
        return selectors.get_operation(self.kwargs["operation"])

    def start(self, service: Callable[..., Operation]) -> HttpResponse:
        """Start the act, once."""
        values = self.read_body(shapes.Act)
        return self.once(
            lambda _: accepted(service(actor=self.caller.actor, operation_id=self.kwargs["operation"], reason=values["reason"]))
        )


class Retry(OperationAct):
    """``/operations/{operation}:retry``."""

    @extend_schema(operation_id="retry_operation", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, operation: str) -> HttpResponse:
        """Let a failed operation go on. The answer is that operation."""
        return self.start(services.retry)


class Abandon(OperationAct):
    """``/operations/{operation}:abandon``."""

    @extend_schema(operation_id="abandon_operation", request=shapes.Act, responses={202: OperationShape})
    def post(self, request: Request, operation: str) -> HttpResponse:
        """Give a failed operation up. The answer is another operation, which leads back to what was promised last."""
        return self.start(services.abandon)


def _grace(values: dict[str, Any]) -> dict[str, timedelta]:
    return {"grace": timedelta(seconds=values["grace_seconds"])} if "grace_seconds" in values else {}
