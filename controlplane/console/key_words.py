"""The words in which the console speaks of the store, and of the visible start of keys; what all doors say of keys is in ``tenants.keys.words``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.keys.words import start_of as visible_start

if TYPE_CHECKING:
    from tenants.keys.models import ApiKey, KeyVersion

STORE_TONES = {"unsettled": "busy", "settled": "good", "lost": "bad", "empty": "quiet"}
STORE_WORDS = {
    "unsettled": "store not settled",
    "settled": "in the store",
    "lost": "lost from the store",
    "empty": "not in the store",
}


def store_of(state: str) -> str:
    """Give a store state in words."""
    return STORE_WORDS.get(state, state)


def start_of(key: ApiKey, version: KeyVersion | None) -> str:
    """Give the visible start and end of a key's text.

    Of an imported text only the end is known (``imported for live, …1234``), and of a key that has ended only the start is shown.
    """
    end = version.last_four if version else ""
    if version is not None and version.algorithm == "hmac-sha256-of-sha256":
        return f"imported for {key.environment}{', …' if end else ''}{end}"
    return visible_start(key.brand, key.environment, key.public_id, end)
