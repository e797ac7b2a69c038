"""Which limits hold: override before tier, the expired as if not there, a key's beside its tenant's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tenants.facts import FailPolicy
from tenants.limits.decision import decide
from tenants.limits.effective import BOUNDS, KeyLimits, Limited, Limits, Override, merge, narrowed, rules_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
TIER = Limits(10, 20, 1_000, 20_000, 5, weight=2, fail_policy=FailPolicy.OPEN)

limiteds = st.sampled_from(list(Limited))
overrides = limiteds.flatmap(
    lambda limited: st.builds(
        Override,
        st.just(limited),
        st.integers(*BOUNDS[limited]),
        st.none() | st.timedeltas(timedelta(days=-2), timedelta(days=2)).map(lambda span: NOW + span),
    )
)
many = st.lists(overrides, max_size=6, unique_by=lambda override: override.limited)
small = st.none() | st.integers(1, 40)
key_limits = st.builds(
    lambda rate, burst, day, month, slots: KeyLimits(rate, burst if rate else None, day, month, slots),
    small, st.integers(1, 40), small, small, small,
)  # fmt: skip


@given(many)
def test_an_override_holds_until_its_end_and_touches_nothing_else(overrides: list[Override]) -> None:
    merged = merge(TIER, overrides, NOW)
    holding = {one.limited: one.value for one in overrides if one.expires_at is None or one.expires_at > NOW}
    assert merged.overridden == frozenset(holding)
    for limited in Limited:
        assert getattr(merged, limited.value) == holding.get(limited, getattr(TIER, limited.value))
    assert merged.fail_policy is FailPolicy.OPEN


def test_the_end_itself_is_outside() -> None:
    override = Override(Limited.RATE, 99, NOW)
    assert merge(TIER, [override], NOW).rate_per_second == 10
    assert merge(TIER, [override], NOW - timedelta(microseconds=1)).rate_per_second == 99


@given(many)
def test_whatever_may_be_overridden_can_be_decided(overrides: list[Override]) -> None:
    decide(rules_of(merge(TIER, overrides, NOW)), {}, NOW_US, lease_id="r")


@given(key_limits, st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_a_key_gets_no_more_than_its_tenant_and_no_more_than_its_own(key: KeyLimits, costs: list[int]) -> None:
    both, tenant, own = {}, {}, {}
    rules = rules_of(TIER, key)
    for index, cost in enumerate(costs):
        lease = f"r{index}"
        together, both = decide(rules, both, NOW_US, cost=cost, lease_id=lease)
        by_tenant, after_tenant = decide(rules_of(TIER), tenant, NOW_US, cost=cost, lease_id=lease)
        by_key, after_own = decide([rule for rule in rules if rule.name.startswith("key-")], own, NOW_US, cost=cost, lease_id=lease)
        assert together.is_admitted == (by_tenant.is_admitted and by_key.is_admitted)
        if together.is_admitted:
            tenant, own = after_tenant, after_own


def test_people_are_told_the_lesser_of_both() -> None:
    shown = narrowed(TIER, KeyLimits(50, 10, None, 3, None))
    assert (shown.rate_per_second, shown.burst, shown.quota_per_day, shown.quota_per_month) == (10, 10, 1_000, 3)
    assert (shown.concurrency, shown.weight) == (5, 2)
    assert narrowed(Limits(1, 1, 1), KeyLimits()).concurrency is None


def test_what_does_not_limit_is_not_asked() -> None:
    assert [rule.name for rule in rules_of(Limits(1, 1, 0))] == ["rate", "quota-day"]
    assert [rule.name for rule in rules_of(TIER, KeyLimits(1, 1))] == [
        "rate",
        "quota-day",
        "quota-month",
        "concurrency",
        "key-rate",
    ]
    assert rules_of(TIER, KeyLimits()) == rules_of(TIER)
