"""Peppers as they stand in the environment: numbered, long enough, and never repeated in an error."""

from __future__ import annotations

import pytest

from controlplane.env import Environment, SettingError

LONG = "x" * 32


def read(value: str) -> dict[int, bytes]:
    return Environment({"TOKEN_PEPPERS": value}).numbered_secrets("TOKEN_PEPPERS", {1: "default"})


def test_unset_means_the_default() -> None:
    assert read("") == {1: b"default"}


def test_each_has_its_number() -> None:
    assert read(f"1:{LONG}, 12:{LONG}:with:colons") == {1: LONG.encode(), 12: f"{LONG}:with:colons".encode()}


@pytest.mark.parametrize(
    "value", [LONG, f"0:{LONG}", f"-1:{LONG}", f"one:{LONG}", f"40000:{LONG}", f"1:{LONG},1:{LONG}", f":{LONG}"]
)
def test_a_number_that_cannot_be_meant_stops_the_start(value: str) -> None:
    with pytest.raises(SettingError, match="number:secret") as refused:
        read(value)
    assert LONG not in str(refused.value)


def test_a_short_one_stops_the_start_and_is_not_repeated() -> None:
    with pytest.raises(SettingError, match="entry 2: the secret must hold at least 32 bytes") as refused:
        read(f"1:{LONG},2:hunter2")
    assert "hunter2" not in str(refused.value)
