"""What all doors say of keys: a word and a tone for whatever there is, and nothing that only looks like one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tenants.keys import words
from tenants.keys.models import KeyState, Stage
from tenants.words import count, span

NOW = datetime(2026, 11, 26, 18, 40, tzinfo=UTC)
TONES = {"good", "busy", "warn", "bad", "quiet"}


def test_every_state_and_stage_has_its_tone() -> None:
    assert set(words.STATE_TONES) == set(KeyState.values)
    assert set(words.STAGE_TONES) == set(Stage.values)
    assert {*words.STATE_TONES.values(), *words.STAGE_TONES.values()} <= TONES


def test_every_cause_of_a_retirement_has_its_words() -> None:
    sources = Path(words.__file__).parent.glob("*.py"), Path(words.__file__).parents[2].glob("provisioning/*.py")
    said = {cause for found in sources for path in found for cause in re.findall(r'because="([a-z-]+)"', path.read_text())}
    assert {"rotated", "offboarded"} <= said
    assert said <= set(words.BECAUSE)
    assert words.because("a-cause_of_tomorrow") == "a cause of tomorrow"


@pytest.mark.parametrize(
    ("days", "tone"), [(-1, ""), (0, ""), (1 / 86_400, "bad"), (7, "bad"), (7.01, "warn"), (30, "warn"), (30.01, "")]
)
def test_what_ends_soon_is_marked(days: float, tone: str) -> None:
    assert words.nearness(NOW + timedelta(days=days), NOW) == tone


def test_what_never_ends_is_not_marked() -> None:
    assert words.nearness(None, NOW) == ""


def test_the_visible_start_shows_eight_characters_of_the_text_at_most() -> None:
    assert words.start_of("cpk", "live", "AbCdEfGhIjKlMnOp", "1234") == "cpk_live_AbCd…1234"
    assert words.start_of("cpk", "test", "AbCdEfGhIjKlMnOp") == "cpk_test_AbCd…"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "no time"),
        (1, "1 second"),
        (90, "90 seconds"),
        (3_600, "1 hour"),
        (86_400, "24 hours"),
        (604_800, "7 days"),
        (5_400, "90 minutes"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_a_number_goes_with_its_noun() -> None:
    assert (count(1, "call"), count(2_400, "call"), count(0, "try", "tries")) == ("1 call", "2,400 calls", "0 tries")
