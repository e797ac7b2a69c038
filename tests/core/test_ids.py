"""Public ids: in the order in which they were made, and all different, also within a millisecond and across threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from core.ids import TENANT, is_id, new_id

NOW_MS = 1_800_000_000_000


def test_ids_of_one_millisecond_keep_their_order() -> None:
    made = [new_id(TENANT, now_ms=NOW_MS) for _ in range(1_000)]
    assert made == sorted(set(made))
    assert all(is_id(one, TENANT) for one in made)
    assert made[-1] < new_id(TENANT, now_ms=NOW_MS + 1)


def test_nobody_can_count_on_to_the_next() -> None:
    made = [int(new_id(TENANT, now_ms=NOW_MS + 2).partition("_")[2], 36) for _ in range(50)]
    steps = {later - earlier for earlier, later in pairwise(made)}
    assert len(steps) == 49


def test_threads_never_get_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(TENANT, now_ms=NOW_MS + 4), range(2_000)))
    assert len(set(made)) == 2_000


@pytest.mark.parametrize("milliseconds", [-1, 1 << 48])
def test_a_time_that_does_not_fit_is_refused(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        new_id(TENANT, now_ms=milliseconds)
