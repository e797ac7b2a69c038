"""Keys across tenants: the list, a key's page with its lineage and use, and the way to its acts. No page here can show a key's text."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from controlplane.console import key_columns, key_confirm, key_filters, key_page, live, markup
from controlplane.console.access import may_act
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from tenants.keys import selectors
from tenants.keys.models import ApiKey

PASTED = (
    "That was a whole key. It was found by its visible start and is not shown here; but it has been in an address, "
    "so treat it as seen by others: rotate it, without an overlap."
)


class KeyAdmin(ReadOnlyAdmin):
    """Newest first; tenant and open versions are joined, so that a page of the list is two queries whatever its length."""

    list_title = "Keys"
    list_display = ("what", "state_badges", "tenant_line", "versions_line", "used", "ends")
    list_display_links = ("what",)
    list_filter = key_filters.KEY_FILTERS
    list_select_related = ("tenant",)
    search_fields = ("name",)
    search_help_text = "Name, visible start, key id, or tenant"
    sortable_by = ()
    ordering = ("-id",)
    change_list_template = "console/plain_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        """Every key that anybody was ever given."""
        return selectors.list_keys()

    @admin.display(description="Key")
    def what(self, key: ApiKey) -> SafeString:
        """Name and visible start."""
        return key_columns.what(key)

    @admin.display(description="State")
    def state_badges(self, key: ApiKey) -> SafeString:
        """State; found in public, and the store where it is not settled."""
        return key_columns.badges(key)

    @admin.display(description="Tenant")
    def tenant_line(self, key: ApiKey) -> SafeString:
        """Name and short name."""
        return markup.two_lines(key.tenant.name, key.tenant.slug)

    @admin.display(description="Version")
    def versions_line(self, key: ApiKey) -> SafeString:
        """The current version, and until when its predecessor works."""
        return key_columns.versions(key)

    @admin.display(description="Last used")
    def used(self, key: ApiKey) -> SafeString:
        """When any open version was last used."""
        return key_columns.last_used(key)

    @admin.display(description="Expires")
    def ends(self, key: ApiKey) -> SafeString:
        """When the current version's life is over, marked when that is near."""
        return key_columns.ends(key)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        """Search as ``key_filters`` says."""
        return key_filters.search(queryset, search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; a whole key in the search is cut to its visible start before anything is shown."""
        term = request.GET.get("q", "")
        if key_filters.is_whole_key(term):
            query = request.GET.copy()
            query["q"] = key_filters.public_id_in(term.strip())
            messages.warning(request, PASTED)
            return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
        return super().changelist_view(request, extra_context)

    def get_urls(self) -> list[URLPattern]:
        """Add the live part and the acts."""
        wrap = self.admin_site.admin_view
        own = [
            path("<str:object_id>/live/", wrap(self.live_view), name="keys_apikey_live"),
            path("<str:object_id>/act/<slug:act>/", wrap(self.act_view), name="keys_apikey_act"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A key's page."""
        key = self._key(object_id)
        context = {
            **self._context(request, key),
            **key_page.moving(key, request),
            "live_url": reverse("admin:keys_apikey_live", args=[key.pk]),
        }
        return TemplateResponse(request, "console/key.html", context)

    def live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The moving part of a key's page."""
        context = key_page.moving(self._key(object_id), request)
        return live.fragment(request, "console/_key_live.html", context, is_moving=context["is_moving"])

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponse:
        """One of the acts on a key. Not in a transaction: the services call AWS between theirs."""
        if not may_act(request):
            raise PermissionDenied
        key = self._key(object_id)
        return key_confirm.act_on(request, key, act, self._context(request, key))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The key's page is its history."""
        raise Http404

    def _key(self, object_id: str) -> ApiKey:
        key = key_page.find(raw_id(object_id))
        if key is None:
            raise Http404("There is no such key.")
        return key

    def _context(self, request: HttpRequest, key: ApiKey) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "original": key, "title": key.name}
