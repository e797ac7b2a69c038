"""What a key may do. Pure.

A scope is ``<noun>:<verb>`` in lower case. Two are ours, for keys that manage keys; all others are the SaaS's own functions, a setting
(``CONTROLPLANE_KEY_SCOPES``): the control plane grants and checks them, and does not know what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Collection

KEYS_READ, KEYS_WRITE = "keys:read", "keys:write"
MANAGEMENT = frozenset({KEYS_READ, KEYS_WRITE})
DEFAULT = ("events:read", "events:write", "jobs:read", "jobs:write", "usage:read")
SHAPE = r"[a-z][a-z0-9-]{0,30}:[a-z][a-z0-9-]{0,30}"
_SCOPE = re.compile(SHAPE)


def is_scope(word: str) -> bool:
    """Say whether ``word`` has the shape of a scope."""
    return _SCOPE.fullmatch(word) is not None


def known_scopes(of_the_saas: Collection[str]) -> frozenset[str]:
    """Give every scope that a key can have."""
    return MANAGEMENT | frozenset(of_the_saas)
