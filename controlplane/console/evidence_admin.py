"""What can be looked up and never changed: the audit log, the ledger, and the requests to onboard."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from controlplane.console import filters, markup, words
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from core.audit.models import AuditEvent
from provisioning.models import Resource
from tenants.models import OnboardingRequest


class EvidenceAdmin(ReadOnlyAdmin):
    """A list under a title of its own, and a page with one row's facts."""

    sortable_by = ()
    change_list_template = "console/plain_list.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One row's facts."""
        row = self.get_object(request, raw_id(object_id))
        if row is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": str(row),
            "facts": self.facts(row),
            "document": json.dumps(self.document(row), indent=2, ensure_ascii=False, sort_keys=True),
        }
        return TemplateResponse(request, "console/facts.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A row of evidence has no history: it is one."""
        raise Http404

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        """Give the label and the value of each fact."""
        raise NotImplementedError

    def document(self, row: Any) -> Any:
        """Give what is shown as JSON below the facts."""
        raise NotImplementedError


class AuditEventAdmin(EvidenceAdmin):
    """Who did what, to whom, why, and how it ended; newest first."""

    list_title = "Audit log"
    list_display = ("moment", "happened", "by", "why", "result")
    list_display_links = ("happened",)
    list_filter = (filters.ActorKindFilter, filters.OutcomeFilter)
    search_fields = ("tenant_id",)
    search_help_text = "Tenant, operation, operator or action"

    @admin.display(description="When")
    def moment(self, event: AuditEvent) -> SafeString:
        """The full time: in a log, order matters."""
        return markup.moment(event.recorded_at, relative=False)

    @admin.display(description="What")
    def happened(self, event: AuditEvent) -> SafeString:
        """Action and target."""
        return markup.two_lines(event.action, event.target)

    @admin.display(description="By")
    def by(self, event: AuditEvent) -> SafeString:
        """Who."""
        return markup.two_lines(words.who(str(event.actor)), event.actor_label)

    @admin.display(description="Reason")
    def why(self, event: AuditEvent) -> SafeString:
        """Why."""
        return format_html('<span class="cp-cut" title="{}">{}</span>', event.reason, event.reason)

    @admin.display(description="Outcome")
    def result(self, event: AuditEvent) -> SafeString:
        """How it ended."""
        return _refused() if event.outcome == "refused" else markup.badge("operation", event.outcome)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """Look a whole id or name up, by the indexes that the log has; a noun with a dot at the end finds all its actions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.endswith("."):
            return queryset.filter(action__startswith=term), False
        whole = Q(tenant_id=term) | Q(target=term) | Q(actor_id=term) | Q(action=term) | Q(public_id=term) | Q(correlation_id=term)
        return queryset.filter(whole), False

    def facts(self, row: AuditEvent) -> list[tuple[str, Any]]:
        """Who, what, why, and its place in the chain."""
        return [
            ("Id", markup.mono(row.public_id)),
            ("When", markup.moment(row.recorded_at, relative=False)),
            ("By", f"{words.who(str(row.actor))} {row.actor_label}".strip()),
            ("What", row.action),
            ("Target", markup.mono(row.target)),
            ("Tenant", _tenant_link(row.tenant_id)),
            ("Reason", row.reason),
            ("Outcome", row.outcome),
            ("Part of", markup.mono(row.correlation_id)),
            ("Place in the chain", f"{row.sequence:,}" if row.sequence else "not sealed yet"),
            ("Hash", markup.mono(row.hash)),
        ]

    def document(self, row: AuditEvent) -> Any:
        """The details as they were recorded."""
        return row.details


class ResourceAdmin(EvidenceAdmin):
    """Every resource that a tenant or a cell has, had, or was about to have in AWS."""

    list_title = "Ledger"
    list_display = ("what", "owner", "state_badge", "seen", "differs")
    list_display_links = ("what",)
    list_filter = (filters.ResourceStateFilter, filters.ResourceKindFilter)
    list_select_related = ("tenant", "cell")
    search_fields = ("tenant__id__exact", "tenant__slug__istartswith", "cell__code__exact")
    search_help_text = "Tenant id or short name, or a cell's code"
    ordering = ("-id",)

    @admin.display(description="Resource")
    def what(self, row: Resource) -> SafeString:
        """Kind and name."""
        return markup.two_lines(words.kind_of(row.kind), row.name)

    @admin.display(description="Of")
    def owner(self, row: Resource) -> SafeString:
        """The tenant or the cell."""
        return markup.two_lines(str(row.tenant), row.tenant.slug) if row.tenant else markup.two_lines(f"cell {row.cell}", "shared")

    @admin.display(description="State")
    def state_badge(self, row: Resource) -> SafeString:
        """State as a badge."""
        return markup.badge("resource", row.state)

    @admin.display(description="Observed")
    def seen(self, row: Resource) -> SafeString:
        """When it was last read back."""
        return markup.moment(row.observed_at)

    @admin.display(description="Differences")
    def differs(self, row: Resource) -> SafeString:
        """What is not as promised."""
        text = "; ".join(str(item) for item in row.differences)
        return format_html('<span class="cp-cut" title="{}">{}</span>', text, text)

    def facts(self, row: Resource) -> list[tuple[str, Any]]:
        """What it is, whose, and what was read back."""
        return [
            ("Resource", f"{words.kind_of(row.kind)} {row.name}"),
            ("Of", _tenant_link(row.tenant_id) if row.tenant_id else f"cell {row.cell}"),
            ("State", markup.badge("resource", row.state)),
            ("Observed", markup.moment(row.observed_at, relative=False)),
            ("Differences", "; ".join(str(item) for item in row.differences)),
            ("Fingerprint", markup.mono(row.fingerprint)),
        ]

    def document(self, row: Resource) -> Any:
        """What AWS chose, and what was asked for."""
        return {"attributes": row.attributes, "spec": row.spec}


class OnboardingRequestAdmin(EvidenceAdmin):
    """What was asked for, apart from what came of it."""

    list_title = "Onboarding requests"
    list_display = ("asked", "state_badge", "came_of_it", "by", "when")
    list_display_links = ("asked",)
    list_select_related = ("tenant",)
    search_fields = ("reference__exact", "tenant__slug__istartswith")
    search_help_text = "Reference, or a tenant's short name"

    @admin.display(description="Reference")
    def asked(self, row: OnboardingRequest) -> SafeString:
        """The caller's own key."""
        return markup.mono(row.reference)

    @admin.display(description="State")
    def state_badge(self, row: OnboardingRequest) -> SafeString:
        """Accepted or refused."""
        return _refused() if row.state == "refused" else SafeString('<span class="cp-badge cp-good">accepted</span>')

    @admin.display(description="Tenant")
    def came_of_it(self, row: OnboardingRequest) -> str:
        """The tenant that came of it."""
        return row.tenant.name if row.tenant else ""

    @admin.display(description="By")
    def by(self, row: OnboardingRequest) -> str:
        """Who asked."""
        return words.who(row.actor)

    @admin.display(description="When")
    def when(self, row: OnboardingRequest) -> SafeString:
        """When it was asked."""
        return markup.moment(row.created_at)

    def facts(self, row: OnboardingRequest) -> list[tuple[str, Any]]:
        """The request and its answer."""
        return [
            ("Reference", markup.mono(row.reference)),
            ("State", row.state),
            ("Tenant", _tenant_link(row.tenant_id)),
            ("By", words.who(row.actor)),
            ("When", markup.moment(row.created_at, relative=False)),
            ("Refused because", "; ".join(str(item) for item in row.errors)),
        ]

    def document(self, row: OnboardingRequest) -> Any:
        """The content."""
        return row.payload


def _refused() -> SafeString:
    return SafeString('<span class="cp-badge cp-bad">refused</span>')


def _tenant_link(tenant_id: str | None) -> SafeString:
    if not tenant_id:
        return SafeString("")
    return format_html('<a href="{}" class="cp-mono">{}</a>', reverse("admin:tenants_tenant_change", args=[tenant_id]), tenant_id)
