"""The admin class that all pages of rows stand on: everybody with a role sees, nobody edits rows by hand."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from controlplane.console.access import may_enter

COUNT_CAP = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs alone
    """Counts at most COUNT_CAP rows, so that a list of a million costs no more than one of ten thousand; beyond that one searches."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or COUNT_CAP."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return int(rows.order_by()[:COUNT_CAP].count())
        return len(rows)


def raw_id(object_id: str) -> str:
    """Give an id as it is: the admin's own links escape the underscore, ours do not. No id of ours holds a capital letter."""
    return object_id.replace("_5F", "_")


class PlainChangeList(ChangeList):  # type: ignore[misc]  # unfold has no types
    """A list whose links hold ids as they are, and which claims no total that was not counted."""

    def url_for_result(self, result: models.Model) -> str:
        """Give the page of a row."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[result.pk])

    def get_results(self, request: HttpRequest) -> None:
        """Take the count of this list for the total, so that the page shows it once."""
        super().get_results(request)
        self.full_result_count = self.result_count


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Lists and pages without add, change or delete. Acts have their own pages; see ``confirm``."""

    list_title = ""
    actions = None
    list_max_show_all = 0
    actions_selection_counter = False
    list_per_page = 50
    show_full_result_count = False
    list_select_related: tuple[str, ...] | bool = False
    paginator = CappedPaginator
    show_facets = None
    list_filter_sheet = False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list under its own title, in the tab and in the heading."""
        title = self.list_title or str(self.opts.verbose_name_plural).capitalize()
        request.console_title = title  # type: ignore[attr-defined]  # unfold's heading is made from the request alone
        return super().changelist_view(request, {"title": title, **(extra_context or {})})  # type: ignore[no-any-return]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PlainChangeList]:
        """Lists of ours."""
        return PlainChangeList

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Everybody who may enter sees."""
        return may_enter(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Everybody who may enter sees."""
        return may_enter(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come from services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Rows change by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Rows are kept."""
        return False

    def log_change(self, *args: Any, **kwargs: Any) -> None:
        """Django's own log of changes is not kept; the audit log is."""

    def log_addition(self, *args: Any, **kwargs: Any) -> None:
        """As above."""
