"""IAM roles with their inline and attached policies. Managed policies are in :mod:`core.aws.iam_policies`.

Policy documents go in and come out as dicts. A name that exists may be somebody else's: read ``tags`` before correcting or deleting.
What was just written is seen everywhere only seconds later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.iam_policies import IamPolicies, tag_list, tags_of
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Role:
    """A role; ``trust`` is who may assume it, ``boundary_arn`` is empty when there is no permission boundary."""

    name: str
    arn: str
    path: str
    trust: dict[str, Any]
    boundary_arn: str
    tags: dict[str, str]
    description: str
    max_session_seconds: int


class Iam(IamPolicies):
    """The gateway to IAM."""

    def find_role(self, name: str) -> Role | None:
        """Give the role with its tags, trust and boundary, or None."""
        try:
            return _role(self._call(self._client.get_role, RoleName=name)["Role"])
        except AwsNotFoundError:
            return None

    def create_role(
        self,
        name: str,
        *,
        trust: Mapping[str, Any],
        tags: Mapping[str, str],
        boundary_arn: str = "",
        description: str = "",
        max_session_seconds: int = 3600,
        path: str = "/",
    ) -> Role:
        """Make a role; raises AwsAlreadyExistsError (names are unique in the account, whatever the path)."""
        optional: dict[str, Any] = {"PermissionsBoundary": boundary_arn} if boundary_arn else {}
        answer = self._call(
            self._client.create_role,
            RoleName=name,
            Path=path,
            AssumeRolePolicyDocument=json.dumps(trust),
            Description=description,
            MaxSessionDuration=max_session_seconds,
            Tags=tag_list(tags),
            **optional,
        )["Role"]
        return _role({"Tags": tag_list(tags), "PermissionsBoundary": {"PermissionsBoundaryArn": boundary_arn}, **answer}, trust)

    def put_role_trust(self, name: str, trust: Mapping[str, Any]) -> None:
        """Replace who may assume the role."""
        self._call(self._client.update_assume_role_policy, RoleName=name, PolicyDocument=json.dumps(trust))

    def put_role_boundary(self, name: str, boundary_arn: str) -> None:
        """Set the permission boundary."""
        self._call(self._client.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=boundary_arn)

    def put_role_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_role, RoleName=name, Tags=tag_list(tags))

    def find_role_policy(self, role: str, policy: str) -> dict[str, Any] | None:
        """Give an inline policy's document, or None when the policy or the role is missing."""
        try:
            answer = self._call(self._client.get_role_policy, RoleName=role, PolicyName=policy)
        except AwsNotFoundError:
            return None
        return _document(answer["PolicyDocument"])

    def put_role_policy(self, role: str, policy: str, document: Mapping[str, Any]) -> None:
        """Write an inline policy, replacing it; raises AwsNotFoundError when there is no such role."""
        self._call(self._client.put_role_policy, RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    def delete_role_policy(self, role: str, policy: str) -> None:
        """Delete an inline policy; a missing one is fine."""
        try:
            self._call(self._client.delete_role_policy, RoleName=role, PolicyName=policy)
        except AwsNotFoundError:
            return

    def list_role_policies(self, role: str) -> tuple[str, ...]:
        """Name the inline policies of a role."""
        return tuple(pages(partial(self._call, self._client.list_role_policies, RoleName=role), items="PolicyNames", **_MARKER))

    def attach_role_policy(self, role: str, policy_arn: str) -> None:
        """Attach a managed policy; repeatable."""
        self._call(self._client.attach_role_policy, RoleName=role, PolicyArn=policy_arn)

    def detach_role_policy(self, role: str, policy_arn: str) -> None:
        """Detach a managed policy; not attached is fine."""
        try:
            self._call(self._client.detach_role_policy, RoleName=role, PolicyArn=policy_arn)
        except AwsNotFoundError:
            return

    def list_attached_role_policies(self, role: str) -> tuple[str, ...]:
        """Give the ARNs of the managed policies attached to a role."""
        fetch = partial(self._call, self._client.list_attached_role_policies, RoleName=role)
        return tuple(item["PolicyArn"] for item in pages(fetch, items="AttachedPolicies", **_MARKER))

    def delete_role(self, name: str) -> None:
        """Delete a role with its inline policies and attachments; a missing one is fine. Repeatable half-way through."""
        try:
            for policy in self.list_role_policies(name):
                self.delete_role_policy(name, policy)
            for arn in self.list_attached_role_policies(name):
                self.detach_role_policy(name, arn)
            self._call(self._client.delete_role, RoleName=name)
        except AwsNotFoundError:
            return


_MARKER = {"sent": "Marker", "received": "Marker"}


def _document(raw: Any) -> dict[str, Any]:
    return dict(json.loads(raw) if isinstance(raw, str) else raw)


def _role(raw: Mapping[str, Any], trust: Mapping[str, Any] | None = None) -> Role:
    return Role(
        name=raw["RoleName"],
        arn=raw["Arn"],
        path=raw.get("Path", "/"),
        trust=dict(trust) if trust is not None else _document(raw.get("AssumeRolePolicyDocument", "{}")),
        boundary_arn=raw.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        tags=tags_of(raw.get("Tags", ())),
        description=raw.get("Description", ""),
        max_session_seconds=raw.get("MaxSessionDuration", 3600),
    )
