"""What every resource kind has in common: the values that pass between the engine and a kind's four functions.

A kind is a module with ``KIND``, ``DEPENDS_ON``, ``HOLDS_DATA`` and the functions ``shape``, ``cell_shape``, ``ensure``, ``observe``
and ``remove``. There is no base class: a module is its own object, and the registry holds them to the list. To add a kind, copy one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from core import VERSION
from core.aws.session import Aws
from core.errors import DomainError
from tenants.facts import CellFacts, IsolationModel, TenantFacts
from tenants.lifecycle import TenantState
from tenants.naming import MANAGED_BY, TAG_CELL, TAG_ENVIRONMENT, TAG_MANAGED_BY, TAG_RELEASE, TAG_TENANT

Spec = Mapping[str, Any]
Attributes = Mapping[str, Any]

RELEASE = VERSION
OWN, SHARED = "own", "shared"
_DISABLED = (TenantState.SUSPENDED, TenantState.OFFBOARDING)


def place_of(model: IsolationModel) -> str:
    """Say in which user pool the people of a tenant are: in its own, or in the one that its cell shares."""
    return OWN if model.has_own_pool else SHARED


@dataclass(frozen=True, slots=True)
class Desired:
    """One resource that should exist: its kind, its name within the owner, and a JSON-able spec that holds all that ``ensure`` needs.

    ``name`` separates several of one kind (``own`` and ``shared`` app clients during a tier change); ``spec`` never holds a secret.
    """

    kind: str
    name: str
    spec: Spec

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical spec: two specs with the same fingerprint ask for the same thing."""
        return fingerprint_of(self.spec)


