"""A Valkey for each test module, with nothing else in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.edge.world import Platform
from tests.services import Valkey


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    service = Valkey()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def platform(valkey: Valkey) -> Platform:
    """An empty Redis, and the control plane's hand on it."""
    platform = Platform(valkey.url)
    platform.board._redis.flushall()
    return platform
