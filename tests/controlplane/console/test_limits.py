"""Limits in the console: what holds and why, what an act would change before it is confirmed, and that nobody writes over what they have not seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.audit.models import AuditEvent
from tenants.limits import selectors, services
from tenants.limits.models import KeyLimit, LimitOverride
from tenants.models import Tenant
from tests.cast import OPERATOR
from tests.controlplane.console.made_up_keys import made_up_key
from tests.controlplane.console.made_up_usage import count

pytestmark = pytest.mark.django_db
REASON = "Launch day, ticket 4711"
ASKED = {"limited": "rate_per_second", "value": "50", "ends": "1h", "reason": REASON}


def url(tenant: Tenant, override: LimitOverride | None = None) -> str:
    if override is not None:
        return reverse("admin:tenants_tenant_override_end", args=[tenant.pk, override.pk])
    return reverse("admin:tenants_tenant_override", args=[tenant.pk])


def page_of(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_change", args=[tenant.pk])


def confirm(client: Client, address: str, **asked: Any) -> Any:
    """Look at the page, then confirm what it showed."""
    return client.post(address, {"plan": client.get(address).context["plan"], **asked})


def shown(answer: Any) -> dict[str, list[tuple[str, str]]]:
    """What the page says changes."""
    return {group.key: [(item.what, item.why) for item in group.items] for group in answer.context["previews"][0].groups}


def lifted(tenant: Tenant, value: int = 99, **more: Any) -> LimitOverride:
    asked = {"limited": "rate_per_second", "reason": "agreed with sales", **more}
    return services.set_override(actor=OPERATOR, tenant_id=tenant.pk, value=value, **asked)


def rate(tenant: Tenant) -> int:
    return selectors.effective_limits(tenant).rate_per_second


def test_a_tenants_page_says_what_holds_and_why(operator: Client, viewer: Client, acme: Tenant) -> None:
    before = operator.get(page_of(acme)).content.decode()
    assert f"{acme.tier.rate_per_second} a second" in before
    assert "agreed with sales" not in before
    row = lifted(acme, expires_at=timezone.now() + timedelta(hours=2))
    after = operator.get(page_of(acme)).content.decode()
    assert "99 a second" in after
    assert "agreed with sales" in after
    assert "data-until" in after
    assert url(acme) in after
    assert url(acme, row) in after
    seen = viewer.get(page_of(acme)).content.decode()
    assert "99 a second" in seen
    assert url(acme) not in seen
    assert url(acme, row) not in seen


def test_what_it_changes_is_shown_before_it_is_confirmed(operator: Client, acme: Tenant) -> None:
    now = acme.tier.rate_per_second
    with time_machine.travel("2026-11-27T12:00:00Z", tick=False):
        look = operator.get(url(acme), {"fragment": "1", "limited": "rate_per_second", "value": "50", "ends": "24h"})
    groups = shown(look)
    assert groups["change"] == [("Rate: 50 a second", f"instead of {now} a second, until 28 Nov 2026, 12:00 UTC")]
    assert groups["after"] == [(f"Rate: {now} a second", f"the tier's, from {acme.tier.name}")]
    for nonsense in ({}, {"value": "x"}, {"value": "-1"}, {"limited": "speed", "value": "5"}, {"value": "9" * 40}):
        empty = operator.get(url(acme), {"fragment": "1", "limited": "rate_per_second", **nonsense})
        assert (empty.status_code, shown(empty)) == (200, {})
        assert "Type the number" in empty.content.decode()
    assert "after" not in shown(operator.get(url(acme), {"fragment": "1", **ASKED, "ends": "good"}))
    assert not LimitOverride.objects.exists()


def test_an_override_is_set(operator: Client, acme: Tenant) -> None:
    answer = confirm(operator, url(acme), **ASKED)
    assert (answer.status_code, answer.url) == (302, page_of(acme))
    row = LimitOverride.objects.get()
    assert (row.value, row.reason, row.set_by) == (50, REASON, "operator:olga")
    assert row.expires_at is not None
    assert timedelta(minutes=59) < row.expires_at - timezone.now() <= timedelta(hours=1)
    assert rate(acme) == 50
    event = AuditEvent.objects.get(action="limit.overridden")
    assert (event.actor_id, event.reason, event.target) == ("olga", REASON, row.pk)


@pytest.mark.parametrize(
    ("ends", "until", "expected"), [("good", "", None), ("custom", "2099-01-31T12:30", "2099-01-31T12:30:00+00:00")]
)
def test_it_ends_when_that_was_asked_for(operator: Client, acme: Tenant, ends: str, until: str, expected: str | None) -> None:
    assert confirm(operator, url(acme), **{**ASKED, "ends": ends, "until": until}).status_code == 302
    ends_at = LimitOverride.objects.get().expires_at
    assert (ends_at.isoformat() if ends_at else None) == expected


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"value": ""}, "value"),
        ({"value": "0"}, "value"),
        ({"value": str(2**31)}, "value"),
        ({"limited": "speed"}, "limited"),
        ({"ends": "never"}, "ends"),
        ({"ends": "custom"}, "until"),
        ({"ends": "custom", "until": "2020-01-01T00:00"}, "until"),
        ({"ends": "custom", "until": "soon"}, "until"),
        ({"reason": ""}, "reason"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    operator: Client, acme: Tenant, wrong: dict[str, str], field: str
) -> None:
    answer = confirm(operator, url(acme), **{**ASKED, **wrong})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    kept = {name: value for name, value in ASKED.items() if name not in wrong}
    assert {name: answer.context["form"][name].value() for name in kept} == kept
    assert not LimitOverride.objects.exists()


def test_who_comes_second_reads_it_again(operator: Client, acme: Tenant) -> None:
    plan = operator.get(url(acme)).context["plan"]
    lifted(acme, 70)
    answer = operator.post(url(acme), {"plan": plan, **ASKED})
    assert answer.status_code == 409
    assert "has changed since you looked" in answer.content.decode()
    assert shown(answer)["ends"][0][0] == "70 a second, for good"
    assert rate(acme) == 70
    assert operator.post(url(acme), {"plan": answer.context["plan"], **ASKED}).status_code == 302
    assert rate(acme) == 50


def test_a_change_of_the_last_moment_is_not_written_over(operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    real = services.set_override

    def second(**asked: Any) -> LimitOverride:
        monkeypatch.setattr(services, "set_override", real)
        lifted(acme, 70)
        return real(**asked)

    monkeypatch.setattr(services, "set_override", second)
    answer = confirm(operator, url(acme), **ASKED)
    assert answer.status_code == 409
    assert "was set or ended meanwhile" in answer.content.decode()
    assert answer.context["form"]["reason"].value() == REASON
    assert rate(acme) == 70


def test_a_quota_below_what_was_used_is_said_to_leave_nothing(operator: Client, acme: Tenant) -> None:
    count(acme, timezone.now(), 100, cost=400)
    asked = {"fragment": "1", "limited": "quota_per_day"}
    assert shown(operator.get(url(acme), {**asked, "value": "300"}))["used"] == [("400 used so far", "0 left of 300")]
    assert shown(operator.get(url(acme), {**asked, "value": "500"}))["stays"] == [("400 used so far", "100 left of 500")]


def test_an_override_is_ended_once(operator: Client, acme: Tenant) -> None:
    row = lifted(acme)
    look = operator.get(url(acme, row))
    now = acme.tier.rate_per_second
    assert shown(look)["change"] == [(f"Rate: {now} a second", f"instead of 99 a second; the tier's, from {acme.tier.name}")]
    assert confirm(operator, url(acme, row), reason="The launch is over").status_code == 302
    assert rate(acme) == now
    again = operator.get(url(acme, row), follow=True)
    assert "it is revoked already" in again.content.decode()


def test_an_end_comes_back_to_where_it_was_asked_for(operator: Client, acme: Tenant) -> None:
    row = lifted(acme)
    answer = confirm(operator, f"{url(acme, row)}?from=usage", reason="The launch is over")
    assert answer.url == reverse("admin:tenants_tenant_usage", args=[acme.pk])


def test_another_tenants_override_is_not_there(operator: Client, acme: Tenant, globex: Tenant) -> None:
    row = lifted(acme)
    assert operator.get(url(globex, row)).status_code == 404
    assert operator.get(reverse("admin:tenants_tenant_override_end", args=[acme.pk, "ovr_nonsense"])).status_code == 404


def test_viewers_change_nothing(viewer: Client, acme: Tenant) -> None:
    row = lifted(acme)
    for address in (url(acme), url(acme, row)):
        assert viewer.get(address).status_code == viewer.post(address, ASKED).status_code == 403
    assert rate(acme) == 99


def test_a_closed_tenant_has_no_limits_to_change(operator: Client, acme: Tenant) -> None:
    Tenant.objects.filter(pk=acme.pk).update(state="closed")
    assert "Acme is closed" in operator.get(url(acme), follow=True).content.decode()
    assert url(acme) not in operator.get(page_of(acme)).content.decode()


class TestOfAKey:
    """A key's own limits, on its page."""

    def test_they_are_shown_set_and_taken_away(self, operator: Client, acme: Tenant) -> None:
        key = made_up_key(acme)
        page, act = (
            reverse(f"admin:keys_apikey_{name}", args=args) for name, args in (("change", [key.pk]), ("act", [key.pk, "limit"]))
        )
        assert "its tenant's hold" in operator.get(page).content.decode()
        look = operator.get(act, {"fragment": "1", "rate_per_second": "5", "concurrency": "900000"})
        assert [what for what, _ in shown(look)["change"]] == [
            "Rate: 5 a second",
            "Burst: 5 at once",
            "In flight: 900,000 at a time",
        ]
        asked = {"rate_per_second": "5", "concurrency": "2", "reason": REASON}
        assert confirm(operator, act, **asked).status_code == 302
        row = KeyLimit.objects.get()
        assert (row.rate_per_second, row.burst, row.quota_per_day, row.concurrency) == (5, 5, None, 2)
        body = operator.get(page).content.decode()
        assert "Rate: 5 a second" in body
        assert "In flight: 2 at a time" in body
        form = operator.get(act).context["form"]
        assert (form["rate_per_second"].value(), form["quota_per_day"].value()) == (5, None)
        assert confirm(operator, act, concurrency="2", reason="it grew up").status_code == 302
        row.refresh_from_db()
        assert (row.rate_per_second, row.burst, row.concurrency) == (None, None, 2)
        assert AuditEvent.objects.filter(action="key.limited", actor_id="olga").count() == 2

    def test_who_comes_second_reads_it_again(self, operator: Client, acme: Tenant) -> None:
        key = made_up_key(acme)
        act = reverse("admin:keys_apikey_act", args=[key.pk, "limit"])
        plan = operator.get(act).context["plan"]
        services.set_key_limit(actor=OPERATOR, tenant_id=acme.pk, key_id=key.pk, reason="somebody else", quota_per_day=7)
        assert operator.post(act, {"plan": plan, "concurrency": "2", "reason": REASON}).status_code == 409
        assert KeyLimit.objects.get().quota_per_day == 7

    def test_a_change_of_the_last_moment_is_not_written_over(
        self, operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, real = made_up_key(acme), services.set_key_limit

        def second(**asked: Any) -> KeyLimit:
            monkeypatch.setattr(services, "set_key_limit", real)
            real(actor=OPERATOR, tenant_id=acme.pk, key_id=key.pk, reason="somebody else", quota_per_day=7)
            return real(**asked)

        monkeypatch.setattr(services, "set_key_limit", second)
        answer = confirm(operator, reverse("admin:keys_apikey_act", args=[key.pk, "limit"]), concurrency="2", reason=REASON)
        assert answer.status_code == 409
        assert KeyLimit.objects.get().quota_per_day == 7

    @pytest.mark.parametrize("wrong", [{"burst": "5"}, {"rate_per_second": "0"}, {"concurrency": "x"}])
    def test_what_is_wrong_is_said(self, operator: Client, acme: Tenant, wrong: dict[str, str]) -> None:
        act = reverse("admin:keys_apikey_act", args=[made_up_key(acme).pk, "limit"])
        answer = confirm(operator, act, **wrong, reason=REASON)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, list(wrong))
