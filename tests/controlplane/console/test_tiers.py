"""Tiers: the one thing edited as a form, through the service, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from controlplane.console import tier_form
from core.audit.models import AuditEvent
from tenants import services
from tenants.models import Tier
from tenants.seed import seed_tiers

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db

BASIC = reverse("admin:tenants_tier_change", args=["basic"])


@pytest.fixture(autouse=True)
def _tiers() -> None:
    seed_tiers()


def values(code: str = "basic", **changes: Any) -> dict[str, Any]:
    tier = Tier.objects.get(pk="basic")
    fields = {name: getattr(tier, name) for name in services.TIER_FIELDS if name != "sso_allowed"}
    return {"code": code, "reason": "Agreed limits", **fields, **changes}


def test_the_form_has_every_field_of_the_service() -> None:
    assert {name for _, names in tier_form.GROUPS for name in names} == services.TIER_FIELDS | {"code"}


def test_a_tier_is_changed_through_the_service(operator: Client) -> None:
    assert operator.post(BASIC, values(rate_per_second=25)).status_code == 302
    assert Tier.objects.get(pk="basic").rate_per_second == 25
    event = AuditEvent.objects.get(action="tier.changed")
    assert (event.actor_id, event.reason, event.details) == ("olga", "Agreed limits", {"rate_per_second": 25})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate_per_second", "0"),
        ("rate_per_second", "-1"),
        ("burst", "many"),
        ("burst", "864001"),
        ("quota_per_month", "-1"),
        ("fail_policy", "pool"),
        ("name", ""),
        ("isolation_model", "none"),
        ("reason", ""),
    ],
)
def test_what_a_tier_cannot_be_is_named(operator: Client, field: str, value: str) -> None:
    answer = operator.post(BASIC, values(**{field: value}))
    assert answer.status_code == 422
    assert answer.context["form"].errors
    assert Tier.objects.get(pk="basic").rate_per_second == 10


def test_what_is_left_empty_does_not_limit(operator: Client) -> None:
    assert operator.post(BASIC, values(quota_per_month="", concurrency="", fail_policy="closed")).status_code == 302
    tier = Tier.objects.get(pk="basic")
    assert (tier.quota_per_month, tier.concurrency, tier.fail_policy) == (None, None, "closed")


def test_each_choice_offers_its_own_words(operator: Client) -> None:
    form = operator.get(BASIC).context["form"]
    assert [value for value, _ in form.fields["fail_policy"].widget.choices] == ["open", "closed"]
    assert [value for value, _ in form.fields["isolation_model"].widget.choices] == ["pool", "bridge", "silo", "sovereign"]


def test_the_isolation_model_of_a_tier_with_tenants_stays(operator: Client, acme: Tenant) -> None:
    answer = operator.post(BASIC, values(isolation_model="silo"))
    assert answer.status_code == 422
    assert "isolation_model" in answer.context["form"].errors
    assert Tier.objects.get(pk="basic").isolation_model == "pool"


def test_the_code_of_a_tier_stays(operator: Client) -> None:
    operator.post(BASIC, values(code="other"))
    assert not Tier.objects.filter(pk="other").exists()


def test_a_new_tier(operator: Client) -> None:
    url = reverse("admin:tenants_tier_add")
    assert operator.post(url, values("campus", name="Campus")).status_code == 302
    assert Tier.objects.get(pk="campus").name == "Campus"
    assert operator.post(url, values("campus", name="Campus")).status_code == 422
    assert operator.post(url, values("Bad Code", name="Campus")).status_code == 422


def test_a_viewer_sees_the_values_and_no_button(viewer: Client) -> None:
    page = viewer.get(BASIC)
    assert all(field.field.disabled for group in page.context["groups"] for field in group["fields"])
    assert 'type="submit" class="cp-button' not in page.content.decode()


def test_retiring(operator: Client) -> None:
    url = reverse("admin:tenants_tier_retire", args=["basic"])
    page = operator.get(url)
    assert operator.post(url, {"plan": page.context["plan"]}).status_code == 422
    assert operator.post(url, {"plan": page.context["plan"], "reason": "replaced"}).status_code == 302
    assert Tier.objects.get(pk="basic").retired_at is not None
    assert operator.get(url).status_code == 302
