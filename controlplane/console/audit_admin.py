"""The audit log in the console: a list that is looked up by whole ids, and one event's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from controlplane.console import filters, markup, words
from controlplane.console.evidence_admin import EvidenceAdmin, tenant_link
from core.audit.models import AuditEvent


class AuditEventAdmin(EvidenceAdmin):
    """Who did what, to whom, why, and how it ended; newest first."""

    list_title = "Audit log"
    list_display = ("happened", "result", "by", "moment", "why")
    list_display_links = ("happened",)
    list_filter = (filters.ACTOR_KIND, filters.OUTCOME)
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
        return markup.two_lines(event.actor_label or words.who(str(event.actor)), str(event.actor))

    @admin.display(description="Reason")
    def why(self, event: AuditEvent) -> SafeString:
        """Why."""
        return format_html('<span class="cp-cut" title="{}">{}</span>', event.reason, event.reason)

    @admin.display(description="Outcome")
    def result(self, event: AuditEvent) -> SafeString:
        """How it ended."""
        return markup.label("refused", "bad") if event.outcome == "refused" else markup.badge("operation", event.outcome)

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
            ("Tenant", tenant_link(row.tenant_id)),
            ("Reason", row.reason),
            ("Outcome", row.outcome),
            ("Part of", markup.mono(row.correlation_id)),
            ("Place in the chain", f"{row.sequence:,}" if row.sequence else "not sealed yet"),
            ("Hash", markup.mono(row.hash)),
        ]

    def document(self, row: AuditEvent) -> Any:
        """The details as they were recorded."""
        return row.details
