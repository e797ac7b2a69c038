"""Tiers: the one thing that operators edit as a form. Saving calls the service; a tier is retired, never deleted."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from controlplane.console import acts, markup, tier_form
from controlplane.console.access import actor_of, may_act
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.confirm import Question, confirm
from controlplane.console.readonly import ReadOnlyAdmin, raw_id
from core.errors import DomainError
from tenants import services
from tenants.lifecycle import TenantState
from tenants.models import Tier


class TierAdmin(ReadOnlyAdmin):
    """Viewers see the values; operators may change them, with a reason."""

    list_title = "Tiers"
    list_display = ("called", "isolation", "limits", "tenants_here", "state_badge")
    list_display_links = ("called",)
    sortable_by = ()
    ordering = ("rate_per_second", "code")
    change_list_template = "console/tier_list.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Join the number of living tenants."""
        living = Count("tenants", filter=~Q(tenants__state=TenantState.CLOSED))
        return super().get_queryset(request).annotate(living=living)

    @admin.display(description="Tier")
    def called(self, tier: Tier) -> SafeString:
        """Name and code."""
        return markup.two_lines(tier.name, tier.code)

    @admin.display(description="Isolation")
    def isolation(self, tier: Tier) -> str:
        """Isolation model."""
        return tier.isolation_model

    @admin.display(description="Limits")
    def limits(self, tier: Tier) -> SafeString:
        """Rate and quota."""
        return markup.two_lines(f"{tier.rate_per_second:,} requests/s, burst {tier.burst:,}", f"{tier.quota_per_day:,} a day")

    @admin.display(description="Tenants")
    def tenants_here(self, tier: Any) -> str:
        """Living tenants."""
        return f"{tier.living:,}"

    @admin.display(description="State")
    def state_badge(self, tier: Tier) -> SafeString:
        """Whether it takes new tenants."""
        return markup.label("retired", "quiet") if tier.retired_at else markup.label("open", "good")

    def get_urls(self) -> list[URLPattern]:
        """Add the way to retire one."""
        own = [path("<str:object_id>/retire/", self.admin_site.admin_view(self.retire_view), name="tenants_tier_retire")]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Operators are offered a new tier."""
        return super().changelist_view(request, {"may_act": may_act(request), **(extra_context or {})})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A new tier."""
        if not may_act(request):
            raise PermissionDenied
        return self._edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A tier's values, editable for operators."""
        tier = self._tier(object_id)
        if request.method == "POST" and not may_act(request):
            raise PermissionDenied
        return self._edit(request, tier)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The audit log is the history."""
        raise Http404

    def _edit(self, request: HttpRequest, tier: Tier | None) -> HttpResponse:
        editable = may_act(request)
        form = tier_form.TierForm(request.POST or None, instance=tier, editable=editable)
        status = 200
        if request.method == "POST":
            status = 422
            if form.is_valid():
                try:
                    saved = tier_form.save(form, tier, actor_of(request))
                except DomainError as error:
                    _take(form, error)
                else:
                    messages.success(request, f"{saved.name} was saved. Its tenants follow at their next repair or change.")
                    return HttpResponseRedirect(reverse("admin:tenants_tier_changelist"))
        living = tier.tenants.exclude(state=TenantState.CLOSED).count() if tier else 0
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": tier,
            "title": tier.name if tier else "New tier",
            "tier": tier,
            "form": form,
            "groups": tier_form.groups(form),
            "editable": editable,
            "living": living,
            "back_url": reverse("admin:tenants_tier_changelist"),
        }
        return TemplateResponse(request, "console/tier.html", context, status=status)

    def retire_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take no new tenants into a tier."""
        if not may_act(request):
            raise PermissionDenied
        tier = self._tier(object_id)
        back = reverse("admin:tenants_tier_changelist")
        if tier.retired_at is not None:
            messages.warning(request, f"{tier.name} is retired already.")
            return HttpResponseRedirect(back)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": tier}
        question = Question(
            act=acts.RETIRE,
            title=f"Retire tier {tier.name}",
            button="Retire",
            back_url=back,
            sentences=("From now on it takes no new tenants. Those that have it keep it.", "There is no way back in the console."),
            make_form=ConfirmForm,
            previews=lambda _: (),
            perform=partial(_retire, request, tier, back),
            done=f"{tier.name} is retired.",
        )
        return confirm(request, question, context)

    def _tier(self, object_id: str) -> Tier:
        tier = Tier.objects.filter(pk=raw_id(object_id)).first()
        if tier is None:
            raise Http404("There is no such tier.")
        return tier


def _retire(request: HttpRequest, tier: Tier, back: str, clean: dict[str, Any]) -> str:
    services.retire_tier(actor=actor_of(request), code=tier.pk, reason=clean["reason"])
    return back


def _take(form: tier_form.TierForm, error: DomainError) -> None:
    for field in error.errors:
        name = field.pointer.lstrip("/")
        form.add_error(name if name in form.fields else None, field.detail)
    if not error.errors:
        form.add_error(None, error.detail)
