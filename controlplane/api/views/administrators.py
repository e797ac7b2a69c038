"""A tenant's first administrator: whether they have come, and inviting them again."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import answer
from controlplane.api.preconditions import not_modified_or
from controlplane.api.scopes import Scope
from controlplane.api.serializers.administrators import AdministratorShape
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.serializers.tenants import Act
from controlplane.api.views.tenants import OfTenant
from core.errors import NotFoundError
from tenants.members import invitations
from tenants.members.models import Member
from tenants.members.selectors import find_first


def represent(first: Member) -> dict[str, Any]:
    """Give a first administrator as the API shows them."""
    columns = {name: getattr(first, name) for name in ("id", "email", "name", "state", "joined_at")}
    return dict(AdministratorShape({**columns, "invitation": invitations.invitation_of(first)}).data)


class Administrator(OfTenant):
    """``/tenants/{tenant}/administrator``."""

    scopes = {"GET": Scope.TENANTS_READ}

    @extend_schema(operation_id="get_tenant_administrator", responses={200: AdministratorShape})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """Show a tenant's first administrator, and how their invitation stands."""
        self.read_query(NoQuery)
        first = find_first(self.find().pk)
        if first is None:
            raise NotFoundError("This tenant has no first administrator.")
        return not_modified_or(request, represent(first))


class InviteAgain(OfTenant):
    """``/tenants/{tenant}/administrator:invite-again``."""

    scopes = {"POST": Scope.TENANTS_WRITE}

    @extend_schema(operation_id="invite_tenant_administrator_again", request=Act, responses={200: AdministratorShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Mail a first administrator who has not joined a fresh invitation. The link before it is good no longer."""
        reason = self.read_body(Act)["reason"]
        return self.once(
            lambda _: answer(
                represent(
                    invitations.send_first_again(actor=self.caller.actor, tenant_id=self.find().pk, reason=reason),
                )
            )
        )
