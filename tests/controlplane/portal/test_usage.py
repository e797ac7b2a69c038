"""What the tier promises and what keys did; and the drawings and words that say it, which are pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from controlplane.portal import key_chart, key_words
from controlplane.portal.key_spark import spark_of, total_of
from tests.controlplane.console.made_up_keys import made_up_key, use
from tests.controlplane.portal.people import signed_in

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

NOW = datetime(2026, 11, 26, 18, 40, tzinfo=UTC)


@pytest.mark.django_db
@time_machine.travel(datetime(2026, 11, 26, 23, 40, tzinfo=UTC), tick=False)
def test_calls_are_counted_by_key_and_the_busiest_is_first(viewer: Member, acme: Tenant) -> None:
    for name, calls in (("quiet", [1] * 24), ("busy", [1_000] * 24), ("unused", [0] * 24)):
        use(made_up_key(acme, name).versions.get(), calls)
    page = signed_in(viewer).get("/portal/acme/usage/")
    assert [(line.key.name, calls) for line, calls in page.context_data["busiest"]] == [("busy", 24_000), ("quiet", 24)]
    assert page.context_data["chart"].total == 24_024
    assert "24,024 calls in 24 hours" in page.content.decode()
    assert "Keys with calls on 26 November 2026 (UTC)" in page.content.decode()


@pytest.mark.django_db
@time_machine.travel(datetime(2026, 11, 27, 3, 10, tzinfo=UTC), tick=False)
def test_the_busiest_keys_are_of_a_day_that_one_chooses(viewer: Member, acme: Tenant) -> None:
    use(made_up_key(acme, "by night").versions.get(), [0] * 20 + [4] * 4)
    use(made_up_key(acme, "by day").versions.get(), [7] * 20 + [0] * 4)
    client = signed_in(viewer)

    def busiest(query: str) -> list[tuple[str, int]]:
        page = client.get(f"/portal/acme/usage/{query}")
        return [(line.key.name, calls) for line, calls in page.context_data["busiest"]]

    assert busiest("") == busiest("?day=today") == busiest("?day=nonsense") == [("by night", 16)]
    assert busiest("?day=yesterday") == [("by day", 140)]
    assert client.get("/portal/acme/usage/").context_data["chart"].total == 156


@pytest.mark.django_db
def test_the_api_page_has_the_tenants_own_paths(viewer: Member) -> None:
    page = signed_in(viewer).get("/portal/acme/api/").content.decode()
    for text in (
        "http://testserver/api/v1/tenants/acme/keys",
        "KEY_ID:rotate",
        "INSUFFICIENT_PERMISSIONS",
        "keys:write",
        "$CPK_KEY",
    ):
        assert text in page, text
    assert "globex" not in page


@given(st.lists(st.integers(0, 10**9), min_size=24, max_size=24))
def test_a_spark_stays_within_its_frame_and_shows_every_hour_with_calls(calls: list[int]) -> None:
    spark = spark_of(calls)
    assert spark.path.count("M") == sum(1 for number in calls if number)
    heights = [-float(part.split("h")[0]) for part in spark.path.split("v")[1:]]
    assert all(0 < height <= spark.height for height in heights)
    assert spark.total == sum(calls)


@given(st.lists(st.lists(st.integers(0, 10**7), min_size=24, max_size=24), min_size=1, max_size=4))
def test_a_chart_adds_up_and_stays_within_its_frame(calls: list[list[int]]) -> None:
    versions = [(str(place), place, "current") for place in range(len(calls))]
    chart = key_chart.chart_of(versions, {str(place): row for place, row in enumerate(calls)}, NOW)
    assert chart.total == sum(map(sum, calls)) == sum(total_of(calls))
    assert all(bar.y >= -0.5 and bar.y + bar.height <= chart.height + 0.5 for bar in chart.bars)
    assert chart.hours[-1].begins == NOW.replace(minute=0)
    assert chart.top >= max(1, *(hour.total for hour in chart.hours))


@pytest.mark.parametrize(("highest", "top"), [(1, 1), (3, 5), (7, 10), (1_001, 2_000), (9_999, 10_000)])
def test_an_axis_ends_at_a_round_number(highest: int, top: int) -> None:
    assert key_chart.nice(highest) == top


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45, "45 s"), (120, "2 min"), (8_040, "2 h 14 min"), (3_600, "1 h"), (273_600, "3 days 4 h"), (-5, "0 s")],
)
def test_what_is_left_is_told_in_two_units(seconds: int, words: str) -> None:
    assert key_words.roughly(timedelta(seconds=seconds)) == words


def test_moments_are_told_from_now() -> None:
    assert key_words.ago(NOW - timedelta(seconds=10), NOW) == "just now"
    assert key_words.ago(NOW + timedelta(seconds=10), NOW) == "in less than a minute"
    assert key_words.ago(NOW - timedelta(minutes=14), NOW) == "14 min ago"
    assert key_words.ago(NOW + timedelta(days=3, hours=1), NOW) == "in 3 days"


def test_a_scope_says_what_it_allows() -> None:
    assert key_words.scope_of("events:write") == "Write events."
    assert key_words.scope_of("grade-books:export-all") == "Export all grade books."
    assert "no stronger than itself" in key_words.scope_of("keys:write")
