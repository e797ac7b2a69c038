"""What can be looked up and never changed: the ledger, and the requests to onboard. The audit log is in ``audit_admin``."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from controlplane.console import filters, markup, words
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
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
        title = self.row_title(row)
        request.console_title = title  # type: ignore[attr-defined]  # as in readonly
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "title": title,
            "back_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            "list_title": self.list_title,
            "facts": self.facts(row),
            "document": json.dumps(self.document(row), indent=2, ensure_ascii=False, sort_keys=True),
        }
        return TemplateResponse(request, "console/facts.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A row of evidence has no history: it is one."""
        raise Http404

    def row_title(self, row: Any) -> str:
        """Give what a row is called."""
        return str(row)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        """Give the label and the value of each fact."""
        raise NotImplementedError

    def document(self, row: Any) -> Any:
        """Give what is shown as JSON below the facts."""
        raise NotImplementedError


class ResourceAdmin(EvidenceAdmin):
    """Every resource that a tenant or a cell has, had, or was about to have in AWS."""

    list_title = "Ledger"
    list_display = ("what", "owner", "state_badge", "seen", "differs")
    list_display_links = ("what",)
    list_filter = (filters.RESOURCE_STATE, filters.RESOURCE_KIND)
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

    def row_title(self, row: Resource) -> str:
        """What it is, and whose."""
        what = words.resource_of(row.kind, row.name)
        return f"{what[:1].upper()}{what[1:]}: {row.tenant or row.cell}"

    def facts(self, row: Resource) -> list[tuple[str, Any]]:
        """What it is, whose, and what was read back."""
        return [
            ("Resource", words.resource_of(row.kind, row.name)),
            ("Of", tenant_link(row.tenant_id) if row.tenant_id else f"cell {row.cell}"),
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
        return markup.label("refused", "bad") if row.state == "refused" else markup.label("accepted", "good")

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
            ("Tenant", tenant_link(row.tenant_id)),
            ("By", words.who(row.actor)),
            ("When", markup.moment(row.created_at, relative=False)),
            ("Refused because", "; ".join(str(item) for item in row.errors)),
        ]

    def document(self, row: OnboardingRequest) -> Any:
        """The content."""
        return row.payload


def tenant_link(tenant_id: str | None) -> SafeString:
    """Give a link to a tenant's page; nothing without a tenant."""
    if not tenant_id:
        return SafeString("")
    return format_html('<a href="{}" class="cp-mono">{}</a>', reverse("admin:tenants_tenant_change", args=[tenant_id]), tenant_id)
