"""Short-lived credentials that reach one tenant's data and nothing else.

Every vending assumes the tenant's role with the tenant's session tag; a pooled tenant's session is narrowed by a policy with its literal
names besides. The session's name carries tenant and actor, so that CloudTrail tells who asked for whom.

A suspended tenant gets none. What was given out before ends with the role's own deny (bridge, silo), or, for a pooled tenant whose role
is shared, when the session runs out: with the default, 15 minutes at most.
"""

from __future__ import annotations

from typing import Final

from core.actors import Actor
from core.aws.session import Aws
from core.aws.sts import VendedCredentials
from core.errors import ConflictError, InvalidInputError
from provisioning.isolation import policies
from provisioning.isolation.access import is_pooled
from provisioning.isolation.documents import as_text
from tenants import naming
from tenants.facts import TenantFacts
from tenants.lifecycle import SERVED

SHORTEST_SECONDS: Final = 900
LONGEST_SECONDS: Final = 3_600
"""STS's ceiling when a role assumes a role, which the control plane always does."""


class TenantNotServedError(ConflictError):
    """Credentials are vended to active tenants only."""

    code = "tenant-not-served"
    title = "The tenant is not active"


def vend(aws: Aws, tenant: TenantFacts, actor: Actor, *, duration_seconds: int = SHORTEST_SECONDS) -> VendedCredentials:
    """Give credentials for one tenant's data, valid for 900 to 3,600 seconds.

    ``aws`` acts as the control plane of the tenant's cell. Raises TenantNotServedError, InvalidInputError for a duration that STS would
    refuse, and AwsError; AwsAccessDeniedError also for some seconds after the tenant's role was made.
    """
    if tenant.state not in SERVED:
        raise TenantNotServedError(f"This tenant is {tenant.state}; credentials are given out only while it is active.")
    if not SHORTEST_SECONDS <= duration_seconds <= LONGEST_SECONDS:
        raise InvalidInputError(f"Credentials last {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.")
    narrowed = as_text(policies.pool_session_policy(tenant)) if is_pooled(tenant) else None
    return aws.sts.assume_role(
        naming.names_of(tenant).access_role_arn,
        session_name=naming.session_name(tenant.id, actor),
        seconds=duration_seconds,
        session_policy=narrowed,
        tags={naming.TAG_TENANT: tenant.id},
    )
