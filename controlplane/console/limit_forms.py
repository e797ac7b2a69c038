"""The forms in which acts on limits are confirmed. They check shapes only; what a limit may be is the services' to say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from controlplane.console import limit_words
from controlplane.console.act_forms import ConfirmForm
from tenants.limits import selectors
from tenants.limits.effective import KeyLimits, Limited
from tenants.limits.models import KeyLimit

CUSTOM, FOR_GOOD = "custom", "good"
ENDS = (("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), (CUSTOM, "until a time"), (FOR_GOOD, "for good"))
OF_KEY = tuple(one for one in Limited if one is not Limited.WEIGHT)


class OverrideForm(ConfirmForm):
    """Which limit, the number that holds instead of the tier's, and for how long."""

    field_order = ("limited", "value", "ends", "until", "reason", "code")
    pointers = {"/expires_at": "until"}
    limited = forms.ChoiceField(
        label="Limit", choices=[(one.value, limit_words.NAMES[one]) for one in Limited], widget=UnfoldAdminSelectWidget
    )
    value = forms.IntegerField(label="Holds instead", widget=UnfoldAdminIntegerFieldWidget(attrs={"min": "0"}))
    ends = forms.ChoiceField(label="For how long", choices=ENDS, initial="24h", widget=forms.RadioSelect)
    until = forms.DateTimeField(
        label="Until",
        required=False,
        help_text="In UTC, where you chose a time.",
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for the time where a time was chosen."""
        cleaned = super().clean() or {}
        if cleaned.get("ends") == CUSTOM and not cleaned.get("until") and "until" not in self.errors:
            self.add_error("until", "Say until when.")
        return cleaned


def end_of(ends: str, until: datetime | None, now: datetime) -> datetime | None:
    """Give when an override ends that was asked for so; None for good."""
    if ends == CUSTOM:
        return until
    return now + limit_words.ENDS[ends] if ends in limit_words.ENDS else None


def _optional(limited: Limited) -> forms.IntegerField:
    return forms.IntegerField(
        label=limit_words.NAMES[limited],
        required=False,
        help_text=f"Requests {limit_words.UNITS[limited]}.",
        widget=UnfoldAdminIntegerFieldWidget(attrs={"min": "0"}),
    )


class KeyLimitForm(ConfirmForm):
    """All limits of one key; an empty one does not limit."""

    field_order = (*(one.value for one in OF_KEY), "reason", "code")

    def __init__(self, *args: Any, row: KeyLimit | None, initial: dict[str, Any], **kwargs: Any) -> None:
        limits = selectors.limits_of_key_row(row) if row is not None else KeyLimits()
        known = {one.value: getattr(limits, one) for one in OF_KEY}
        super().__init__(*args, initial={**known, **initial}, **kwargs)
        for one in OF_KEY:
            self.fields[one.value] = _optional(one)
        self.fields["burst"].help_text = "Requests at once; one second's worth when empty."
        self.order_fields(self.field_order)

    @property
    def limits(self) -> list[forms.BoundField]:
        """The fields of limits, in their order."""
        return [self[one.value] for one in OF_KEY]
