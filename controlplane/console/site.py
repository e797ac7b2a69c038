"""The admin site that is the console: who may enter, the first page, signing in and out, and which rows have pages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import logout as end_session
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.sites import UnfoldAdminSite

from controlplane.console import live, load_page, overview, signin, trail
from controlplane.console.access import may_enter
from controlplane.console.readonly import ReadOnlyAdmin
from controlplane.console.session import address_of

OVERVIEW_SECONDS = 3
"""The overview counts every tenant; one tenant's page may be asked for more often."""


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Django's admin with a second factor before everything."""

    index_title = "Overview"
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: type[ModelAdmin] | None = None, **options: Any) -> None:
        """Take pages of ours and no others: libraries register theirs as well, and Django's show password hashes and TOTP secrets."""
        if admin_class is not None and issubclass(admin_class, ReadOnlyAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Callable[..., HttpResponseBase]:
        """Guard every page: role and second factor first, then no NUL in anything that was sent, which PostgreSQL would choke on."""

        @functools.wraps(view)
        def without_nul(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if "\x00" in request.path_info:
                raise Http404
            if any("\x00" in value for value in (*_values(request.GET), *_values(request.POST))):
                raise BadRequest("There is a NUL in the request.")
            return view(request, *args, **kwargs)

        guarded: Callable[..., HttpResponseBase] = super().admin_view(without_nul, cacheable)
        return guarded

    def has_permission(self, request: HttpRequest) -> bool:
        """Only a session with a role and a second factor: every page asks this."""
        return may_enter(request)

    def extra_urls(self) -> list[URLPattern]:
        """The steps of signing in, and the first page's moving part."""
        return [
            path("login/code/", signin.code_step, name="login_code"),
            path("login/enrol/", signin.enrol_step, name="login_enrol"),
            path("load/", self.admin_view(self.load), name="load"),
            path("load/live/", self.admin_view(self.load_part), name="load_live"),
            path("overview/", self.admin_view(self.overview_part), name="overview_live"),
        ]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The first step of signing in."""
        return signin.password_step(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """End the session; only POST reaches this (``get_urls`` of Django wraps it so)."""
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        if isinstance(request.user, User):
            trail.signed_out(request.user, address_of(request))
        end_session(request)
        return HttpResponseRedirect(reverse("admin:login"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The overview."""
        context = {
            **self.each_context(request),
            **overview.moving(request),
            "title": self.index_title,
            "live_url": reverse("admin:overview_live"),
            **(extra_context or {}),
        }
        request.current_app = self.name
        return TemplateResponse(request, "console/overview.html", context)

    def overview_part(self, request: HttpRequest) -> HttpResponse:
        """The overview's moving part."""
        context = overview.moving(request)
        return live.fragment(request, "console/_overview_live.html", context, is_moving=context["is_moving"], soon=OVERVIEW_SECONDS)

    def load(self, request: HttpRequest) -> HttpResponse:
        """Who is noisy."""
        context = {**self.each_context(request), **load_page.whole(request), "title": "Load"}
        request.current_app = self.name
        return TemplateResponse(request, "console/load.html", context)

    def load_part(self, request: HttpRequest) -> HttpResponse:
        """The moving part of who is noisy."""
        context = load_page.moving(request)
        return live.fragment(request, "console/_load_live.html", context, is_moving=context["is_moving"])

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is no page for a Python package."""
        return HttpResponseRedirect(reverse("admin:index"))

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Ctrl-K, with a page number that is one: unfold would answer anything else with a 500."""
        page = request.GET.get("page", "1")
        if page != "1":
            raise BadRequest("A search has one page.")
        return super().search(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Change one's own password; every other session of the account ends with it."""
        view = _PasswordChange.as_view(extra_context={**self.each_context(request), **(extra_context or {})})
        answer = view(request)
        assert isinstance(answer, HttpResponse)
        return answer


def _values(sent: QueryDict) -> Iterator[str]:
    return (str(value) for _, values in sent.lists() for value in values)


class _PasswordChange(PasswordChangeView):
    form_class = AdminOwnPasswordChangeForm
    template_name = "registration/password_change_form.html"

    def get_success_url(self) -> str:
        return reverse("admin:password_change_done")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        assert isinstance(self.request.user, User)
        trail.password_changed(self.request.user, address_of(self.request))
        return response
