"""Cells: the list with what is left of their AWS quotas, a cell's page, and prepare and repair."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from controlplane.console import acts, live, markup, preview, tenant_page, timeline
from controlplane.console.access import actor_of, may_act
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from provisioning import selectors, services
from provisioning.models import OperationKind
from tenants.models import Cell


class CellAdmin(ReadOnlyAdmin):
    """There are few cells: a page may count what each of them uses."""

    list_title = "Cells"
    list_display = ("where", "state_badge", "environment", "account")
    list_display_links = ("where",)
    sortable_by = ()
    change_list_template = "console/plain_list.html"

    @admin.display(description="Cell")
    def where(self, cell: Cell) -> SafeString:
        """Code and region."""
        return markup.two_lines(cell.code, f"{cell.region}, {cell.partition}")

    @admin.display(description="State")
    def state_badge(self, cell: Cell) -> SafeString:
        """State as a badge."""
        return markup.badge("cell", cell.state)

    @admin.display(description="AWS account")
    def account(self, cell: Cell) -> SafeString:
        """Account number."""
        return markup.mono(cell.account_id)

    def get_urls(self) -> list[URLPattern]:
        """Add the live part and the acts."""
        wrap = self.admin_site.admin_view
        own = [
            path("<str:object_id>/live/", wrap(self.live_view), name="tenants_cell_live"),
            path("<str:object_id>/act/<slug:act>/", wrap(self.act_view), name="tenants_cell_act"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A cell's page."""
        cell = self._cell(object_id)
        context = {
            **self._context(request, cell),
            **self._moving(cell, request),
            "live_url": reverse("admin:tenants_cell_live", args=[cell.pk]),
        }
        return TemplateResponse(request, "console/cell.html", context)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The moving part of a cell's page."""
        context = self._moving(self._cell(object_id), request)
        return live.fragment(request, "console/_cell_live.html", context, is_moving=context["is_moving"])

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        """Prepare or repair."""
        if not may_act(request):
            raise PermissionDenied
        cell = self._cell(object_id)
        return _act_on(request, cell, act, self._context(request, cell))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The timeline is the history."""
        raise Http404

    def _moving(self, cell: Cell, request: HttpRequest) -> dict[str, Any]:
        rows = list(selectors.list_operations(cell=cell.code)[: tenant_page.OPERATIONS_SHOWN])
        lines = timeline.lines_of(rows)
        acting = may_act(request)
        return {
            "cell": cell,
            "lines": lines,
            "latest": lines[0] if lines else None,
            "is_moving": any(line.is_moving for line in lines),
            "quotas": selectors.quotas_of(cell),
            "resources": tenant_page.ledger(selectors.list_resources(cell_id=cell.pk)),
            "may_act": acting,
            "acts": acts.of_cell(cell) if acting else (),
            "operation_acts": acts.of_operation(rows[0]) if acting and rows else (),
        }

    def _cell(self, object_id: str) -> Cell:
        cell = Cell.objects.filter(pk=raw_id(object_id)).first()
        if cell is None:
            raise Http404("There is no such cell.")
        return cell

    def _context(self, request: HttpRequest, cell: Cell) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "original": cell, "title": cell.code}


def _act_on(request: HttpRequest, cell: Cell, name: str, context: dict[str, Any]) -> HttpResponse:
    act = acts.CELL_ACTS.get(name)
    if act is None:
        raise Http404(f"There is no act {name!r}.")
    back = reverse("admin:tenants_cell_change", args=[cell.pk])
    if act not in acts.of_cell(cell):
        messages.warning(request, f"“{act.title}” is not possible: the cell is {cell.state}.")
        return HttpResponseRedirect(back)
    kind = OperationKind.PREPARE_CELL if act is acts.PREPARE else OperationKind.REPAIR
    question = Question(
        act=act,
        title=f"{act.title}: cell {cell.code}",
        button=act.title,
        back_url=back,
        sentences=acts.sentences_for_cell(act, cell),
        make_form=ConfirmForm,
        previews=lambda _: (preview.of_cell(kind, cell),),
        perform=partial(_perform, request, act, cell, back),
        done=f"“{act.title}” has begun for cell {cell.code}. The steps are below.",
    )
    return confirm(request, question, context)


def _perform(request: HttpRequest, act: Act, cell: Cell, back: str, clean: dict[str, Any]) -> str:
    service = services.start_prepare_cell if act is acts.PREPARE else services.start_repair_cell
    service(actor=actor_of(request), cell_code=cell.code, reason=clean["reason"])
    return back
