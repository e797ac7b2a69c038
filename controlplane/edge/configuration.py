"""The edge's settings, from the same typed variables as ``controlplane/settings.py`` and without Django's. ``.env.example`` lists them.

Outside dev the start stops where a secret is missing, public or serves two purposes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.edge.bounds import Bounds
from controlplane.edge.counting import MOST_COUNTERS
from controlplane.edge.known import MOST_KEYS
from controlplane.env import INSECURE_KEY_PEPPER, Environment, SettingError
from tenants.limits.bills import MOST_SLOTS
from tenants.limits.costs import Costs

BASE_DIR = Path(__file__).resolve().parents[2]
INSECURE_IDENTITY_KEY = "insecure-and-public-identity-key-for-development-only"
_ENDPOINT = re.compile(r"([a-z][a-z0-9-]{0,30})=(https?://[^\s\"\\]+)")
_COST = re.compile(r"([a-z][a-z0-9-]{0,30})=([1-9][0-9]{0,6})")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one edge is told.

    ``capacity`` is the platform's, in cost a second, ``slots`` are its requests in flight; 0 to share nothing.
    ``endpoints`` are addresses by name, ``costs`` are by class of routes; secrets are by number, the highest in use.
    """

    redis_url: str = field(repr=False)
    peppers: Mapping[int, bytes] = field(repr=False)
    identity_keys: Mapping[int, bytes] = field(repr=False)
    address: str = "127.0.0.1"
    port: int = 8100
    operators_address: str = "127.0.0.1"
    operators_port: int = 8101
    processes: int = 1
    capacity: int = 0
    slots: int = 0
    most_keys: int = MOST_KEYS
    most_counters: int = MOST_COUNTERS
    drain_seconds: int = 20
    held_above: int = 200
    problems_url: str = "https://controlplane.example/docs/problems"
    endpoints: Mapping[str, str] = field(default_factory=dict)
    costs: Costs = field(default_factory=lambda: Costs({}))
    bounds: Bounds = field(default_factory=Bounds)
    log_as_json: bool = False
    log_level: str = "INFO"


def read(env: Environment) -> Configuration:
    """Read the settings; raises SettingError, which names the variable and repeats nothing secret."""
    is_dev = env.text("CONTROLPLANE_ENVIRONMENT", "dev", choices=("dev", "stage", "production")) == "dev"
    state_dir = env.folder("CONTROLPLANE_STATE_DIR", BASE_DIR / ".state")
    configuration = Configuration(
        redis_url=env.url("REDIS_URL", f"unix://{state_dir}/valkey.sock", schemes=("redis", "rediss", "unix")),
        peppers=env.numbered_secrets("KEY_PEPPERS", {1: INSECURE_KEY_PEPPER}),
        identity_keys=env.numbered_secrets("EDGE_IDENTITY_KEYS", {1: INSECURE_IDENTITY_KEY}),
        address=env.text("CONTROLPLANE_EDGE_ADDRESS", "127.0.0.1"),
        port=env.whole("CONTROLPLANE_EDGE_PORT", 8100, minimum=0, maximum=65_535),
        operators_address=env.text("CONTROLPLANE_EDGE_OPERATORS_ADDRESS", "127.0.0.1"),
        operators_port=env.whole("CONTROLPLANE_EDGE_OPERATORS_PORT", 8101, minimum=0, maximum=65_535),
        processes=env.whole("CONTROLPLANE_EDGE_PROCESSES", 0, minimum=0, maximum=256) or os.cpu_count() or 1,
        capacity=env.whole("CONTROLPLANE_CAPACITY_PER_SECOND", 0, minimum=0, maximum=100_000_000),
        slots=env.whole("CONTROLPLANE_CAPACITY_IN_FLIGHT", 0, minimum=0, maximum=MOST_SLOTS),
        most_keys=env.whole("CONTROLPLANE_EDGE_KEYS", MOST_KEYS, minimum=1, maximum=10_000_000),
        most_counters=env.whole("CONTROLPLANE_EDGE_COUNTERS", MOST_COUNTERS, minimum=1, maximum=10_000_000),
        drain_seconds=env.whole("CONTROLPLANE_EDGE_DRAIN_SECONDS", 20, minimum=1, maximum=600),
        held_above=env.whole("CONTROLPLANE_EDGE_HELD_ABOVE", 200, minimum=1, maximum=1_000_000),
        problems_url=env.url("CONTROLPLANE_PROBLEMS_URL", "https://controlplane.example/docs/problems", schemes=("http", "https")),
        endpoints=_pairs(env, "CONTROLPLANE_EDGE_ENDPOINTS", _ENDPOINT, "name=https://..."),
        costs=Costs({name: int(cost) for name, cost in _pairs(env, "CONTROLPLANE_EDGE_COSTS", _COST, "class=cost").items()}),
        bounds=Bounds(connections=env.whole("CONTROLPLANE_EDGE_CONNECTIONS", 10_000, minimum=1, maximum=1_000_000)),
        log_as_json=env.text("CONTROLPLANE_LOG_FORMAT", "console" if is_dev else "json", choices=("console", "json")) == "json",
        log_level=env.text("CONTROLPLANE_LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
    )
    if not is_dev:
        _refuse_unsafe(env, configuration)
    return configuration


def _refuse_unsafe(env: Environment, configuration: Configuration) -> None:
    if not env.has("REDIS_URL"):
        raise SettingError("REDIS_URL must be set outside dev.")
    for name, secrets, insecure in (
        ("KEY_PEPPERS", configuration.peppers, INSECURE_KEY_PEPPER),
        ("EDGE_IDENTITY_KEYS", configuration.identity_keys, INSECURE_IDENTITY_KEY),
    ):
        if insecure.encode() in secrets.values():
            raise SettingError(f"{name} must be set outside dev: its default is public.")
    if set(configuration.peppers.values()) & set(configuration.identity_keys.values()):
        raise SettingError("EDGE_IDENTITY_KEYS and KEY_PEPPERS must not share a secret.")


def _pairs(env: Environment, name: str, shape: re.Pattern[str], written: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for place, word in enumerate(env.words(name), start=1):
        match = shape.fullmatch(word)
        if match is None or match[1] in pairs:
            raise SettingError(f"{name}, entry {place}: expected {written}, each name once.")
        pairs[match[1]] = match[2]
    return pairs