def fingerprint_of(spec: Spec) -> str:
    """Give the hex SHA-256 of a spec in canonical JSON (sorted keys, no blanks).

    The release tag does not count, at any depth: it says which release last wrote a resource, and a new release alone must not remake
    every tenant.
    """
    text = json.dumps(_without_release(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_release(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_release(inner) for key, inner in value.items() if key != TAG_RELEASE}
    return [_without_release(inner) for inner in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Ensured:
    """The resource was made or corrected. ``attributes`` are the ids and addresses that AWS chose; they go into the ledger."""

    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Removed:
    """The resource is gone, or was never there. ``nothing_to_read`` says that the kind makes nothing, so there is no absence to observe."""

    nothing_to_read: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """AWS is still at it: ask again after ``seconds``. ``why`` is shown to operators; ``attributes`` found so far are kept."""

    seconds: float
    why: str
    attributes: Attributes = field(default_factory=dict)


NOT_SHOWN_YET = Wait(2, "AWS says that it exists, and does not show it yet")
"""After a create that met something of its name which the look before had not shown: the next look will, and tells whose it is."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was read back. ``differences`` are short sentences that name each promise not kept; empty means as promised."""

    present: bool
    differences: tuple[str, ...] = ()
    attributes: Attributes = field(default_factory=dict)

    @property
    def is_as_promised(self) -> bool:
        """True when the resource is there and every promise about it was read back."""
        return self.present and not self.differences


ABSENT = Observed(present=False)


class MissingDependencyError(DomainError):
    """A resource that this one stands on is not recorded as present. Repairing the owner of it heals this."""

    code = "missing-dependency"
    title = "Something this stands on is missing"
    status = 409
    retryable = True


class NotOursError(DomainError):
    """Something of our name exists in AWS and does not bear our tag. It is never adopted, changed or deleted."""

    code = "not-ours"
    title = "A stranger's resource has this name"
    status = 409


def _nothing_sealed(mark: str) -> Mapping[str, str]:
    raise MissingDependencyError("Nothing is kept for this step.")


@dataclass(frozen=True, slots=True)
class Known:
    """Read-only view of the ledger for a step: attributes of the resource itself, of its owner's others and of the cell's.

    ``fresh`` is a promise of the caller: nothing that was begun for this resource is unaccounted for; what exists of it is in ``this``.
    Only then may a kind whose names are not unique (user pools, app clients, keys) create without searching lists that grow with the
    number of tenants. The price of a wrong promise is a second resource, so the default is False: an attempt before this one, if
    there was any, may have been carried out without its answer having been heard.

    ``sealed`` gives what ``ensure`` needs and neither spec nor ledger may hold, for the mark that stands in the spec; asked right before
    the call, so that it is nowhere else.
    """

    this: Attributes = field(default_factory=dict)
    owned: Mapping[tuple[str, str], Attributes] = field(default_factory=dict)
    shared: Mapping[tuple[str, str], Attributes] = field(default_factory=dict)
    fresh: bool = False
    sealed: Callable[[str], Mapping[str, str]] = _nothing_sealed

    @property
    def is_new(self) -> bool:
        """True when nothing of it can exist by our hand: nothing is recorded, and nothing is unaccounted for."""
        return self.fresh and not self.this

    def own(self, kind: str, name: str) -> Attributes:
        """Attributes of another resource of the same owner; raises MissingDependencyError when it is not recorded as present."""
        return _attributes_of(self.owned, kind, name, "owner")

    def cell(self, kind: str, name: str) -> Attributes:
        """Attributes of a resource that the cell shares; raises MissingDependencyError when it is not recorded as present."""
        return _attributes_of(self.shared, kind, name, "cell")

    def at(self, place: str, kind: str) -> Attributes:
        """Attributes of the ``own`` or ``shared`` resource of a kind; what a cell shares is its own while the cell itself is prepared."""
        if place == SHARED and (kind, place) not in self.owned:
            return self.cell(kind, place)
        return self.own(kind, place)


def _attributes_of(rows: Mapping[tuple[str, str], Attributes], kind: str, name: str, whose: str) -> Attributes:
    found = rows.get((kind, name))
    if not found:
        raise MissingDependencyError(f"The {whose}'s {kind} {name!r} is not there yet.")
    return found


class ResourceKind(Protocol):
    """The shape of a kind's module. ``ensure`` and ``remove`` are repeatable, also after a call whose answer was lost."""

    KIND: str
    DEPENDS_ON: tuple[str, ...]
    HOLDS_DATA: bool

    def shape(self, tenant: TenantFacts) -> tuple[Desired, ...]:
        """Give what of this kind the tenant should have, in its present state. Pure."""

    def cell_shape(self, cell: CellFacts) -> tuple[Desired, ...]:
        """Give what of this kind the cell shares among its pooled tenants. Pure."""

    def ensure(self, aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
        """Make it or set right what differs; adopt only what bears our tags. Raises NotOursError, MissingDependencyError, AwsError."""

    def observe(self, aws: Aws, spec: Spec, known: Known) -> Observed:
        """Read every promise back and name each difference; changes nothing."""

    def remove(self, aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
        """Delete it; a missing one is fine, a stranger's is refused with NotOursError."""


def is_enabled(tenant: TenantFacts) -> bool:
    """Say whether the tenant's people and roles may act; a suspended or offboarding tenant keeps everything and may use nothing."""
    return tenant.state not in _DISABLED


def exists(tenant: TenantFacts) -> bool:
    """Say whether the tenant should have anything at all: a closed one has nothing."""
    return tenant.state != TenantState.CLOSED


def cell_tags(cell: CellFacts, *, release: str = RELEASE) -> dict[str, str]:
    """Tags for what a cell shares among its pooled tenants."""
    return {TAG_CELL: cell.code, TAG_ENVIRONMENT: cell.environment, TAG_RELEASE: release, TAG_MANAGED_BY: MANAGED_BY}


def is_ours(found: Mapping[str, str], spec: Spec) -> bool:
    """Say whether tags found in AWS are those of the same owner: managed by us, for the same tenant and cell."""
    wanted = spec["tags"]
    keys = (TAG_MANAGED_BY, TAG_CELL, TAG_TENANT)
    return all(found.get(key) == wanted.get(key) for key in keys)


def owner_tags(spec: Spec) -> dict[str, str]:
    """Give the tags that say whose a resource is, without those that change over its life."""
    return {key: value for key, value in spec["tags"].items() if key in (TAG_MANAGED_BY, TAG_CELL, TAG_TENANT)}


def require_ours(found: Mapping[str, str], spec: Spec, what: str) -> None:
    """Raise NotOursError unless the tags found are those of the same owner."""
    if not is_ours(found, spec):
        raise NotOursError(f"{what} exists and is not tagged as managed for this owner; it was left untouched.")
