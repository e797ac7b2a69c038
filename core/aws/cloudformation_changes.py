"""CloudFormation change sets: what an update would do, shown before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

EMPTY_REASONS = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set would do to one resource; ``replacement`` is True, False or Conditional, empty for a new one."""

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set; it can be executed once ``execution`` is AVAILABLE."""

    id: str
    stack_id: str
    status: str
    execution: str
    reason: str
    changes: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """True when AWS found nothing to change: it says so by failing the change set."""
        return self.status == "FAILED" and any(words in self.reason for words in EMPTY_REASONS)


class CloudFormationChanges(Gateway):
    """The change sets' part of the CloudFormation gateway."""

    _client: CloudFormationClient

    def create_change_set(
        self,
        stack: str,
        name: str,
        *,
        kind: str,
        template: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        token: str,
        role_arn: str = "",
        capabilities: tuple[str, ...] = ("CAPABILITY_NAMED_IAM",),
    ) -> str:
        """Ask what a template would change and give the change set's id; ``kind`` is CREATE or UPDATE. Poll until it is computed."""
        answer = self._call(
            self._client.create_change_set,
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType=kind,  # type: ignore[arg-type]
            ClientToken=token,
            **template_arguments(template, parameters, tags, role_arn, capabilities),
        )
        return answer["Id"]

    def find_change_set(self, stack: str, name: str) -> ChangeSet | None:
        """Describe a change set with all its changes, or None."""
        seen: list[Any] = []

        def fetch(**token: Any) -> Any:
            seen.append(self._call(self._client.describe_change_set, StackName=stack, ChangeSetName=name, **token))
            return seen[-1]

        try:
            changes = tuple(map(_change, pages(fetch, items="Changes", sent="NextToken", received="NextToken")))
        except AwsNotFoundError:
            return None
        first = seen[0]
        return ChangeSet(
            id=first["ChangeSetId"],
            stack_id=first.get("StackId", ""),
            status=first["Status"],
            execution=first.get("ExecutionStatus", ""),
            reason=first.get("StatusReason", ""),
            changes=changes,
        )

    def execute_change_set(self, stack: str, name: str, *, token: str) -> None:
        """Do what a change set says; raises AwsConflictError when it is not executable (any more)."""
        self._call(self._client.execute_change_set, StackName=stack, ChangeSetName=name, ClientRequestToken=token)

    def delete_change_set(self, stack: str, name: str) -> None:
        """Throw a change set away; a missing one is fine."""
        try:
            self._call(self._client.delete_change_set, StackName=stack, ChangeSetName=name)
        except AwsNotFoundError:
            return


def template_arguments(
    template: str, parameters: Mapping[str, str], tags: Mapping[str, str], role_arn: str, capabilities: tuple[str, ...]
) -> Any:
    """Write what creates, updates and change sets have in common."""
    role = {"RoleARN": role_arn} if role_arn else {}
    return {
        "TemplateBody": template,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Capabilities": list(capabilities),
        **role,
    }


def _change(raw: Mapping[str, Any]) -> Change:
    resource = raw.get("ResourceChange", {})
    return Change(
        resource.get("Action", ""),
        resource.get("LogicalResourceId", ""),
        resource.get("PhysicalResourceId", ""),
        resource.get("ResourceType", ""),
        resource.get("Replacement", ""),
    )
