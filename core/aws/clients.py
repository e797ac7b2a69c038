"""The boto3 clients of this process: one a service, region and endpoint, made once and shared by all threads.

A client costs tens of milliseconds and megabytes; roles and session names therefore never make a new one (see
:mod:`core.aws.credentials`). A forked child starts with none: sockets must not be shared with the parent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import Session as CoreSession

from core.aws import calls
from core.aws.credentials import ContextCredentials

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 15
POOL_CONNECTIONS = 32
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A place to call: partition, region and account, the role to work under, and an endpoint when it is not AWS's own.

    An empty ``role_arn`` means the process's own credentials. With ``endpoint_url`` None ``AWS_ENDPOINT_URL`` decides, else AWS's own names.
    """

    partition: str
    region: str
    account_id: str
    role_arn: str = ""
    endpoint_url: str | None = None


class _ContextProvider:
    """What botocore asks for a new client's credentials."""

    def load_credentials(self) -> Credentials:
        return ContextCredentials()


class Clients:
    """A process's clients, the handlers that all of them carry, and its ambient credentials. Safe across threads."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[tuple[str, str, str | None], Any] = {}
        self._handlers: list[tuple[str, Handler]] = []
        self._ambient: CoreSession | None = None
        self._core = CoreSession()
        self._core.register_component("credential_provider", _ContextProvider())
        self._boto3: boto3.Session | None = None

    def forget_ambient(self) -> None:
        """Look for the process's own credentials anew at the next call that needs them."""
        with self._lock:
            self._ambient = None

    def forget(self) -> None:
        """Drop every client and the ambient credentials, keeping the handlers; for a forked child."""
        handlers = self._handlers
        self._reset()
        self._handlers = handlers

    def get(self, service: str, target: Target) -> Any:
        """Give the client of ``service`` (boto3's name) for the target's region and endpoint, made on first use."""
        endpoint = endpoint_of(target)
        key = (service, target.region, endpoint)
        client = self._made.get(key)
        if client is None:
            with self._lock:  # making a client is not thread-safe in botocore; using one is
                client = self._made.get(key) or self._make(service, target.region, endpoint)
                self._made[key] = client
        return client

    def ambient(self) -> Credentials | None:
        """Load the process's own credentials by botocore's default chain; botocore caches and renews them."""
        with self._lock:
            if self._ambient is None:
                self._ambient = CoreSession()
            return self._ambient.get_credentials()

    def register(self, event: str, handler: Handler) -> None:
        """Attach ``handler`` to a botocore event (``before-send``, ``after-call`` ...) of every client, made or yet to be made."""
        with self._lock:
            self._handlers.append((event, handler))
            for client in self._made.values():
                client.meta.events.register(event, handler)

    def unregister(self, event: str, handler: Handler) -> None:
        """Take ``handler`` off again."""
        with self._lock:
            self._handlers.remove((event, handler))
            for client in self._made.values():
                client.meta.events.unregister(event, handler)

    def _make(self, service: str, region: str, endpoint: str | None) -> Any:
        if self._boto3 is None:
            self._boto3 = boto3.Session(botocore_session=self._core)
        make: Any = self._boto3.client  # the stubs want a literal service name
        client = make(service, region_name=region, endpoint_url=endpoint, config=_config(endpoint))
        for event, handler in calls.HANDLERS:
            client.meta.events.register_first(event, handler)
        for event, handler in self._handlers:
            client.meta.events.register(event, handler)
        return client


def endpoint_of(target: Target) -> str | None:
    """Give the endpoint that calls to this target go to, None for AWS's own."""
    return target.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") or None


def _config(endpoint: str | None) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "legacy", "max_attempts": 0},  # none: core.aws.calls retries reads; 1 would still send twice
        max_pool_connections=POOL_CONNECTIONS,
        tcp_keepalive=True,
        user_agent_extra="controlplane",
        proxies={} if endpoint and urlsplit(endpoint).hostname in LOOPBACK else None,  # None leaves it to the environment
        s3={"addressing_style": "path" if endpoint else "auto"},
    )


shared = Clients()
"""The one instance of this process."""

os.register_at_fork(after_in_child=shared.forget)
