"""Cells: where tenants live."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.pagination import BY_CODE
from controlplane.api.preconditions import not_modified_or
from controlplane.api.scopes import Scope
from controlplane.api.serializers import cells as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.base import ApiView
from provisioning.selectors import quotas_of
from tenants import selectors
from tenants.models import Cell


class Cells(ApiView):
    """``/cells``."""

    scopes = {"GET": Scope.CELLS_READ}

    @extend_schema(operation_id="list_cells", parameters=[shapes.CellQuery], responses={200: shapes.CellPage})
    def get(self, request: Request) -> HttpResponse:
        """List cells. One cell's own path has its quotas, which are counted when asked for."""
        query = self.read_query(shapes.CellQuery)
        rows = selectors.list_cells()
        if "state" in query:
            rows = rows.filter(state=query["state"])
        return self.page(query, rows, of="cells", shape=shapes.CellSummaryShape, orderings=BY_CODE)


class CellDetail(ApiView):
    """``/cells/{cell}``."""

    scopes = {"GET": Scope.CELLS_READ}

    def find(self) -> Cell:
        """Give the cell."""
        return selectors.get_cell(self.kwargs["cell"])

    @extend_schema(operation_id="get_cell", responses={200: shapes.CellShape})
    def get(self, request: Request, cell: str) -> HttpResponse:
        """Show a cell with the use of its quotas."""
        self.read_query(NoQuery)
        row = self.find()
        quotas = shapes.QuotaShape(quotas_of(row), many=True).data
        return not_modified_or(request, {**shapes.CellSummaryShape(row).data, "quotas": quotas})
