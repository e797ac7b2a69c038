"""The pure parts: words, durations, and the chart's arithmetic."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.console import words
from controlplane.console.chart import MODELS, STATES, chart_of, nice_step
from provisioning.models import OperationKind, OperationState, ResourceState, StepAction, StepState
from provisioning.resources import KINDS
from tenants.lifecycle import TenantState
from tenants.models import CellState


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "1 ms"),
        (timedelta(milliseconds=41), "41 ms"),
        (timedelta(seconds=1.44), "1.4 s"),
        (timedelta(seconds=59.4), "59 s"),
        (timedelta(seconds=59.6), "1 min 00 s"),
        (timedelta(seconds=185), "3 min 05 s"),
        (timedelta(hours=2, minutes=9), "2 h 09 min"),
        (timedelta(days=7), "7 days"),
        (timedelta(seconds=-3), "1 ms"),
        (None, ""),
    ],
)
def test_durations(span: timedelta | None, text: str) -> None:
    assert words.lasted(span) == text


def test_every_state_and_kind_has_its_word() -> None:
    assert set(words.TENANT_TONES) == set(TenantState)
    assert set(words.OPERATION_TONES) == set(OperationState.values) | set(StepState.values)
    assert set(words.RESOURCE_TONES) == set(ResourceState.values)
    assert set(words.CELL_TONES) == set(CellState.values)
    assert set(words.KINDS) >= set(KINDS)
    assert set(words.OPERATIONS) == set(OperationKind.values)
    assert set(words.STEP_VERBS) == set(StepAction.values)


@pytest.mark.parametrize(
    ("actor", "text"),
    [
        ("operator:ada", "ada"),
        ("system:sweep", "the system (sweep)"),
        ("hook:crm", "hook crm"),
        ("nonsense", "nonsense"),
        ("", "nobody"),
    ],
)
def test_who(actor: str, text: str) -> None:
    assert words.who(actor) == text


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("user_pool", "own", "Cognito user pool"),
        ("storage_prefix", "shared", "S3 prefix (shared)"),
        ("bucket", "shared", "shared S3 bucket"),
        ("new_kind", "own", "new kind"),
        ("secret", "api", "secret container “api”"),
    ],
)
def test_resources(kind: str, name: str, text: str) -> None:
    assert words.resource_of(kind, name) == text


@given(st.integers(min_value=0, max_value=10**9))
def test_an_axis_has_few_round_ticks_and_reaches_the_highest(highest: int) -> None:
    step = nice_step(highest)
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert highest <= -(-max(1, highest) // step) * step
    assert -(-highest // step) <= 5


@given(st.dictionaries(st.tuples(st.sampled_from(STATES), st.sampled_from(MODELS)), st.integers(min_value=0, max_value=10**6)))
def test_a_chart_adds_up(numbers: dict[tuple[str, str], int]) -> None:
    chart = chart_of(numbers)
    assert chart.total == sum(numbers.values()) == sum(bar.total for bar in chart.bars) == sum(chart.model_totals)
    assert all(sum(segment.width for segment in bar.segments) <= 100.1 for bar in chart.bars)
    assert chart.ticks[0].at == 0
    assert chart.ticks[-1].at == 100
