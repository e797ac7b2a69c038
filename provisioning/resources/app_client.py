"""The app client through which a tenant's people sign in: public, SRP only, short-lived tokens that can be revoked.

A browser could not keep a client secret, and SRP never sends the password, so there is no secret. Client names are not unique and
CreateUserPoolClient takes no token: it is looked for by name before one is made, unless nothing can be unaccounted for. App clients bear
no tags; that ours is in a pool of ours under a name made of the tenant's id is what says whose it is.

A tenant with an identity provider of its own is let in at the pool's hosted endpoint as well, by that provider and by no other, not by a
password either: in a shared pool the client is what keeps a neighbour's provider out. Without one the client is shut to the endpoint.

A suspended tenant's client allows nothing but a custom flow, which no trigger of ours answers: AWS reads an empty list as its default.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from core.aws.cognito_clients import AppClient, AppClientSettings
from core.aws.hosted import SCOPES
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
    is_enabled,
    place_of,
)
from provisioning.resources.user_pool import TENANT_ID, TENANT_TIER, USER_ROLE
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import identity_provider, names_of

KIND = "app_client"
DEPENDS_ON: tuple[str, ...] = ("user_pool", "identity_provider")
HOLDS_DATA = False

SETTINGS = AppClientSettings(
    auth_flows=("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"),
    access_token_minutes=15,
    id_token_minutes=15,
    refresh_token_days=1,
    read_attributes=tuple(
        sorted(("email", "email_verified", "name", f"custom:{TENANT_ID}", f"custom:{TENANT_TIER}", f"custom:{USER_ROLE}"))
    ),
    write_attributes=("name",),  # the default would let people write their own tier and role
)
DISABLED_FLOWS = ("ALLOW_CUSTOM_AUTH",)
_HOSTED = ("providers", "callback_urls", "oauth_flows", "oauth_scopes")


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One client, in the tenant's own pool or in the shared one."""
    if not exists(tenant):
        return ()
    pool = place_of(tenant.tier.isolation_model)
    settings = _hosted(tenant) if is_enabled(tenant) else replace(SETTINGS, auth_flows=DISABLED_FLOWS)
    # What is shut is left out, so that a client that never had it is not remade by the release that brought it.
    held = {name: value for name, value in asdict(settings).items() if value or name not in _HOSTED}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in held.items()}
    return (Desired(KIND, pool, {"pool": pool, "client_name": names_of(tenant).app_client, "settings": plain}),)


def _hosted(tenant: TenantFacts) -> AppClientSettings:
    """Open the hosted endpoint to the tenant's own provider. Cognito writes what it maps through the client, so that must be allowed.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html (WriteAttributes)
    """
    connection = tenant.connection
    if connection is None:
        return SETTINGS
    return replace(
        SETTINGS,
        providers=(identity_provider(tenant, connection.kind),),
        callback_urls=(connection.callback_url,),
        oauth_flows=("code",),
        oauth_scopes=SCOPES,
        write_attributes=tuple(sorted({*SETTINGS.write_attributes, *(name for name, _ in connection.mapping)})),
    )


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no client."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the client, or set right what differs."""
    pool_id, wanted = known.at(spec["pool"], "user_pool")["pool_id"], _settings(spec)
    client = _find(aws, spec, known, pool_id)
    if client is None:
        client = aws.cognito.create_app_client(pool_id, spec["client_name"], settings=wanted)
    elif _differences(client, spec):
        aws.cognito.put_app_client_settings(pool_id, client.id, spec["client_name"], wanted)
    return Ensured({"pool_id": pool_id, "client_id": client.id})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the client's flows, lifetimes, attribute permissions, and what the hosted endpoint may do with it back."""
    pool_id = known.at(spec["pool"], "user_pool")["pool_id"]
    client = _find(aws, spec, known, pool_id)
    return ABSENT if client is None else Observed(True, _differences(client, spec), {"pool_id": pool_id, "client_id": client.id})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the client; what it signed in is signed out with it."""
    pool_id = known.at(spec["pool"], "user_pool")["pool_id"]
    client = _find(aws, spec, known, pool_id)
    if client is not None:
        aws.cognito.delete_app_client(pool_id, client.id)
    return Removed()


def _find(aws: Aws, spec: Spec, known: Known, pool_id: str) -> AppClient | None:
    recorded = known.this.get("client_id")
    client = aws.cognito.find_app_client_by_id(pool_id, recorded) if recorded else None
    if client is not None or known.fresh:
        return client
    return aws.cognito.find_app_client(pool_id, spec["client_name"])


def _settings(spec: Spec) -> AppClientSettings:
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in spec["settings"].items()}
    return AppClientSettings(**plain)


def _differences(client: AppClient, spec: Spec) -> tuple[str, ...]:
    found, wanted = asdict(client.settings), asdict(_settings(spec))
    return (
        *differences.of_values(("name", client.name, spec["client_name"])),
        *differences.of_values(*((name.replace("_", " "), _spoken(found[name]), _spoken(wanted[name])) for name in sorted(wanted))),
        *(("it has a secret, promised none",) if client.secret else ()),
    )


def _spoken(value: Any) -> Any:
    return ", ".join(sorted(value)) or "the default" if isinstance(value, tuple) else value
