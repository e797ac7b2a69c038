"""Whose name a call is signed in, chosen for each call and not for each client.

A boto3 client costs tens of milliseconds to make, a session name changes with every tenant and actor. So all clients of a process hold
one :class:`ContextCredentials`, which gives out whatever the calling :class:`~core.aws.calls.Caller` has put in the context of this
thread or task. Outside a call there is nothing to give: a client used behind the gateways' back fails instead of acting as somebody else.
"""

from __future__ import annotations

import datetime
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol

from botocore.credentials import Credentials, ReadOnlyCredentials

from core.aws.errors import AwsError

REFRESH_BEFORE = datetime.timedelta(minutes=5)
"""Assumed-role credentials are renewed this long before they expire: longer than any call, time-outs and clock skew together."""
CACHE_SIZE = 2048
"""Sessions kept a process, about one kilobyte each; the longest unused goes first."""

current: ContextVar[ReadOnlyCredentials | None] = ContextVar("aws_credentials", default=None)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class ContextCredentials(Credentials):
    """The credentials object of every client: reads the context at the moment of signing."""

    def __init__(self) -> None:
        super().__init__("set-by-each-call", "set-by-each-call", method="context")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Give the credentials of the call that is being signed; raises AwsError outside one."""
        chosen = current.get()
        if chosen is None:
            raise AwsError("An AWS client was used outside a gateway call, so there is nobody to sign as.", aws_code="NoCaller")
        return chosen


class CredentialSource(Protocol):
    """Where a caller's credentials come from."""

    def frozen(self) -> ReadOnlyCredentials:
        """Give credentials that are valid now; may call STS; raises AwsError."""

    def forget(self) -> None:
        """Drop what is cached: AWS has said that it is no longer good."""


class Fixed:
    """Credentials given once, such as a tenant's vended ones; nothing renews them."""

    def __init__(self, access_key: str, secret_key: str, token: str | None) -> None:
        self._frozen = ReadOnlyCredentials(access_key, secret_key, token)

    def frozen(self) -> ReadOnlyCredentials:
        """Give the credentials as they were given."""
        return self._frozen

    def forget(self) -> None:
        """Nothing is cached."""


class Ambient:
    """The process's own credentials, by botocore's default chain (environment, profile, container, instance), which renews them."""

    def __init__(self, load: Callable[[], Credentials | None]) -> None:
        self._load = load

    def frozen(self) -> ReadOnlyCredentials:
        """Give the process's credentials; raises AwsError when there are none."""
        found = self._load()
        if found is None:
            raise AwsError("No AWS credentials were found for this process.", aws_code="NoCredentialsError")
        return found.get_frozen_credentials()

    def forget(self) -> None:
        """Nothing of ours is cached: botocore keeps and renews these."""


class AssumedRole:
    """One role session, renewed before it expires; however many threads ask, one of them calls STS."""

    def __init__(
        self, assume: Callable[[], tuple[ReadOnlyCredentials, datetime.datetime]], now: Callable[[], datetime.datetime] = _now
    ) -> None:
        self._assume = assume
        self._now = now
        self._lock = threading.Lock()
        self._held: tuple[ReadOnlyCredentials, datetime.datetime] | None = None

    def frozen(self) -> ReadOnlyCredentials:
        """Give the session's credentials, assuming the role when there are none or they are about to expire; raises AwsError."""
        held = self._held
        if held is not None and self._now() < held[1] - REFRESH_BEFORE:
            return held[0]
        with self._lock:
            held = self._held
            if held is None or self._now() >= held[1] - REFRESH_BEFORE:
                held = self._held = self._assume()
            return held[0]

    def forget(self) -> None:
        """Assume the role anew at the next call."""
        self._held = None


class SessionCache:
    """The role sessions of this process by (role, region, endpoint, session name), bounded, safe across threads."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._sessions: OrderedDict[tuple[str | None, ...], AssumedRole] = OrderedDict()

    def get_or_make(self, key: tuple[str | None, ...], make: Callable[[], AssumedRole]) -> AssumedRole:
        """Give the session kept under ``key``, making it (which calls nothing yet) when there is none."""
        with self._lock:
            found = self._sessions.get(key)
            if found is None:
                found = self._sessions[key] = make()
                if len(self._sessions) > self._size:
                    self._sessions.popitem(last=False)
            else:
                self._sessions.move_to_end(key)
            return found

    def clear(self) -> None:
        """Forget every session. In a forked child this also drops locks that another thread of the parent may have held."""
        self._lock = threading.Lock()
        self._sessions = OrderedDict()


def session_name(text: str) -> str:
    """Make a role session name that STS accepts of any text: what is not a letter, digit or one of ``_+=,.@-`` becomes ``-``, cut at 64.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    return re.sub(r"[^\w+=,.@-]", "-", text, flags=re.ASCII)[:64].ljust(2, "-")
