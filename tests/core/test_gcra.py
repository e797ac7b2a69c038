"""The limiter's arithmetic: never too much, never starved for long, and the same inside Redis."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from core import gcra
from core.gcra import Limit, decide

SECOND = gcra.MICROSECONDS
NOW = 1_800_000_000 * SECOND

limits = st.builds(
    Limit,
    count=st.integers(1, 5_000),
    period_us=st.integers(1_000, 3_600 * SECOND),
    burst=st.integers(0, 500),
)


def test_a_fresh_limit_admits_its_burst_and_no_more() -> None:
    limit, tat, answers = Limit(count=10, period_us=SECOND, burst=3), None, []
    for _ in range(5):
        decision, tat = decide(tat, NOW, limit)
        answers.append(decision)
    assert [answer.allowed for answer in answers] == [True, True, True, False, False]
    assert [answer.remaining for answer in answers] == [2, 1, 0, 0, 0]
    assert answers[3].retry_after_us == SECOND // 10
    assert answers[3].reset_after_us == 3 * SECOND // 10


@pytest.mark.parametrize("count", [3, 7, 11, 13, 999])
def test_a_burst_is_exact_where_the_interval_is_not(count: int) -> None:
    limit, tat, admitted = Limit(count=count, period_us=SECOND), None, 0
    for _ in range(count + 5):
        decision, tat = decide(tat, NOW, limit)
        admitted += decision.allowed
    assert admitted == count


def test_waiting_as_told_is_enough_and_a_microsecond_less_is_not() -> None:
    limit = Limit(count=10, period_us=SECOND, burst=1)
    _, tat = decide(None, NOW, limit)
    refused, same = decide(tat, NOW, limit)
    assert not refused.allowed
    assert refused.retry_after_us is not None
    assert same == tat
    assert decide(tat, NOW + refused.retry_after_us, limit)[0].allowed
    assert not decide(tat, NOW + refused.retry_after_us - 1, limit)[0].allowed


def test_a_cost_above_the_burst_is_never_admitted_and_says_so() -> None:
    decision, tat = decide(None, NOW, Limit(count=10, period_us=SECOND, burst=3), cost=4, patience_us=60 * SECOND)
    assert (decision.allowed, decision.retry_after_us, tat) == (False, -1, NOW)


def test_a_cost_of_nothing_looks_without_taking() -> None:
    limit = Limit(count=10, period_us=SECOND, burst=3)
    _, tat = decide(None, NOW, limit, cost=2)
    look, after = decide(tat, NOW, limit, cost=0)
    assert (look.allowed, look.remaining, after) == (True, 1, tat)


def test_patience_reserves_slots_one_interval_apart() -> None:
    limit, tat, waits = Limit(count=10, period_us=SECOND, burst=2), None, []
    for _ in range(6):
        decision, tat = decide(tat, NOW, limit, patience_us=300_000)
        waits.append(decision.wait_us if decision.allowed else None)
    assert waits == [0, 0, 100_000, 200_000, 300_000, None]


def test_a_lowered_limit_clamps_and_neither_resets_nor_starves() -> None:
    generous, mean, tat = Limit(count=1_000, period_us=3_600 * SECOND), Limit(count=1_000, period_us=3_600 * SECOND, burst=10), None
    for _ in range(1_000):
        _, tat = decide(tat, NOW, generous)
    refused, _ = decide(tat, NOW, mean)
    assert not refused.allowed
    assert refused.retry_after_us == mean.interval_us


def test_a_clock_that_ran_back_costs_one_burst_at_most() -> None:
    limit = Limit(count=10, period_us=SECOND, burst=5)
    refused, _ = decide(NOW + 86_400 * SECOND, NOW, limit)
    assert refused.retry_after_us == limit.interval_us


@pytest.mark.parametrize(
    "arguments", [{"count": 0, "period_us": 1}, {"count": 1, "period_us": 0}, {"count": 1, "period_us": 1, "burst": -1}]
)
def test_nonsense_limits_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Limit(**arguments)


def test_a_limit_that_would_leave_exact_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="400 days"):
        Limit(count=1, period_us=86_400 * SECOND, burst=500)


def test_a_rate_that_does_not_divide_falls_short_and_never_over() -> None:
    limit, tat, admitted = Limit(count=700, period_us=1_000, burst=1), None, 0
    for microsecond in range(5_000):
        decision, tat = decide(tat, NOW + microsecond, limit)
        admitted += decision.allowed
    assert admitted <= 1 + 5_000 * 0.7


def test_slow_rates_are_rounded_up_never_down() -> None:
    assert Limit.per_second(0.1).interval_us == 10 * SECOND
    assert Limit.per_second(3).interval_us == 333_334


@given(
    limit=limits,
    patience_us=st.sampled_from([0, 0, 50_000, SECOND]),
    calls=st.lists(st.tuples(st.integers(0, 2 * SECOND), st.integers(0, 5)), min_size=1, max_size=60),
)
def test_no_span_of_time_admits_more_than_burst_and_rate(limit: Limit, patience_us: int, calls: list[tuple[int, int]]) -> None:
    now, tat, admitted = NOW, None, []
    for gap, cost in calls:
        now += gap
        decision, tat = decide(tat, now, limit, cost=cost, patience_us=patience_us)
        if decision.allowed and cost:
            admitted.append((now + decision.wait_us, cost))
    burst = limit.burst or limit.count
    for first, (begin, _) in enumerate(admitted):
        spent = 0
        for end, cost in admitted[first:]:
            spent += cost
            assert spent <= burst + (end - begin) * limit.count / limit.period_us + 1e-9


@given(limit=limits, ahead=st.integers(-10 * SECOND, 10 * SECOND), cost=st.integers(0, 600), patience_us=st.integers(0, SECOND))
def test_a_decision_is_consistent_in_itself(limit: Limit, ahead: int, cost: int, patience_us: int) -> None:
    decision, stored = decide(NOW + ahead, NOW, limit, cost=cost, patience_us=patience_us)
    assert (decision.retry_after_us is None) == decision.allowed
    assert 0 <= decision.remaining <= (limit.burst or limit.count)
    assert decision.reset_after_us == stored - NOW >= 0
    assert decision.wait_us <= patience_us
    if not decision.allowed and decision.retry_after_us != -1:
        assert decide(stored, NOW + (decision.retry_after_us or 0), limit, cost=cost)[0].allowed


class TestInRedis:
    @given(
        limit=limits,
        ahead=st.one_of(st.none(), st.integers(-5 * SECOND, 5 * SECOND), st.integers(-(10**13), 10**13)),
        cost=st.integers(0, 600),
        patience_us=st.sampled_from([0, 1, 250_000, SECOND, 10 * SECOND]),
    )
    def test_the_script_decides_as_the_pure_function_does(
        self, redis_url: str, limit: Limit, ahead: int | None, cost: int, patience_us: int
    ) -> None:
        with redis.Redis.from_url(redis_url) as client:
            key, before = "test:gcra:agree", None
            client.delete(key)
            if ahead is not None:
                seconds, microseconds = client.time()
                before = max(0, seconds * SECOND + microseconds + ahead)
                client.set(key, before)
            arguments = gcra.script_arguments(limit, cost=cost, patience_us=patience_us)
            with client.pipeline(transaction=True) as together:  # so that a short-lived key is read before it goes
                client.register_script(gcra.LUA)(keys=[key], args=arguments, client=together)
                reply, after, lifetime_ms = together.get(key).pttl(key).execute()
            decision = gcra.read_reply(reply)
            expected, stored = decide(before, decision.now_us, limit, cost=cost, patience_us=patience_us)
            assert decision == expected
            is_clamped = not expected.allowed and before is not None and before > stored
            if is_clamped or (expected.allowed and cost):
                assert int(after) == stored
                assert stored - decision.now_us <= lifetime_ms * 1000 <= stored - decision.now_us + 2_000
            else:
                assert (None if after is None else int(after)) == before

    def test_many_at_once_share_one_burst(self, redis_url: str) -> None:
        from concurrent.futures import ThreadPoolExecutor

        limit = Limit(count=1, period_us=3_600 * SECOND, burst=25)
        with redis.Redis.from_url(redis_url) as client, ThreadPoolExecutor(8) as pool:
            client.delete("test:gcra:crowd")
            script = client.register_script(gcra.LUA)
            replies = pool.map(lambda _: script(keys=["test:gcra:crowd"], args=gcra.script_arguments(limit)), range(100))
            assert sum(gcra.read_reply(reply).allowed for reply in replies) == 25

    def test_a_refused_call_leaves_no_trace(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            client.delete("test:gcra:refused")
            reply = client.register_script(gcra.LUA)(
                keys=["test:gcra:refused"], args=gcra.script_arguments(Limit(count=1, period_us=SECOND), cost=2)
            )
            assert not gcra.read_reply(reply).allowed
            assert not client.exists("test:gcra:refused")

    def test_whoever_waits_as_told_after_a_lowered_limit_is_admitted(self, redis_url: str) -> None:
        generous, mean = Limit(count=1_000, period_us=3_600 * SECOND), Limit(count=1_000, period_us=SECOND, burst=10)
        with redis.Redis.from_url(redis_url) as client:
            client.delete("test:gcra:lowered")
            ask = client.register_script(gcra.LUA)
            for _ in range(1_000):
                ask(keys=["test:gcra:lowered"], args=gcra.script_arguments(generous))
            decisions = []
            for _ in range(2_000):  # each of at least some microseconds, so far longer than the millisecond that is told
                decisions.append(gcra.read_reply(ask(keys=["test:gcra:lowered"], args=gcra.script_arguments(mean))))
                if decisions[-1].allowed:
                    break
            assert not decisions[0].allowed
            assert decisions[0].retry_after_us == mean.interval_us
            assert decisions[-1].allowed
            assert decisions[-1].now_us - decisions[0].now_us < SECOND
