"""Operations: the list, one operation's page, and retry and abandon."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from controlplane.console import acts, filters, live, markup, preview, timeline, words
from controlplane.console.access import actor_of, may_act
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from core.errors import NotFoundError
from provisioning import selectors, services
from provisioning.models import Operation


class OperationAdmin(ReadOnlyAdmin):
    """Newest first; tenant and cell are joined, so that a page of the list is one query."""

    list_title = "Operations"
    list_display = ("what", "state_badge", "progress", "by", "started")
    list_display_links = ("what",)
    list_filter = (filters.OPERATION_STATE, filters.OPERATION_KIND)
    list_select_related = ("tenant", "cell")
    search_fields = ("id__exact", "tenant__id__exact", "tenant__slug__istartswith")
    search_help_text = "Operation id, tenant id or short name"
    sortable_by = ()
    change_list_template = "console/plain_list.html"

    @admin.display(description="Operation")
    def what(self, operation: Operation) -> SafeString:
        """Kind, and whom it concerns."""
        return markup.two_lines(words.operation_of(operation.kind), str(operation.tenant or operation.cell or ""))

    @admin.display(description="State")
    def state_badge(self, operation: Operation) -> SafeString:
        """State as a badge."""
        return markup.badge("operation", operation.state)

    @admin.display(description="Steps")
    def progress(self, operation: Operation) -> SafeString:
        """How many steps are done."""
        return markup.bar(operation.steps_done, operation.steps_total, words.tone_of("operation", operation.state))

    @admin.display(description="By")
    def by(self, operation: Operation) -> SafeString:
        """Who asked for it, and why."""
        return markup.two_lines(words.who(operation.actor), operation.reason)

    @admin.display(description="Asked for")
    def started(self, operation: Operation) -> SafeString:
        """When it was asked for."""
        return markup.moment(operation.created_at)

    def get_urls(self) -> list[URLPattern]:
        """Add the live part and the acts."""
        wrap = self.admin_site.admin_view
        own = [
            path("<str:object_id>/live/", wrap(self.live_view), name="provisioning_operation_live"),
            path("<str:object_id>/act/<slug:act>/", wrap(self.act_view), name="provisioning_operation_act"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One operation's page."""
        operation = self._operation(object_id)
        context = {
            **self._context(request, operation),
            **self._moving(operation, request),
            "live_url": reverse("admin:provisioning_operation_live", args=[operation.pk]),
        }
        return TemplateResponse(request, "console/operation.html", context)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The moving part of an operation's page."""
        context = self._moving(self._operation(object_id), request)
        return live.fragment(request, "console/_operation_live.html", context, is_moving=context["line"].is_moving)

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        """Retry or abandon."""
        if not may_act(request):
            raise PermissionDenied
        operation = self._operation(object_id)
        return _act_on(request, operation, act, self._context(request, operation))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The timeline is the history."""
        raise Http404

    def _moving(self, operation: Operation, request: HttpRequest) -> dict[str, Any]:
        acting = may_act(request)
        line = timeline.line_of(operation, tuple(operation.steps.all()))
        return {"line": line, "may_act": acting, "operation_acts": acts.of_operation(operation) if acting else ()}

    def _operation(self, object_id: str) -> Operation:
        try:
            return selectors.get_operation(raw_id(object_id))
        except NotFoundError as error:
            raise Http404(error.detail) from None

    def _context(self, request: HttpRequest, operation: Operation) -> dict[str, Any]:
        title = f"{words.operation_of(operation.kind)}: {operation.tenant or operation.cell}"
        return {**self.admin_site.each_context(request), "opts": self.opts, "original": operation, "title": title}


def _act_on(request: HttpRequest, operation: Operation, name: str, context: dict[str, Any]) -> HttpResponse:
    act = acts.OPERATION_ACTS.get(name)
    if act is None:
        raise Http404(f"There is no act {name!r}.")
    back = page_of_owner(operation)
    if act not in acts.of_operation(operation):
        messages.warning(request, f"“{act.title}” is not possible: the operation is {operation.state}.")
        return HttpResponseRedirect(back)
    what = words.operation_of(operation.kind)
    question = Question(
        act=act,
        title=f"{act.title}: {what.lower()} of {operation.tenant or operation.cell}",
        button=act.title,
        back_url=back,
        sentences=acts.sentences_for_operation(act, operation),
        make_form=ConfirmForm,
        previews=lambda _: (preview.of_retry(operation) if act is acts.RETRY else preview.of_abandon(operation),),
        perform=partial(_perform, request, act, operation, back),
        done=f"“{act.title}” has begun. The steps are below.",
        extra={"failed": timeline.line_of(operation, tuple(operation.steps.all()))},
    )
    return confirm(request, question, context)


def _perform(request: HttpRequest, act: Act, operation: Operation, back: str, clean: dict[str, Any]) -> str:
    service = services.retry if act is acts.RETRY else services.abandon
    service(actor=actor_of(request), operation_id=operation.pk, reason=clean["reason"])
    return back


def page_of_owner(operation: Operation) -> str:
    """Give the address of the page of the tenant or cell that an operation concerns."""
    if operation.tenant_id:
        return reverse("admin:tenants_tenant_change", args=[operation.tenant_id])
    return reverse("admin:tenants_cell_change", args=[operation.cell_id])
