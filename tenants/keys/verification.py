"""Whether a presented key is good, for what, and from where: the slow truth, from the database. The edge will answer from a projection of it.

The codes are Unkey's (:mod:`tenants.keys.codes`). A wrong secret, a revoked key and an unknown one all
answer NOT_FOUND; who holds the right text of a key that is over, switched off or misplaced learns which.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from tenants.keys import cidrs, life, selectors, tokens
from tenants.keys.codes import Code
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage
from tenants.lifecycle import SERVED

MOST_CANDIDATES = 8
_NOBODYS_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. ``key`` and ``version`` are there whenever the text was right, whatever the code."""

    code: Code
    key: ApiKey | None = None
    version: KeyVersion | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the caller may be let in."""
        return self.code is Code.VALID


def verify(text: str, *, scopes: Collection[str] = (), address: str = "", now: datetime | None = None) -> Verdict:
    """Judge a presented key: its text, its tenant's state, its own, its version's time, its address ranges, its scopes, in this order.

    ``scopes`` are what the request needs, all of them. ``address`` is where it came from; a key with address ranges is refused without one.
    At most two queries; none for a text with a wrong checksum. An unknown pepper fails closed.
    """
    version = _find(text)
    if version is None:
        return Verdict(Code.NOT_FOUND)
    key = version.key
    return Verdict(_code(key, version, scopes, address, now or timezone.now()), key, version)


def belongs(text: str, version: KeyVersion) -> bool:
    """Say whether a version is this text's, in a time that does not depend on where they differ. An unknown pepper fails closed.

    Of an imported version ``text`` is the SHA-256 that :func:`tokens.foreign_hash` gives.
    """
    pepper = settings.KEY_PEPPERS.get(version.pepper_id)
    return pepper is not None and tokens.matches(text, pepper, version.digest)


def _code(key: ApiKey, version: KeyVersion, scopes: Collection[str], address: str, now: datetime) -> Code:
    if key.state in (KeyState.REVOKED, KeyState.ABANDONED, KeyState.ISSUING) or version.stage == Stage.PENDING:
        return Code.NOT_FOUND
    if key.tenant.state not in SERVED or key.state == KeyState.DISABLED:
        return Code.DISABLED
    if not life.accepts(life.Ends(version.stage, version.expires_at, version.retires_at), now):
        return Code.EXPIRED
    if not cidrs.is_within(address, key.cidrs):
        return Code.FORBIDDEN
    if not set(scopes) <= set(key.scopes):
        return Code.INSUFFICIENT_PERMISSIONS
    return Code.VALID


def _find(text: str) -> KeyVersion | None:
    token = tokens.parse_token(text)
    if token is None:
        return _find_foreign(text)
    rows = KeyVersion.objects.filter(key__public_id=token.public_id).select_related("key__tenant")
    # The open ones first: rotations that failed leave retired versions above the current one, as many as there were tries.
    candidates = list(rows.order_by(F("retired_at").desc(nulls_first=True), "-number")[:MOST_CANDIDATES])
    found = None
    for version in candidates:
        if belongs(text, version):
            found = version
    if not candidates:  # an unknown key takes the time of a known one with a wrong secret
        tokens.matches(text, settings.KEY_PEPPERS[max(settings.KEY_PEPPERS)], _NOBODYS_DIGEST)
    return found


def _find_foreign(text: str) -> KeyVersion | None:
    """A text that is not of our shape can only be an imported key."""
    hashed = tokens.foreign_hash(text)
    return selectors.find_imported(hashed) if hashed else None
