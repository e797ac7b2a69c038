"""Sharing a rate: what is guaranteed is never taken, what is idle is used, and never is there more than there is."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.limits.fairness import Granted, Sharing

SECOND = 1_000_000
WINDOW = SECOND
NAMES = "abcdef"

platforms = st.tuples(
    st.integers(1, 5_000),
    st.dictionaries(st.sampled_from(NAMES), st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([WINDOW, WINDOW // 4]),
)
gaps = st.sampled_from([0, 0, 1, 137, 20_000, 400_000, SECOND, -50_000, 10 * SECOND])
calls = st.lists(st.tuples(gaps, st.sampled_from(NAMES), st.integers(1, 8), st.integers(1, 30)), min_size=1, max_size=40)


def asked(sharing: Sharing, weights: dict[str, int], calls: list) -> list[tuple[int, str, int, Granted]]:
    """Every single question of ``calls``, of which each is asked a number of times: (forward time, whose, cost, how it was granted)."""
    now, forward, answers = SECOND, 0, []
    for gap, name, cost, times in calls:
        now, forward = now + gap, forward + max(0, gap)
        if name in weights:
            answers += [(forward, name, cost, sharing.ask(name, now, cost=cost).granted) for _ in range(times)]
    return answers


class Bucket:
    """A tenant's own guarantee and nothing else, in exact fractions: what the neighbours do cannot be seen from here."""

    def __init__(self, rate: Fraction, depth: Fraction) -> None:
        self.rate, self.depth, self.level, self.at = rate, depth, depth, 0

    def covers(self, at: int, cost: int) -> bool:
        self.level, self.at = min(self.depth, self.level + self.rate * (at - self.at) / SECOND), at
        return self.level >= cost

    def take(self, cost: int) -> None:
        self.level = max(Fraction(0), self.level - cost)


@given(platforms, calls)
def test_a_request_within_the_guarantee_is_admitted_whatever_the_others_do(platform: tuple, calls: list) -> None:
    capacity, weights, window = platform
    total = sum(weights.values())
    sharing = Sharing(capacity, weights, window_us=window)
    own = {
        name: Bucket(rate := Fraction(capacity * weight, total), max(rate * window / SECOND, Fraction(1)))
        for name, weight in weights.items()
    }
    for at, name, cost, granted in asked(sharing, weights, calls):
        assert own[name].covers(at, cost) == (granted is Granted.OWN)
        if granted is not Granted.REFUSED:
            own[name].take(cost)


@given(platforms, calls)
def test_together_they_never_get_more_than_there_is(platform: tuple, calls: list) -> None:
    capacity, weights, window = platform
    sharing = Sharing(capacity, weights, window_us=window)
    # In no stretch of time more than capacity * t + burst, said as a bucket of that depth that never runs over.
    poured, last = Fraction(0), 0
    for at, _, cost, granted in asked(sharing, weights, calls):
        poured, last = max(Fraction(0), poured - Fraction(capacity * (at - last), SECOND)), at
        poured += cost if granted is not Granted.REFUSED else 0
        assert poured <= sharing.burst


