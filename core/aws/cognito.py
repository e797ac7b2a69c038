"""Cognito user pools.

Their app clients and groups are in :mod:`core.aws.cognito_clients`, people in :mod:`core.aws.cognito_users`, hosted domains and identity
providers in :mod:`core.aws.cognito_providers`.

Pool names are not unique on AWS and CreateUserPool takes no client token: look with ``find_`` before ``create_`` whenever an earlier
attempt may have been made. The look-up reads lists, 60 names a call; a first attempt may skip it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from core.aws.cognito_providers import CognitoProviders
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


class Cognito(CognitoProviders):
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
