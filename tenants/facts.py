"""What the pure functions need to know of a tenant: plain, frozen values without a database behind them.

``selectors.facts_of`` makes them from rows. Names, policies, desired shapes and plans take these and nothing else, so that each can
be tested, proved and replayed without Django.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class IsolationModel(enum.StrEnum):
    """How far a tenant stands apart from its neighbours; ``docs/architecture.md`` has the table."""

    POOL = "pool"
    BRIDGE = "bridge"
    SILO = "silo"
    SOVEREIGN = "sovereign"

    @property
    def has_own_pool(self) -> bool:
        """Own Cognito user pool, own KMS key, own access role."""
        return self is not IsolationModel.POOL

    @property
    def has_own_stack(self) -> bool:
        """Own bucket, table and log group, in a CloudFormation stack of its own."""
        return self in (IsolationModel.SILO, IsolationModel.SOVEREIGN)


class FailPolicy(enum.StrEnum):
    """What an edge does about a tenant's requests while it cannot hear what is true now."""

    OPEN = "open"
    """It goes on within the limits and keys that it knew last."""
    CLOSED = "closed"
    """It refuses."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a cell's AWS can do. Everything true means real AWS; a stand-in lacks some (``docs/fidelity.md``).

    This is the one named place from which a policy is rendered differently for a stand-in: ``policy_variables`` (``${aws:...}`` is
    substituted), ``leading_keys`` (``dynamodb:LeadingKeys`` is filled in), ``encryption_context`` (``kms:EncryptionContext:*`` is
    filled in), ``tls`` (requests come over TLS, so a TLS-only bucket policy can be obeyed), ``boundary_condition``
    (``iam:PermissionsBoundary`` is filled in when a role is made or its policies written), ``request_details`` (every call is checked
    with the resource and the tags that it names), ``call_budgets`` (AWS's published request
    rates hold here, so calls are paced).
    """

    policy_variables: bool = True
    leading_keys: bool = True
    encryption_context: bool = True
    tls: bool = True
    boundary_condition: bool = True
    request_details: bool = True
    call_budgets: bool = True


@dataclass(frozen=True, slots=True)
class CellFacts:
    """A place to put tenants. ``code`` matches ``[a-z][a-z0-9-]{0,19}`` and is unique; ``account_id`` is twelve digits."""

    id: str
    code: str
    environment: str
    partition: str
    region: str
    account_id: str
    role_arn: str = ""
    capabilities: Capabilities = field(default_factory=Capabilities)


@dataclass(frozen=True, slots=True)
class TierFacts:
    """What a tier promises that provisioning must keep."""

    code: str
    isolation_model: IsolationModel
    log_retention_days: int = 30


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """A tenant's own identity provider, as the engine has to know it: never its secret, and none of its addresses.

    ``kind`` is ``saml`` or ``oidc``. ``mark`` is new with every save. ``digest`` is the SHA-256 of the public details under ``detail_keys``
    (``tenants.members.connection_details``). ``mapping`` pairs an attribute of the pool with the provider's name for it. ``callback_url`` is
    where the hosted endpoint answers.
    """

    kind: str
    mark: str
    detail_keys: tuple[str, ...]
    digest: str
    mapping: tuple[tuple[str, str], ...]
    callback_url: str


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """One tenant: ``id`` is ``tnt_`` and 26 characters; ``state`` is a lifecycle state; the rest is what people typed.

    ``connection`` is None without an identity provider of its own, and where the tier allows none.
    """

    id: str
    slug: str
    name: str
    state: str
    tier: TierFacts
    cell: CellFacts
    admin_email: str
    admin_name: str = ""
    admin_enabled: bool = True
    connection: ConnectionFacts | None = None
