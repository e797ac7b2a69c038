"""Tenants: the list, a tenant's page with its timeline, and the way to its acts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from controlplane.console import filters, limit_confirm, live, markup, onboarding, tenant_acts, tenant_page, usage_page
from controlplane.console.access import may_act
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from core.errors import NotFoundError
from tenants import selectors
from tenants.lifecycle import TenantState
from tenants.models import Tenant


class TenantAdmin(ReadOnlyAdmin):
    """The list reads one page of tenants with tier and cell joined; everything else is a page of our own."""

    list_title = "Tenants"
    list_display = ("who", "state_badge", "tier_line", "cell", "since")
    list_display_links = ("who",)
    list_filter = (filters.TENANT_STATE, filters.TIER, filters.ISOLATION, filters.CELL)
    list_select_related = ("tier", "cell")
    search_fields = ("name",)
    search_help_text = "Name, short name, id or e-mail"
    sortable_by = ()
    ordering = ("-id",)
    change_list_template = "console/tenant_list.html"

    @admin.display(description="Tenant")
    def who(self, tenant: Tenant) -> SafeString:
        """Name and short name."""
        return markup.two_lines(tenant.name, tenant.slug)

    @admin.display(description="State")
    def state_badge(self, tenant: Tenant) -> SafeString:
        """State as a badge."""
        return markup.badge("tenant", tenant.state)

    @admin.display(description="Tier")
    def tier_line(self, tenant: Tenant) -> SafeString:
        """Tier and its isolation model."""
        return markup.two_lines(tenant.tier.name, tenant.tier.isolation_model)

    @admin.display(description="In this state since")
    def since(self, tenant: Tenant) -> SafeString:
        """When the state last changed."""
        return markup.moment(tenant.state_changed_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tenant], search_term: str
    ) -> tuple[QuerySet[Tenant], bool]:
        """Search as the selector does: contains for names, whole for ids and e-mails."""
        if not search_term.strip():
            return queryset, False
        return queryset & selectors.list_tenants(search=search_term.strip()), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the states with their numbers, each a link."""
        counts = selectors.count_by_state()
        chips = [
            {"state": state.value, "count": counts[state.value]} for state in TenantState if state is not TenantState.REQUESTED
        ]
        extra = {"chips": chips, "total": sum(counts.values()), "may_act": may_act(request)}
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """Add the live part and the acts."""
        wrap = self.admin_site.admin_view
        own = [
            path("<str:object_id>/live/", wrap(self.live_view), name="tenants_tenant_live"),
            path("<str:object_id>/act/<slug:act>/", wrap(self.act_view), name="tenants_tenant_act"),
            path("<str:object_id>/limits/override/", wrap(self.override_view), name="tenants_tenant_override"),
            path("<str:object_id>/limits/<str:override_id>/end/", wrap(self.end_view), name="tenants_tenant_override_end"),
            path("<str:object_id>/usage/", wrap(self.usage_view), name="tenants_tenant_usage"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Onboard a tenant."""
        if not may_act(request):
            raise PermissionDenied
        request.console_title = "Onboard a tenant"  # type: ignore[attr-defined]  # as in readonly
        return onboarding.onboard(request, self._context(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A tenant's page."""
        tenant = self._tenant(object_id)
        context = {**self._context(request, tenant), **tenant_page.whole(tenant, request)}
        return TemplateResponse(request, "console/tenant.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is none apart from the tenant's page and the audit log."""
        raise Http404

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Tenants are offboarded, never deleted."""
        raise PermissionDenied

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The moving part of a tenant's page."""
        context = tenant_page.moving(self._tenant(object_id), request)
        return live.fragment(request, "console/_tenant_live.html", context, is_moving=context["is_moving"])

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        """One of the acts on a tenant."""
        if not may_act(request):
            raise PermissionDenied
        tenant = self._tenant(object_id)
        return tenant_acts.act_on(request, tenant, act, self._context(request, tenant))

    def override_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Override one of its limits."""
        if not may_act(request):
            raise PermissionDenied
        tenant = self._tenant(object_id)
        return limit_confirm.override(request, tenant, self._context(request, tenant))

    def end_view(self, request: HttpRequest, object_id: str, override_id: str) -> HttpResponse:
        """End an override of one of its limits."""
        if not may_act(request):
            raise PermissionDenied
        tenant = self._tenant(object_id)
        return limit_confirm.end(request, tenant, raw_id(override_id), self._context(request, tenant))

    def usage_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What it asked for and was refused, and what another limit would have made of it."""
        tenant = self._tenant(object_id)
        return TemplateResponse(
            request, "console/usage.html", {**self._context(request, tenant), **usage_page.whole(tenant, request)}
        )

    def _tenant(self, object_id: str) -> Tenant:
        try:
            return selectors.get_tenant(raw_id(object_id))
        except NotFoundError as error:
            raise Http404(error.detail) from None

    def _context(self, request: HttpRequest, tenant: Tenant | None = None) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": tenant,
            "title": tenant.name if tenant else "",
        }
