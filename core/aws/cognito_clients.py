"""App clients and groups of a Cognito user pool.

Neither bears tags, so their names must say whose they are. Names of app clients are not unique and CreateUserPoolClient takes no
client token: look with ``find_`` before ``create_`` whenever an earlier attempt may have been made; a first attempt may skip it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.cognito_users import CognitoUsers
from core.aws.errors import AwsNotFoundError
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AppClientSettings:
    """What can be changed about an app client, all of it. ``write_attributes`` empty means AWS's default: all mutable attributes.

    ``providers``, ``callback_urls``, ``oauth_flows`` and ``oauth_scopes`` are about the hosted endpoints; without a flow they are shut to it.
    """

    auth_flows: tuple[str, ...] = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH")
    access_token_minutes: int = 60
    id_token_minutes: int = 60
    refresh_token_days: int = 30
    read_attributes: tuple[str, ...] = ()
    write_attributes: tuple[str, ...] = ()
    hides_unknown_users: bool = True
    revokes_tokens: bool = True
    providers: tuple[str, ...] = ()
    callback_urls: tuple[str, ...] = ()
    oauth_flows: tuple[str, ...] = ()
    oauth_scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppClient:
    """An app client; ``secret`` is None for a public one and never shown in its repr."""

    id: str
    name: str
    pool_id: str
    settings: AppClientSettings
    secret: str | None = dataclasses.field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a pool."""

    name: str
    pool_id: str
    description: str = ""


class CognitoClients(CognitoUsers):
    """The app clients' and groups' part of the Cognito gateway."""

    def find_app_client(self, pool_id: str, name: str) -> AppClient | None:
        """Give the app client of this name, the first if there are several, or None. Costs a call for every 60 clients."""
        fetch = partial(self._call, self._client.list_user_pool_clients, UserPoolId=pool_id, MaxResults=60)
        for item in pages(fetch, items="UserPoolClients", sent="NextToken", received="NextToken"):
            if item["ClientName"] == name:
                return self.find_app_client_by_id(pool_id, item["ClientId"])
        return None

    def find_app_client_by_id(self, pool_id: str, client_id: str) -> AppClient | None:
        """Give the app client of this id, or None when it or its pool is missing."""
        try:
            answer = self._call(self._client.describe_user_pool_client, UserPoolId=pool_id, ClientId=client_id)
        except AwsNotFoundError:
            return None
        return _app_client(answer["UserPoolClient"])

    def create_app_client(
        self, pool_id: str, name: str, *, settings: AppClientSettings | None = None, secret: bool = False
    ) -> AppClient:
        """Make an app client, public unless ``secret``. Not repeatable: a second call makes a second client."""
        answer = self._call(
            self._client.create_user_pool_client,
            UserPoolId=pool_id,
            ClientName=name,
            GenerateSecret=secret,
            **_client_settings(settings or AppClientSettings()),
        )
        return _app_client(answer["UserPoolClient"])

    def put_app_client_settings(self, pool_id: str, client_id: str, name: str, settings: AppClientSettings) -> None:
        """Set everything changeable about an app client; raises AwsNotFoundError."""
        self._call(
            self._client.update_user_pool_client,
            UserPoolId=pool_id,
            ClientId=client_id,
            ClientName=name,
            **_client_settings(settings),
        )

    def delete_app_client(self, pool_id: str, client_id: str) -> None:
        """Delete an app client; a missing one, or a missing pool, is fine."""
        try:
            self._call(self._client.delete_user_pool_client, UserPoolId=pool_id, ClientId=client_id)
        except AwsNotFoundError:
            return

    def find_group(self, pool_id: str, name: str) -> Group | None:
        """Give the group of this name, or None when it or its pool is missing."""
        try:
            answer = self._call(self._client.get_group, UserPoolId=pool_id, GroupName=name)["Group"]
        except AwsNotFoundError:
            return None
        return Group(answer["GroupName"], pool_id, answer.get("Description", ""))

    def create_group(self, pool_id: str, name: str, *, description: str = "") -> Group:
        """Make a group; raises AwsAlreadyExistsError. Groups bear no tags: the name must say whose it is."""
        self._call(self._client.create_group, UserPoolId=pool_id, GroupName=name, Description=description)
        return Group(name, pool_id, description)

    def delete_group(self, pool_id: str, name: str) -> None:
        """Delete a group, its members stay in the pool; a missing one is fine."""
        try:
            self._call(self._client.delete_group, UserPoolId=pool_id, GroupName=name)
        except AwsNotFoundError:
            return


def _client_settings(settings: AppClientSettings) -> Any:
    attributes = {"ReadAttributes": list(settings.read_attributes), "WriteAttributes": list(settings.write_attributes)}
    return {
        "ExplicitAuthFlows": list(settings.auth_flows),
        "AccessTokenValidity": settings.access_token_minutes,
        "IdTokenValidity": settings.id_token_minutes,
        "RefreshTokenValidity": settings.refresh_token_days,
        "TokenValidityUnits": {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "days"},
        "PreventUserExistenceErrors": "ENABLED" if settings.hides_unknown_users else "LEGACY",
        "EnableTokenRevocation": settings.revokes_tokens,
        # Sent when empty as well: what an update leaves out, AWS sets to its default and others keep.
        "SupportedIdentityProviders": list(settings.providers),
        "CallbackURLs": list(settings.callback_urls),
        "AllowedOAuthFlows": list(settings.oauth_flows),
        "AllowedOAuthScopes": list(settings.oauth_scopes),
        "AllowedOAuthFlowsUserPoolClient": bool(settings.oauth_flows),
        **{key: value for key, value in attributes.items() if value},
    }


def _app_client(raw: Mapping[str, Any]) -> AppClient:
    return AppClient(
        id=raw["ClientId"],
        name=raw["ClientName"],
        pool_id=raw["UserPoolId"],
        secret=raw.get("ClientSecret"),
        settings=AppClientSettings(
            auth_flows=tuple(sorted(raw.get("ExplicitAuthFlows", ()))),
            access_token_minutes=raw.get("AccessTokenValidity", 0),
            id_token_minutes=raw.get("IdTokenValidity", 0),
            refresh_token_days=raw.get("RefreshTokenValidity", 0),
            read_attributes=tuple(sorted(raw.get("ReadAttributes", ()))),
            write_attributes=tuple(sorted(raw.get("WriteAttributes", ()))),
            hides_unknown_users=raw.get("PreventUserExistenceErrors") == "ENABLED",
            revokes_tokens=raw.get("EnableTokenRevocation", False),
            providers=tuple(sorted(raw.get("SupportedIdentityProviders", ()))),
            callback_urls=tuple(sorted(raw.get("CallbackURLs", ()))),
            oauth_flows=tuple(sorted(raw.get("AllowedOAuthFlows", ()))) if raw.get("AllowedOAuthFlowsUserPoolClient") else (),
            oauth_scopes=tuple(sorted(raw.get("AllowedOAuthScopes", ()))),
        ),
    )
