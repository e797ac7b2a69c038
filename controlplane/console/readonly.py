"""The admin class that all pages of rows stand on: everybody with a role sees, nobody edits rows by hand."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from controlplane.console.access import may_enter

COUNT_CAP = 10_000


class CappedPaginator(Paginator):
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


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Lists and pages without add, change or delete. Acts have their own pages; see ``confirm``."""

    actions = None
    actions_selection_counter = False
    list_per_page = 50
    show_full_result_count = False
    list_select_related: tuple[str, ...] | bool = False
    paginator = CappedPaginator
    show_facets = None
    list_filter_sheet = False

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
