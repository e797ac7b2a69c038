"""A tenant's own identity provider in the pool that its people are in, under a name made of the tenant's id.

The spec holds the digest of the public details and the mark of the connection; the details themselves, the client secret among them, are
asked for right before the call (``Known.sealed``). Of the secret nothing can be read back: that it was sent for this mark is in the ledger.

Nothing of the provider's answer is mapped to a ``custom:`` attribute. Cognito keeps a profile for everybody who comes through, in a group
``<pool>_<provider>``: they go with the provider.
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-identity-federation.html
"""

from __future__ import annotations

from typing import Final

from core.aws.cognito_providers import IdentityProvider, ProviderType
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
    place_of,
)
from tenants import naming
from tenants.facts import CellFacts, TenantFacts
from tenants.members.connection_details import digest_of

KIND = "identity_provider"
DEPENDS_ON: tuple[str, ...] = ("user_pool",)
HOLDS_DATA = False

_TYPES: Final[dict[str, ProviderType]] = {"saml": "SAML", "oidc": "OIDC"}


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One provider while the tenant has a connection, whether or not it is switched on: it has to be tried first.

    Another kind of connection is another resource, because Cognito changes no provider's type.
    """
    connection = tenant.connection
    if not exists(tenant) or connection is None:
        return ()
    pool = place_of(tenant.tier.isolation_model)
    spec = {
        "pool": pool,
        "provider_name": naming.identity_provider(tenant, connection.kind),
        "type": _TYPES[connection.kind],
        "mapping": dict(connection.mapping),
        "detail_keys": list(connection.detail_keys),
        "digest": connection.digest,
        "mark": connection.mark,
    }
    return (Desired(KIND, f"{pool}-{connection.kind}", spec),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no provider."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the provider, or tell it everything anew when something differs or another mark was sent last."""
    pool_id, name = known.at(spec["pool"], "user_pool")["pool_id"], spec["provider_name"]
    found = None if known.is_new else aws.cognito.find_identity_provider(pool_id, name)
    if found is None:
        aws.cognito.create_identity_provider(
            pool_id, name, type=spec["type"], details=known.sealed(spec["mark"]), mapping=spec["mapping"]
        )
    elif known.this.get("mark") != spec["mark"] or _differences(found, spec):
        aws.cognito.put_identity_provider(pool_id, name, details=known.sealed(spec["mark"]), mapping=spec["mapping"])
    return Ensured({"pool_id": pool_id, "provider_name": name, "mark": spec["mark"]})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the provider's type, mapping and public details back."""
    pool_id = known.at(spec["pool"], "user_pool")["pool_id"]
    found = aws.cognito.find_identity_provider(pool_id, spec["provider_name"])
    if found is None:
        return ABSENT
    return Observed(True, _differences(found, spec), {"pool_id": pool_id, "provider_name": found.name})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the provider, the profiles of those who came through it, and their group."""
    pool_id, name = known.at(spec["pool"], "user_pool")["pool_id"], spec["provider_name"]
    aws.cognito.delete_identity_provider(pool_id, name)
    group = f"{pool_id}_{name}"
    if aws.cognito.find_group(pool_id, group) is not None:
        for user in aws.cognito.list_users(pool_id, group=group):
            aws.cognito.delete_user(pool_id, user.username)
        aws.cognito.delete_group(pool_id, group)
    return Removed()


def _differences(found: IdentityProvider, spec: Spec) -> tuple[str, ...]:
    # Cognito keeps an entry of its own for its user name, which nobody asked for.
    mapping = {name: claim for name, claim in found.mapping.items() if name != "username" or name in spec["mapping"]}
    same = digest_of(found.details, spec["detail_keys"]) == spec["digest"]
    return (
        *differences.of_values(("type", found.type, spec["type"])),
        *(("the attribute mapping is not the promised one",) if mapping != spec["mapping"] else ()),
        *(() if same else ("the details are not the promised ones",)),
    )