@settings(max_examples=20)
@given(platforms, st.integers(2, 6))
def test_not_even_when_all_of_them_ask_for_everything(platform: tuple, seconds: int) -> None:
    capacity, weights, window = platform
    sharing, admitted, step = Sharing(min(capacity, 500), weights, window_us=window), 0, 100_000
    for tick in range(seconds * SECOND // step + 1):
        for name in weights:
            while sharing.ask(name, SECOND + tick * step).is_admitted:
                admitted += 1
    assert admitted <= sharing.burst + min(capacity, 500) * seconds


@settings(max_examples=30)
@given(platforms, calls, st.integers(1, 2))
def test_nothing_is_wasted_while_somebody_asks(platform: tuple, calls: list, seconds: int) -> None:
    (capacity, weights, window), step = platform, 2_000
    sharing = Sharing(capacity, weights, window_us=window)
    greedy = min(weights)
    others = [(name, cost, times) for _, name, cost, times in calls if name in weights]
    admitted = 0
    for tick in range(seconds * SECOND // step):
        now = SECOND + tick * step
        if tick % 50 == 0 and others:
            name, cost, times = others[tick // 50 % len(others)]
            admitted += sum(cost for _ in range(times) if sharing.ask(name, now, cost=cost).is_admitted)
        while sharing.ask(greedy, now).is_admitted:
            admitted += 1
    # All buckets were full at the beginning; less than 1 + 1 is in hand that one request could not have.
    assert admitted >= capacity * (seconds - step / SECOND) - 2


@settings(max_examples=30)
@given(platforms, st.integers(0, 3 * SECOND), st.integers(1, 5))
def test_who_comes_back_has_its_guarantee_at_once_and_from_then_on(platform: tuple, idle: int, times: int) -> None:
    capacity, weights, window = platform
    if len(weights) < 2:
        return
    owner, flood = sorted(weights)[:2]
    sharing, rate = Sharing(capacity, weights, window_us=window), Fraction(capacity * weights[owner], sum(weights.values()))
    depth = int(max(rate * window / SECOND, Fraction(1)))
    now = SECOND
    for _ in range(50):
        now += 10_000
        while sharing.ask(flood, now).is_admitted:
            pass
    now += idle
    for _ in range(depth):
        while sharing.ask(flood, now).is_admitted:
            pass
        assert sharing.ask(owner, now).granted is Granted.OWN
    interval = -(-SECOND * rate.denominator // rate.numerator)
    for _ in range(times * 5):
        now += interval
        while sharing.ask(flood, now).is_admitted:
            pass
        assert sharing.ask(owner, now).granted is Granted.OWN


@pytest.mark.parametrize(("weights", "asks"), [((1, 1), (10, 10)), ((1, 3), (10, 10)), ((1, 3), (30, 5)), ((2, 5), (7, 40))])
def test_borrowers_share_the_surplus_by_weight_however_loud_they_are(weights: tuple[int, int], asks: tuple[int, int]) -> None:
    sharing = Sharing(1_000, {"a": weights[0], "b": weights[1], "idle": 20}, window_us=WINDOW)
    got, now = {"a": 0, "b": 0}, SECOND
    for tick in range(10_000):
        now += 1_000
        for name, times in (("a", asks[0]), ("b", asks[1])) if tick % 2 else (("b", asks[1]), ("a", asks[0])):
            got[name] += sum(sharing.ask(name, now).is_admitted for _ in range(times))
    assert got["b"] / got["a"] == pytest.approx(weights[1] / weights[0], rel=0.05)


def test_what_one_borrower_does_not_want_the_other_gets() -> None:
    sharing = Sharing(1_000, {"little": 10, "much": 1, "idle": 9}, window_us=WINDOW)
    got, now = {"little": 0, "much": 0}, SECOND
    for tick in range(10_000):
        now += 1_000
        got["little"] += sum(sharing.ask("little", now).is_admitted for _ in range(tick % 10 < 6))
        got["much"] += sum(sharing.ask("much", now).is_admitted for _ in range(3))
    assert got["little"] == 6_000, "it asks for 600 a second, 500 of which are its own"
    assert got["much"] >= 3_900


def test_the_bursts_of_a_small_tenant_are_not_refused_beside_a_flood() -> None:
    sharing = Sharing(1_000, {"flood": 1, **{f"quiet-{number}": 1 for number in range(50)}})
    now = SECOND
    for second in range(20):
        for tick in range(1_000):
            now += 1_000
            for _ in range(5):
                sharing.ask("flood", now)
            if tick == 500:
                grants = [sharing.ask(f"quiet-{second}", now).granted for _ in range(25)]
                assert Granted.REFUSED not in grants, "19 are its own, the others borrowed"


def test_a_share_of_less_than_a_request_a_window_still_covers_one() -> None:
    sharing = Sharing(10, {"small": 1, "large": 999})
    assert sharing.guarantee("small") == pytest.approx(0.01)
    while sharing.ask("large", SECOND).is_admitted:
        pass
    assert sharing.ask("small", SECOND).granted is Granted.OWN


def test_a_refusal_says_when_the_guarantee_will_cover_it() -> None:
    sharing = Sharing(10, {"a": 1, "b": 1})
    while sharing.ask("a", SECOND).is_admitted:
        pass
    refused = sharing.ask("a", SECOND)
    assert refused.retry_after_us == SECOND // 5
    assert sharing.ask("a", SECOND + SECOND // 5).granted is Granted.OWN
    assert sharing.ask("b", SECOND, cost=1_000).retry_after_us is None


def test_nonsense_is_refused() -> None:
    for arguments in ((0, {"a": 1}), (1, {"a": 0})):
        with pytest.raises(ValueError, match="positive"):
            Sharing(*arguments)
    with pytest.raises(ValueError, match="positive"):
        Sharing(1, {"a": 1}).ask("a", 0, cost=0)
    with pytest.raises(KeyError):
        Sharing(1, {"a": 1}).ask("stranger", 0)
