"""The public keys that a scanner signs with, read over HTTP and kept in this process: for an hour, and for a day where they cannot be had anew.

A stranger who makes up key identifiers can make us ask for the keys once a minute and no more often. While the last attempt has
failed, what is not among the keys is not known to be wrong: the caller is told to come again.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from controlplane.api.errors import BusyError
from controlplane.checks import is_loopback
from tenants.keys.scanners import load_key

logger = logging.getLogger(__name__)

FRESH_SECONDS = 3_600.0
PAUSE_SECONDS = 60.0
"""Between two questions, whoever asks for whatever identifier."""
PAUSE_AFTER_FAILURE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 900.0
"""After a failure, doubling: a key server that turns us away for asking too often is not won over by asking more."""
STALE_SECONDS = 86_400.0
"""How long the last set of keys goes on where a new one cannot be had. A key that was withdrawn meanwhile signs for a day longer, and a forged
report still has to hold the text of a key to do anything."""
STEP_SECONDS, WHOLE_SECONDS = 2.0, 5.0
"""The time-out of one step of the exchange, and how long all of it may take."""
MOST_BYTES = 256 * 1024
MOST_KEYS = 100
_IDENTIFIER = re.compile(r"[0-9A-Za-z_.-]{1,128}")

Keys = dict[str, EllipticCurvePublicKey]


class LeakKeysUnavailableError(BusyError):
    """The scanner's public keys could not be read just now, so its signature was not judged and nothing was done. Send the report again."""

    code = "leak-keys-unavailable"
    title = "The scanner's public keys cannot be read"


class KeyServerError(Exception):
    """What the key server answered cannot be used; the message says why."""


class PublicKeys:
    """The keys of one address. Safe among threads; only one of them asks at a time."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._fresh_until = self._stale_until = self._not_before = float("-inf")
        self._failures = 0

    def find(self, identifier: str) -> EllipticCurvePublicKey | None:
        """Give the key with this identifier; None when there is none. Raises LeakKeysUnavailableError when that cannot be told."""
        if not _IDENTIFIER.fullmatch(identifier):
            return None
        if (key := self._fresh().get(identifier)) is not None:
            return key
        # Only whoever finds no keys at all waits for somebody who is asking: a stranger's made-up identifier must not hold threads.
        if self._lock.acquire(blocking=not self._usable()):
            try:
                if identifier not in self._fresh() and self._clock() >= self._not_before:
                    self._ask()
            finally:
                self._lock.release()
        keys = self._usable()
        if identifier not in keys and (self._failures or not keys):
            raise self._unavailable()
        return keys.get(identifier)

    def _fresh(self) -> Keys:
        return self._keys if self._clock() < self._fresh_until else {}

    def _usable(self) -> Keys:
        return self._keys if self._clock() < self._stale_until else {}

    def _ask(self) -> None:
        try:
            self._keys = fetch_keys(self.url)
        except (KeyServerError, httpx.HTTPError, httpx.InvalidURL) as error:
            logger.warning(
                "the public keys of a secret scanner could not be read", extra={"error": f"{type(error).__name__}: {error}"}
            )
            self._not_before = self._clock() + min(
                LONGEST_PAUSE_SECONDS, PAUSE_AFTER_FAILURE_SECONDS * 2.0 ** min(self._failures, 16)
            )
            self._failures += 1
            return
        self._failures = 0
        self._fresh_until = self._clock() + FRESH_SECONDS
        self._stale_until = self._clock() + STALE_SECONDS
        self._not_before = self._clock() + PAUSE_SECONDS

    def _unavailable(self) -> LeakKeysUnavailableError:
        error = LeakKeysUnavailableError("The scanner's public keys cannot be read just now. Nothing was done.")
        error.retry_after_seconds = max(1, int(self._not_before - self._clock()) + 1)
        return error


def fetch_keys(url: str) -> Keys:
    """Read the keys: ``{"public_keys": [{"key_identifier", "key", "is_current"}]}``, also those that are not current, for reports on their way.

    Raises KeyServerError or one of httpx's errors. Follows no redirect, reads at most 256 KiB, takes at most five seconds. Over plain HTTP
    only this machine is asked.
    """
    if urlsplit(url).scheme != "https" and not is_loopback(url):
        raise KeyServerError("plain HTTP to another machine")
    deadline = time.monotonic() + WHOLE_SECONDS
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "controlplane"}
    with (
        httpx.Client(timeout=STEP_SECONDS, follow_redirects=False, headers=headers, trust_env=not is_loopback(url)) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise KeyServerError(f"status {response.status_code}")
        raw = bytearray()
        for part in response.iter_raw():
            raw += part
            if len(raw) > MOST_BYTES:
                raise KeyServerError(f"more than {MOST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise KeyServerError(f"not done after {WHOLE_SECONDS:.0f} s")
    return _read_keys(bytes(raw))


def _read_keys(raw: bytes) -> Keys:
    try:
        value: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise KeyServerError("not JSON") from None
    entries = value.get("public_keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise KeyServerError("no list of public keys")
    found: Keys = {}
    for entry in entries[:MOST_KEYS]:
        if not isinstance(entry, dict):
            continue
        identifier, pem = entry.get("key_identifier"), entry.get("key")
        if isinstance(identifier, str) and isinstance(pem, str) and (key := load_key(pem)) is not None:
            found[identifier] = key
    if not found:
        raise KeyServerError("no key that can be used")
    return found
