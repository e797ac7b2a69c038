"""The Lua that runs inside Redis, put together from the files beside it, with the numbers that Python has too.

What is pure in Python is written once more in Lua because Redis must decide and charge in one step; tests hold the two to each other.
"""

from __future__ import annotations

import re
from pathlib import Path

from tenants.limits import concurrency
from tenants.limits.calendar import DAY_US
from tenants.limits.effective import LEASE_SECONDS
from tenants.limits.fairness import LENDING_US, WINDOW_US
from tenants.limits.projection import EPOCH_BYTES, PREFIX, STAMP_BYTES, STANDING_AT, WEIGHT_AT, Kind, Standing
from tenants.limits.quotas import BACKSTEP_US
from tenants.limits.slots import LENT_US, STEP_US, STEPS

_FOLDER = Path(__file__).parent / "lua"
EXACT = 64
"""A lease of quota tokens is at most this part of what is left, so none is drawn when less than so many are."""
PLATFORM, PLATFORM_SLOTS = 9, 10
"""The places of the platform's two among the limits that refuse: after four of the tenant and four of the key."""
POPPED = 128
"""How many full buckets and ended slots one question to the platform clears away at most. The others wait: less is lent for a moment, never more."""


VERDICT, RECORD, FLIGHT, GUARANTEE = ">I1i8I8I4", ">I8I8I4I4I8I4I8", ">I4I8", ">I8"
HOLDER, SUMS = ">I4I4I8I8I4", ">" + "d" * (STEPS + 1)
LIMITS, RETURNED, PERIODS = ">i4i8i8i8i8", ">I8I4I4", ">I4I4"
"""Shapes of what goes into the script and comes out of it, in the words of Lua's ``struct``; :mod:`tenants.limits.spending` has them in Python's."""

_WORDS = {
    "DAY": DAY_US,
    "BACKSTEP": BACKSTEP_US,
    "LEASE": LEASE_SECONDS * 1_000_000,
    "HINT": concurrency.HINT_US,
    "WINDOW": WINDOW_US,
    "LENDING": LENDING_US,
    "EXACT": EXACT,
    "PLATFORM": PLATFORM,
    "PLATFORM_SLOTS": PLATFORM_SLOTS,
    "STEPS": STEPS,
    "STEP": STEP_US,
    "LENT": LENT_US,
    "POPPED": POPPED,
    "TINY": "1e-9",
    **{
        name: f"'{shape}'"
        for name, shape in (("VERDICT", VERDICT), ("RECORD", RECORD), ("FLIGHT", FLIGHT), ("GUARANTEE", GUARANTEE))
    },
    **{name: f"'{shape}'" for name, shape in (("HOLDER", HOLDER), ("SUMS", SUMS))},
    **{name: f"'{shape}'" for name, shape in (("LIMITS", LIMITS), ("RETURNED", RETURNED), ("PERIODS", PERIODS))},
}
# Places of bytes are counted from 1 in Lua.
_WORDS |= {
    "KIND_AT": len(PREFIX) + EPOCH_BYTES + 1,
    "TENANT": f"'{Kind.TENANT.decode()}'",
    "STAMP_BYTES": STAMP_BYTES,
    "STANDING_AT": STANDING_AT + 1,
    "WEIGHT_AT": WEIGHT_AT + 1,
    "SERVED": int(Standing.SERVED),
}
_HEAD = """
local call, to_bytes, from_bytes = redis.call, struct.pack, struct.unpack
local floor, ceil, min, max, huge = math.floor, math.ceil, math.min, math.max, math.huge
"""


def text(name: str) -> str:
    """Give a file of the folder ``lua``, with the words that stand for numbers and shapes replaced by them."""
    words = re.compile(rf"\b({'|'.join(_WORDS)})\b")
    return words.sub(lambda word: str(_WORDS[word[0]]), (_FOLDER / f"{name}.lua").read_text(encoding="ascii"))


CLOCK = text("clock")
"""Where the scripts read the time. Tests put another in its place."""
SPEND = _HEAD + CLOCK + text("sharing") + text("slots") + text("spending")
GIVE_BACK = text("give_back")
PUT_BACK = text("put_back")
WRITE_RECORDS, REMOVE_RECORDS, SWAP_EPOCH, HOLD_BUILD = (
    text(name) for name in ("write_records", "remove_records", "swap_epoch", "hold_build")
)
