"""Headers of decisions: to the letter, never zero, never early."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tenants.limits.calendar import Period
from tenants.limits.concurrency import Concurrency
from tenants.limits.decision import decide
from tenants.limits.headers import headers_of, retry_after_seconds, template_of
from tenants.limits.quotas import Quota
from tenants.limits.rates import Rate

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND  # 2027-01-15T08:00:00Z
LIMITS = [Rate.per_second("rate", 10, 25), Quota("quota-day", Period.DAY, 1_000), Concurrency("concurrency", 4, 30 * SECOND)]
_ITEM = re.compile(r'"[a-z][a-z0-9-]*"(;[a-z]+=([0-9]{1,15}|"[a-z-]+"))+')


def test_an_admitted_answer_to_the_letter() -> None:
    decision, _ = decide(LIMITS, {}, NOW, cost=5, lease_id="r1")
    assert headers_of(decision) == [
        ("RateLimit-Policy", '"rate";q=30;w=3, "quota-day";q=1000;w=86400, "concurrency";q=4;qu="concurrent-requests"'),
        ("RateLimit", '"rate";r=20;t=1, "quota-day";r=995;t=57600, "concurrency";r=3;t=30'),
        ("X-RateLimit-Limit", "4"),
        ("X-RateLimit-Remaining", "3"),
        ("X-RateLimit-Reset", "1800000030"),
    ]


def test_a_refusal_tells_of_the_limit_that_refused() -> None:
    _, states = decide(LIMITS[:2], {}, NOW, cost=25)
    decision, _ = decide(LIMITS[:2], states, NOW)
    headers = dict(headers_of(decision))
    assert (headers["Retry-After"], headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("1", "30", "0")
    assert headers["RateLimit"] == '"rate";r=0;t=3, "quota-day";r=975;t=57600'


def test_what_can_never_be_admitted_is_not_told_to_wait() -> None:
    decision, _ = decide(LIMITS[:1], {}, NOW, cost=26)
    assert (decision.is_admitted, retry_after_seconds(decision)) == (False, None)
    assert "Retry-After" not in dict(headers_of(decision))


@given(st.integers(0, 24), st.integers(0, 50), st.integers(0, 1_000))
def test_a_template_gives_the_same_headers(spent: int, cost: int, left: int) -> None:
    _, states = decide(LIMITS, {}, NOW, cost=spent, lease_id="r1")
    decision, _ = decide(LIMITS[:2], states, NOW, cost=cost)
    template, numbers = template_of(decision)
    later = decision._replace(standings=tuple(one._replace(remaining=one.remaining + left) for one in decision.standings))
    wanted = "".join(f"{name}: {value}\r\n" for name, value in headers_of(later))
    assert template % tuple(number + left for number in numbers) == wanted.encode()


def test_no_limits_no_template() -> None:
    assert template_of(decide([], {}, NOW)[0]) == (b"", ())


def test_no_limits_no_headers() -> None:
    assert headers_of(decide([], {}, NOW)[0]) == []


def test_numbers_beyond_a_structured_field_are_cut_to_its_largest() -> None:
    decision, _ = decide([Quota("quota-day", Period.DAY, 10**30)], {}, NOW)
    assert dict(headers_of(decision))["RateLimit-Policy"] == '"quota-day";q=999999999999999;w=86400'


@given(
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 10**18),
    st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(1, 50)), min_size=1, max_size=20),
)
def test_headers_are_well_formed_and_waiting_as_told_is_enough(
    rate: int, burst: int, allowance: int, calls: list[tuple[int, int]]
) -> None:
    limits = [Rate.per_second("rate", rate, burst), Quota("quota-month", Period.MONTH, allowance)]
    now, states = NOW, {}
    for gap, cost in calls:
        now += gap
        decision, states = decide(limits, states, now, cost=cost)
        headers = dict(headers_of(decision))
        for name in ("RateLimit-Policy", "RateLimit"):
            assert all(_ITEM.fullmatch(item) for item in headers[name].split(", "))
        assert ("Retry-After" in headers) == (not decision.is_admitted and decision.retry_after_us is not None)
        if "Retry-After" in headers:
            wait = int(headers["Retry-After"])
            assert wait >= 1
            assert decide(limits, states, now + wait * SECOND, cost=cost)[0].is_admitted
