"""The hosted domain of a Cognito user pool, and the identity providers that it trusts.

Neither bears tags: a domain says whose pool it is at, a provider's name must say whose it is. What Cognito keeps of an OIDC provider includes
the client secret, and it shows it to whoever may describe the provider; this gateway drops it unread.
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-identity-federation.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.aws.cognito_clients import CognitoClients
from core.aws.errors import AwsNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

ProviderType = Literal["SAML", "OIDC"]
ACTIVE = "ACTIVE"
_SECRET = "client_secret"  # noqa: S105  # the name of the detail that is dropped


@dataclass(frozen=True, slots=True)
class PoolDomain:
    """A prefix under which a pool's hosted endpoints answer; ``status`` as Cognito names it (CREATING, ACTIVE ...)."""

    prefix: str
    pool_id: str
    status: str


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider of a pool: ``details`` without the client secret, ``mapping`` from the pool's attributes to the provider's names for them."""

    name: str
    type: str
    details: dict[str, str]
    mapping: dict[str, str]


class CognitoProviders(CognitoClients):
    """The hosted domain's and the identity providers' part of the Cognito gateway."""

    def find_pool_domain(self, prefix: str) -> PoolDomain | None:
        """Give the domain of this prefix, or None when this account has none of it."""
        try:
            found = self._call(self._client.describe_user_pool_domain, Domain=prefix)["DomainDescription"]
        except AwsNotFoundError:
            return None
        if not found.get("UserPoolId"):
            return None
        return PoolDomain(prefix, found["UserPoolId"], found.get("Status", ""))

    def create_pool_domain(self, pool_id: str, prefix: str) -> None:
        """Give a pool this prefix. Prefixes are unique in a region over all accounts: AwsError when somebody has it, or the pool another."""
        self._call(self._client.create_user_pool_domain, UserPoolId=pool_id, Domain=prefix)

    def delete_pool_domain(self, pool_id: str, prefix: str) -> None:
        """Take a pool's prefix away; a missing one, or a missing pool, is fine."""
        try:
            self._call(self._client.delete_user_pool_domain, UserPoolId=pool_id, Domain=prefix)
        except AwsNotFoundError:
            return

    def find_identity_provider(self, pool_id: str, name: str) -> IdentityProvider | None:
        """Give the provider of this name, or None when it or its pool is missing."""
        try:
            found = self._call(self._client.describe_identity_provider, UserPoolId=pool_id, ProviderName=name)["IdentityProvider"]
        except AwsNotFoundError:
            return None
        details = {key: value for key, value in found.get("ProviderDetails", {}).items() if key != _SECRET}
        return IdentityProvider(found["ProviderName"], found["ProviderType"], details, dict(found.get("AttributeMapping", {})))

    def create_identity_provider(
        self, pool_id: str, name: str, *, type: ProviderType, details: Mapping[str, str], mapping: Mapping[str, str]
    ) -> None:
        """Make a provider; raises AwsAlreadyExistsError. ``details`` hold the client secret and are in no error of ours."""
        self._call(
            self._client.create_identity_provider,
            UserPoolId=pool_id,
            ProviderName=name,
            ProviderType=type,
            ProviderDetails=dict(details),
            AttributeMapping=dict(mapping),
        )

    def put_identity_provider(self, pool_id: str, name: str, *, details: Mapping[str, str], mapping: Mapping[str, str]) -> None:
        """Set everything changeable about a provider; its type is not. Raises AwsNotFoundError."""
        changes: dict[str, Any] = {"ProviderDetails": dict(details), "AttributeMapping": dict(mapping)}
        self._call(self._client.update_identity_provider, UserPoolId=pool_id, ProviderName=name, **changes)

    def delete_identity_provider(self, pool_id: str, name: str) -> None:
        """Delete a provider; a missing one, or a missing pool, is fine. The profiles of those who came through it stay."""
        try:
            self._call(self._client.delete_identity_provider, UserPoolId=pool_id, ProviderName=name)
        except AwsNotFoundError:
            return
