"""People of a Cognito user pool, as an administrator handles them. Nobody's password is ever read here, and SRP is not done here.

``username`` is what AdminCreateUser was given or what it answered: in a pool whose users sign in by e-mail both name the same user.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


@dataclass(frozen=True, slots=True)
class User:
    """A user; ``status`` as Cognito names it (FORCE_CHANGE_PASSWORD, CONFIRMED ...); ``attributes`` with their full names."""

    username: str
    sub: str
    status: str
    enabled: bool
    attributes: dict[str, str]


class CognitoUsers(Gateway):
    """The users' half of the Cognito gateway."""

    _client: CognitoIdentityProviderClient

    def find_user(self, pool_id: str, username: str) -> User | None:
        """Give the user, or None when there is none (a missing pool too)."""
        try:
            answer = self._call(self._client.admin_get_user, UserPoolId=pool_id, Username=username)
        except AwsNotFoundError:
            return None
        return _user(answer, answer.get("UserAttributes", ()))

    def create_user(
        self,
        pool_id: str,
        username: str,
        *,
        attributes: Mapping[str, str],
        temporary_password: str | None = None,
        invite: bool = True,
    ) -> User:
        """Make a user who must change the password at first sign-in; raises AwsAlreadyExistsError.

        With ``invite`` Cognito sends the invitation; without it nobody is told. ``temporary_password`` None lets Cognito choose one.
        """
        optional: dict[str, Any] = {} if temporary_password is None else {"TemporaryPassword": temporary_password}
        if not invite:
            optional["MessageAction"] = "SUPPRESS"
        answer = self._call(
            self._client.admin_create_user,
            UserPoolId=pool_id,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            DesiredDeliveryMediums=["EMAIL"],
            **optional,
        )["User"]
        return _user(answer, answer.get("Attributes", ()))

    def put_user_attributes(self, pool_id: str, username: str, attributes: Mapping[str, str]) -> None:
        """Set these attributes, others stay; raises AwsNotFoundError. Immutable ones are refused by AWS."""
        self._call(
            self._client.admin_update_user_attributes,
            UserPoolId=pool_id,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        )

    def put_user_password(self, pool_id: str, username: str, password: str, *, permanent: bool = False) -> None:
        """Set a password, temporary unless ``permanent``; raises AwsNotFoundError."""
        self._call(
            self._client.admin_set_user_password, UserPoolId=pool_id, Username=username, Password=password, Permanent=permanent
        )

    def enable_user(self, pool_id: str, username: str) -> None:
        """Let a user sign in again; raises AwsNotFoundError."""
        self._call(self._client.admin_enable_user, UserPoolId=pool_id, Username=username)

    def disable_user(self, pool_id: str, username: str) -> None:
        """Stop a user from signing in and revoke the refresh tokens; raises AwsNotFoundError. Repeatable."""
        self._call(self._client.admin_disable_user, UserPoolId=pool_id, Username=username)

    def sign_out_user(self, pool_id: str, username: str) -> None:
        """End all sessions of a user; raises AwsNotFoundError. ID tokens stay valid to their end: verify access tokens."""
        self._call(self._client.admin_user_global_sign_out, UserPoolId=pool_id, Username=username)

    def delete_user(self, pool_id: str, username: str) -> None:
        """Delete a user; a missing one, or a missing pool, is fine."""
        try:
            self._call(self._client.admin_delete_user, UserPoolId=pool_id, Username=username)
        except AwsNotFoundError:
            return

    def add_user_to_group(self, pool_id: str, username: str, group: str) -> None:
        """Put a user into a group; repeatable; raises AwsNotFoundError."""
        self._call(self._client.admin_add_user_to_group, UserPoolId=pool_id, Username=username, GroupName=group)

    def remove_user_from_group(self, pool_id: str, username: str, group: str) -> None:
        """Take a user out of a group; repeatable; a missing user or group is fine."""
        try:
            self._call(self._client.admin_remove_user_from_group, UserPoolId=pool_id, Username=username, GroupName=group)
        except AwsNotFoundError:
            return

    def list_user_groups(self, pool_id: str, username: str) -> tuple[str, ...]:
        """Name the groups that a user is in; raises AwsNotFoundError."""
        fetch = partial(self._call, self._client.admin_list_groups_for_user, UserPoolId=pool_id, Username=username)
        return tuple(item["GroupName"] for item in pages(fetch, items="Groups", sent="NextToken", received="NextToken"))

    def list_users(self, pool_id: str, *, group: str = "") -> tuple[User, ...]:
        """Give all users of a pool, or of one of its groups. Costs a call for every 60 users."""
        if group:
            fetch = partial(self._call, self._client.list_users_in_group, UserPoolId=pool_id, GroupName=group, Limit=60)
            found = pages(fetch, items="Users", sent="NextToken", received="NextToken")
        else:
            fetch_all = partial(self._call, self._client.list_users, UserPoolId=pool_id, Limit=60)
            found = pages(fetch_all, items="Users", sent="PaginationToken", received="PaginationToken")
        return tuple(_user(item, item.get("Attributes", ())) for item in found)


def _user(raw: Mapping[str, Any], attributes: Any) -> User:
    values = {item["Name"]: item.get("Value", "") for item in attributes}
    return User(raw["Username"], values.get("sub", ""), raw.get("UserStatus", ""), raw.get("Enabled", True), values)
