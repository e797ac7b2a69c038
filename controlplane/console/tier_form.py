"""A tier as a form: which fields, in which groups, with which units. Saving is the service's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from controlplane.console.act_forms import reason_field
from core.actors import Actor
from tenants import services
from tenants.facts import FailPolicy, IsolationModel
from tenants.models import Tier

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What it is", ("code", "name", "isolation_model", "sso_allowed")),
    ("Limits", ("rate_per_second", "burst", "quota_per_day", "quota_per_month", "concurrency", "weight", "fail_policy")),
    ("Keys", ("key_max_age_days", "key_overlap_seconds", "key_quiet_seconds")),
    ("Keeping", ("log_retention_days", "offboarding_grace_seconds")),
)
LABELS = {
    "code": ("Code", "Lower-case letters, digits and hyphens. Fixed once made."),
    "name": ("Name", ""),
    "isolation_model": ("Isolation model", "Fixed while tenants have this tier."),
    "sso_allowed": ("Customer's own SSO", ""),
    "rate_per_second": ("Rate", "Requests a second."),
    "burst": ("Burst", "Requests at once."),
    "quota_per_day": ("Quota a day", "Requests a day, by the UTC calendar."),
    "quota_per_month": ("Quota a month", "Requests a month, by the UTC calendar. Empty: not limited."),
    "concurrency": ("In flight", "Requests at the same time. Empty: not limited."),
    "weight": ("Weight", "Share of the platform's capacity."),
    "fail_policy": (
        "Without news",
        "What an edge does that cannot hear from here: go on as it knew last (open), or refuse (closed).",
    ),
    "key_max_age_days": ("Keys live at most", "Days."),
    "key_overlap_seconds": ("Overlap of a rotation", "Seconds in which the old and the new key both work."),
    "key_quiet_seconds": (
        "Quiet before evidence counts",
        "Seconds for which a predecessor must be unused before it is retired by evidence.",
    ),
    "log_retention_days": ("Logs are kept", "Days; CloudWatch knows certain numbers only (14, 30, 90, 365, …)."),
    "offboarding_grace_seconds": ("Grace of an offboarding", "Seconds until everything is removed (604,800 is a week)."),
}

WORDS: dict[str, type[IsolationModel | FailPolicy]] = {"isolation_model": IsolationModel, "fail_policy": FailPolicy}


class TierForm(forms.ModelForm):  # type: ignore[type-arg]  # the generic form exists in the stubs alone
    """All values of a tier and the reason for the change; read-only for viewers."""

    reason = forms.CharField()

    class Meta:
        model = Tier
        fields = tuple(name for _, names in GROUPS for name in names)

    def __init__(self, *args: Any, editable: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, help_text) in LABELS.items():
            field = self.fields[name]
            field.label, field.help_text, field.disabled = label, help_text, not editable
            field.widget = _widget(name, field)
        self.fields["code"].disabled = not editable or self.instance._state.adding is False
        self.fields["code"].validators.append(RegexValidator(r"\A[a-z][a-z0-9-]*\Z", "Lower-case letters, digits and hyphens."))
        self.fields["reason"] = reason_field("Agreed limits for 2027, decision of 20 November")
        if not editable:
            del self.fields["reason"]

    def _post_clean(self) -> None:
        """Leave the row alone: the service checks and writes, and the instance must keep what is stored until then."""


def _widget(name: str, field: forms.Field) -> forms.Widget:
    if isinstance(field, forms.BooleanField):
        return UnfoldBooleanSwitchWidget()  # type: ignore[no-any-return]
    if isinstance(field, forms.IntegerField):
        return UnfoldAdminIntegerFieldWidget()  # type: ignore[no-any-return]
    if isinstance(field, forms.ChoiceField):
        widget: forms.Select = UnfoldAdminSelectWidget()
        widget.choices = [(word.value, word.value) for word in WORDS[name]]
        return widget
    return UnfoldAdminTextInputWidget()  # type: ignore[no-any-return]


def groups(form: TierForm) -> list[dict[str, Any]]:
    """Give the fields in their groups, for the template."""
    return [{"title": title, "fields": [form[name] for name in names]} for title, names in GROUPS]


def save(form: TierForm, tier: Tier | None, actor: Actor) -> Tier:
    """Create or change the tier through the service; raises what it raises."""
    values = {name: value for name, value in form.cleaned_data.items() if name in services.TIER_FIELDS}
    reason = form.cleaned_data["reason"]
    if tier is None:
        return services.create_tier(actor=actor, code=form.cleaned_data["code"], reason=reason, **values)
    return services.update_tier(actor=actor, code=tier.pk, reason=reason, **values)
