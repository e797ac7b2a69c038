"""Cognito user pools, their app clients and their groups. People are in :mod:`core.aws.cognito_users`.

Pool and client names are not unique on AWS and neither create takes a client token: look with ``find_`` before ``create_`` whenever an
earlier attempt may have been made. Both look-ups read lists, 60 names a call; a first attempt may skip them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from core.aws.cognito_users import CognitoUsers
from core.aws.errors import AwsError, AwsNotFoundError
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CustomAttribute:
    """A string attribute ``custom:<name>``. Immutable ones are set when the user is created and never again."""

    name: str
    mutable: bool = False
    max_length: int = 64


@dataclass(frozen=True, slots=True)
class UserPoolSettings:
    """What can be changed about a pool, all of it: UpdateUserPool resets whatever it is not told."""

    deletion_protection: bool = False
    password_min_length: int = 12
    temporary_password_days: int = 7
    invite_only: bool = True


@dataclass(frozen=True, slots=True)
class UserPool:
    """A pool as AWS describes it; ``custom_attributes`` are names without ``custom:``."""

    id: str
    name: str
    arn: str
    tags: dict[str, str]
    settings: UserPoolSettings
    custom_attributes: frozenset[str] = frozenset()
    mfa: str = "OFF"


@dataclass(frozen=True, slots=True)
class AppClientSettings:
    """What can be changed about an app client, all of it. ``write_attributes`` empty means AWS's default: all mutable attributes."""

    auth_flows: tuple[str, ...] = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH")
    access_token_minutes: int = 60
    id_token_minutes: int = 60
    refresh_token_days: int = 30
    read_attributes: tuple[str, ...] = ()
    write_attributes: tuple[str, ...] = ()
    hides_unknown_users: bool = True
    revokes_tokens: bool = True


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


class Cognito(CognitoUsers):
    """The gateway to Cognito user pools."""

    def find_user_pool(self, name: str, *, tags: Mapping[str, str]) -> UserPool | None:
        """Give the pool of this name that bears all of ``tags``, or None. Two of them: AwsError, somebody must choose.

        Costs a call for every 60 pools of the region and one for each pool of the name.
        """
        fetch = partial(self._call, self._client.list_user_pools, MaxResults=60)
        same = [
            item["Id"] for item in pages(fetch, items="UserPools", sent="NextToken", received="NextToken") if item["Name"] == name
        ]
        found = [pool for pool in map(self.find_user_pool_by_id, same) if pool and tags.items() <= pool.tags.items()]
        if len(found) > 1:
            ids = ", ".join(pool.id for pool in found)
            raise AwsError(f"Two user pools are named {name} with the same tags: {ids}.", aws_code="Double", service="cognito-idp")
        return found[0] if found else None

    def find_user_pool_by_id(self, pool_id: str) -> UserPool | None:
        """Give the pool of this id, or None."""
        try:
            return self.get_user_pool(pool_id)
        except AwsNotFoundError:
            return None

    def get_user_pool(self, pool_id: str) -> UserPool:
        """Give the pool of this id; raises AwsNotFoundError."""
        return _pool(self._call(self._client.describe_user_pool, UserPoolId=pool_id)["UserPool"])

    def create_user_pool(
        self,
        name: str,
        *,
        tags: Mapping[str, str],
        custom_attributes: tuple[CustomAttribute, ...] = (),
        settings: UserPoolSettings | None = None,
        sign_in_by_email: bool = True,
    ) -> UserPool:
        """Make a pool whose users sign in with their e-mail address, or by plain user name: then two users may share an address.

        Not repeatable: a second call makes a second pool.
        """
        schema: Any = {"Schema": [_schema(attribute) for attribute in custom_attributes]} if custom_attributes else {}
        answer = self._call(
            self._client.create_user_pool,
            PoolName=name,
            UserPoolTags=dict(tags),
            UsernameAttributes=["email"] if sign_in_by_email else [],
            UsernameConfiguration={"CaseSensitive": False},
            **schema,
            **_pool_settings(settings or UserPoolSettings()),
        )
        return _pool(answer["UserPool"])

    def put_user_pool_settings(self, pool_id: str, settings: UserPoolSettings) -> None:
        """Set everything changeable about a pool; raises AwsNotFoundError. Costs two calls.

        AWS resets what UpdateUserPool is not told: the tags are read first and sent along, and second factors are switched off, so that
        :meth:`put_user_pool_mfa` must follow.
        https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UpdateUserPool.html
        """
        tags = self.get_user_pool(pool_id).tags
        self._call(self._client.update_user_pool, UserPoolId=pool_id, UserPoolTags=tags, **_pool_settings(settings))

    def add_custom_attributes(self, pool_id: str, attributes: tuple[CustomAttribute, ...]) -> None:
        """Add attributes that the pool does not have yet; AWS can neither change nor remove one."""
        self._call(self._client.add_custom_attributes, UserPoolId=pool_id, CustomAttributes=[_schema(item) for item in attributes])

    def put_user_pool_mfa(self, pool_id: str, mode: Literal["OFF", "OPTIONAL", "ON"]) -> None:
        """Set second factors by authenticator app: ``mode`` is OFF, OPTIONAL or ON."""
        software: Any = {} if mode == "OFF" else {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
        self._call(self._client.set_user_pool_mfa_config, UserPoolId=pool_id, MfaConfiguration=mode, **software)

    def put_user_pool_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_resource, ResourceArn=arn, Tags=dict(tags))

    def delete_user_pool(self, pool_id: str) -> None:
        """Delete a pool with all its people, clients and groups; a missing one is fine. Deletion protection must be off."""
        try:
            self._call(self._client.delete_user_pool, UserPoolId=pool_id)
        except AwsNotFoundError:
            return

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


def _schema(attribute: CustomAttribute) -> Any:
    return {
        "Name": attribute.name,
        "AttributeDataType": "String",
        "Mutable": attribute.mutable,
        "StringAttributeConstraints": {"MinLength": "0", "MaxLength": str(attribute.max_length)},
    }


def _pool_settings(settings: UserPoolSettings) -> Any:
    return {
        "DeletionProtection": "ACTIVE" if settings.deletion_protection else "INACTIVE",
        "AutoVerifiedAttributes": ["email"],
        "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": settings.invite_only},
        "Policies": {
            "PasswordPolicy": {
                "MinimumLength": settings.password_min_length,
                "RequireUppercase": True,
                "RequireLowercase": True,
                "RequireNumbers": True,
                "RequireSymbols": False,
                "TemporaryPasswordValidityDays": settings.temporary_password_days,
            }
        },
    }


def _pool(raw: Mapping[str, Any]) -> UserPool:
    policy = raw.get("Policies", {}).get("PasswordPolicy", {})
    names = (attribute["Name"] for attribute in raw.get("SchemaAttributes", ()))
    return UserPool(
        id=raw["Id"],
        name=raw["Name"],
        arn=raw["Arn"],
        tags=dict(raw.get("UserPoolTags", {})),
        settings=UserPoolSettings(
            deletion_protection=raw.get("DeletionProtection") == "ACTIVE",
            password_min_length=policy.get("MinimumLength", 0),
            temporary_password_days=policy.get("TemporaryPasswordValidityDays", 0),
            invite_only=raw.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly", False),
        ),
        custom_attributes=frozenset(name.removeprefix("custom:") for name in names if name.startswith("custom:")),
        mfa=raw.get("MfaConfiguration", "OFF"),
    )


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
        ),
    )
