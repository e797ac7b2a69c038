"""Operations: what is done for tenants and cells, and how far it is."""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from controlplane.api import streams
from controlplane.api.pagination import BY_ID
from controlplane.api.preconditions import not_modified_or
from controlplane.api.scopes import Scope
from controlplane.api.serializers import operations as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.base import ApiView
from provisioning import selectors
from provisioning.models import Operation


class Operations(ApiView):
    """``/operations``."""

    scopes = {"GET": Scope.OPERATIONS_READ}

    @extend_schema(operation_id="list_operations", parameters=[shapes.AnyOperationQuery], responses={200: shapes.OperationPage})
    def get(self, request: Request) -> HttpResponse:
        """List operations of all tenants and cells, the newest first."""
        query = self.read_query(shapes.AnyOperationQuery)
        wanted = {name: query.get(name, "") for name in ("state", "kind", "cell")}
        rows = selectors.list_operations(tenant_id=query.get("tenant", ""), **wanted)
        rows = rows.select_related(None).select_related("cell")  # of the tenant, its id is enough
        return self.page(query, rows, of="operations", shape=shapes.OperationSummaryShape, orderings=BY_ID)


class OperationDetail(ApiView):
    """``/operations/{operation}``."""

    scopes = {"GET": Scope.OPERATIONS_READ}

    def find(self) -> Operation:
        """Give the operation with its steps."""
        return selectors.get_operation(self.kwargs["operation"])

    @extend_schema(operation_id="get_operation", responses={200: shapes.OperationShape})
    def get(self, request: Request, operation: str) -> HttpResponse:
        """Show an operation with its steps. Ask again with If-None-Match; an unchanged one is an empty 304."""
        self.read_query(NoQuery)
        return not_modified_or(request, shapes.OperationShape(self.find()).data)


class EventStreamForm(BaseRenderer):
    """Says that a path answers as a stream of server-sent events."""

    media_type = streams.MEDIA_TYPE
    format = "event-stream"


class OperationStream(OperationDetail):
    """``/operations/{operation}/stream``."""

    renderer_classes = [EventStreamForm]

    @extend_schema(operation_id="stream_operation", responses={(200, streams.MEDIA_TYPE): OpenApiTypes.STR, 204: None})
    def get(self, request: Request, operation: str) -> HttpResponseBase:  # type: ignore[override]  # not an HttpResponse with a body
        """Follow an operation as server-sent events, for a minute at most.

        Each event is `operation`, its data the operation as JSON, its id the version. The last is `end` with the final state. A stream
        that ends without it is to be opened again, with `Last-Event-ID`; an operation that has ended since that version answers 204.
        """
        self.read_query(NoQuery)
        return streams.follow(self.find(), last_seen=request.headers.get("Last-Event-ID", ""))
