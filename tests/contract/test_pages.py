"""A list that was cut short must never pass for a whole one."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.errors import AwsError
from core.aws.pages import pages


def test_a_list_is_read_to_its_end() -> None:
    given: dict[str | None, dict[str, Any]] = {
        None: {"Keys": [1, 2], "NextMarker": "m", "Truncated": True},
        "m": {"Keys": [3], "Truncated": False},
    }
    assert list(pages(lambda Marker=None: given[Marker], items="Keys", sent="Marker", received="NextMarker")) == [1, 2, 3]  # noqa: N803


def test_a_list_cut_short_without_a_marker_is_an_error() -> None:
    with pytest.raises(AwsError, match="cut short"):
        list(pages(lambda: {"Keys": [1], "Truncated": True}, items="Keys", sent="Marker", received="NextMarker"))
