"""Tiers: what tenants may be sold."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import Answer, answer, etag_of
from controlplane.api.idempotency import Claim
from controlplane.api.pagination import BY_CODE
from controlplane.api.preconditions import change_if_match, not_modified_or
from controlplane.api.scopes import Scope
from controlplane.api.serializers import tiers as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.base import ApiView
from tenants import selectors, services
from tenants.models import Tier


def represent(tier: Tier) -> object:
    """Give a tier as the API shows it."""
    return shapes.TierShape(tier).data


class Tiers(ApiView):
    """``/tiers``."""

    scopes = {"GET": Scope.TIERS_READ, "POST": Scope.TIERS_WRITE}

    @extend_schema(operation_id="list_tiers", parameters=[shapes.TierQuery], responses={200: shapes.TierPage})
    def get(self, request: Request) -> HttpResponse:
        """List tiers, the retired ones too."""
        query = self.read_query(shapes.TierQuery)
        return self.page(query, selectors.list_tiers(), of="tiers", shape=shapes.TierShape, orderings=BY_CODE)

    @extend_schema(operation_id="create_tier", request=shapes.TierCreation, responses={201: shapes.TierShape})
    def post(self, request: Request) -> HttpResponse:
        """Add a tier."""
        values = self.read_body(shapes.TierCreation)

        def act(_: Claim) -> Answer:
            data = represent(services.create_tier(actor=self.caller.actor, **values))
            where = reverse("api:tier", kwargs={"tier": values["code"]})
            return answer(data, status=201, headers={"Location": where, "ETag": etag_of(data)})

        return self.once(act)


class TierDetail(ApiView):
    """``/tiers/{tier}``."""

    scopes = {"GET": Scope.TIERS_READ, "PATCH": Scope.TIERS_WRITE}

    def find(self) -> Tier:
        """Give the tier."""
        return selectors.get_tier(self.kwargs["tier"])

    @extend_schema(operation_id="get_tier", responses={200: shapes.TierShape})
    def get(self, request: Request, tier: str) -> HttpResponse:
        """Show a tier."""
        self.read_query(NoQuery)
        return not_modified_or(request, represent(self.find()))

    @extend_schema(operation_id="change_tier", request=shapes.TierChange, responses={200: shapes.TierShape})
    def patch(self, request: Request, tier: str) -> HttpResponse:
        """Change a tier. Its tenants follow when they next converge."""
        values = self.read_body(shapes.TierChange)
        return change_if_match(
            request,
            self.find(),
            represent=represent,
            change=lambda: services.update_tier(actor=self.caller.actor, code=tier, **values),
        )


class TierRetirement(ApiView):
    """``/tiers/{tier}:retire``."""

    scopes = {"POST": Scope.TIERS_WRITE}

    def find(self) -> Tier:
        """Give the tier."""
        return selectors.get_tier(self.kwargs["tier"])

    @extend_schema(operation_id="retire_tier", request=shapes.Retirement, responses={200: shapes.TierShape})
    def post(self, request: Request, tier: str) -> HttpResponse:
        """Take no new tenants into a tier. Those that it has stay."""
        values = self.read_body(shapes.Retirement)
        return self.once(
            lambda _: answer(represent(services.retire_tier(actor=self.caller.actor, code=tier, reason=values["reason"])))
        )
