"""CloudFormation stacks and change sets.

``DescribeStacks`` answers ValidationError for a stack that is missing: here that is None. A status is AWS's word, not evidence: read the
resources themselves back.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.cloudformation_changes import CloudFormationChanges, template_arguments
from core.aws.errors import AwsError
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_UPDATES = "No updates are to be performed"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack; ``status`` as AWS names it (CREATE_IN_PROGRESS, UPDATE_ROLLBACK_COMPLETE ...), ``reason`` its explanation."""

    id: str
    name: str
    status: str
    reason: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    tags: dict[str, str]
    termination_protection: bool

    @property
    def is_busy(self) -> bool:
        """True while AWS works on the stack."""
        return self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One line of a stack's story, newest first in lists."""

    id: str
    at: datetime.datetime
    logical_id: str
    type: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of a stack; ``physical_id`` is empty until it has been made."""

    logical_id: str
    physical_id: str
    type: str
    status: str


class CloudFormation(CloudFormationChanges):
    """The gateway to CloudFormation. ``stack`` arguments take a name or an id; a deleted stack is found by its id only."""

    def find_stack(self, stack: str) -> Stack | None:
        """Describe a stack, or None."""
        try:
            found = self._call(self._client.describe_stacks, StackName=stack)["Stacks"]
        except AwsError as error:
            if error.aws_code == "ValidationError" and "does not exist" in error.detail:
                return None
            raise
        return _stack(found[0]) if found else None

    def create_stack(
        self,
        name: str,
        *,
        template: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        token: str,
        role_arn: str = "",
        capabilities: tuple[str, ...] = ("CAPABILITY_NAMED_IAM",),
        termination_protection: bool = False,
        on_failure: str = "ROLLBACK",
    ) -> str:
        """Start making a stack and give its id; raises AwsAlreadyExistsError. The same ``token`` again is one and the same request on AWS.

        ``template`` is the text, at most 51,200 bytes. Poll :meth:`find_stack` while it is busy.
        """
        answer = self._call(
            self._client.create_stack,
            StackName=name,
            ClientRequestToken=token,
            EnableTerminationProtection=termination_protection,
            OnFailure=on_failure,  # type: ignore[arg-type]
            **template_arguments(template, parameters, tags, role_arn, capabilities),
        )
        return answer["StackId"]

    def update_stack(
        self,
        stack: str,
        *,
        template: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        token: str,
        role_arn: str = "",
        capabilities: tuple[str, ...] = ("CAPABILITY_NAMED_IAM",),
    ) -> bool:
        """Start updating a stack; False when it is already as wanted. Raises AwsError while it is busy or rolled back from its making."""
        try:
            self._call(
                self._client.update_stack,
                StackName=stack,
                ClientRequestToken=token,
                **template_arguments(template, parameters, tags, role_arn, capabilities),
            )
        except AwsError as error:
            if error.aws_code == "ValidationError" and NO_UPDATES in error.detail:
                return False
            raise
        return True

    def continue_rollback(self, stack: str, *, token: str) -> None:
        """Go on with a rollback that failed; raises AwsError unless the stack is in UPDATE_ROLLBACK_FAILED."""
        self._call(self._client.continue_update_rollback, StackName=stack, ClientRequestToken=token)

    def put_termination_protection(self, stack: str, *, enabled: bool) -> None:
        """Refuse or allow deletion of the stack."""
        self._call(self._client.update_termination_protection, StackName=stack, EnableTerminationProtection=enabled)

    def delete_stack(self, stack: str, *, token: str, role_arn: str = "", retain: tuple[str, ...] = ()) -> None:
        """Start deleting a stack; a missing one is fine. ``retain`` names resources to leave, for one in DELETE_FAILED."""
        optional: dict[str, Any] = {"RoleARN": role_arn} if role_arn else {}
        if retain:
            optional["RetainResources"] = list(retain)
        try:
            self._call(self._client.delete_stack, StackName=stack, ClientRequestToken=token, **optional)
        except AwsError as error:
            if not (error.aws_code == "ValidationError" and "does not exist" in error.detail):
                raise

    def list_events(self, stack: str, *, limit: int = 100) -> tuple[StackEvent, ...]:
        """Give the stack's latest events, newest first, one page at most."""
        found = self._call(self._client.describe_stack_events, StackName=stack)["StackEvents"][:limit]
        return tuple(
            StackEvent(
                item["EventId"],
                item["Timestamp"],
                item.get("LogicalResourceId", ""),
                item.get("ResourceType", ""),
                item.get("ResourceStatus", ""),
                item.get("ResourceStatusReason", ""),
            )
            for item in found
        )

    def list_validation_failures(self, stack: str) -> tuple[str, ...]:
        """Give what CloudFormation's check before an operation found wrong, newest first, one page at most.

        A stack event then says no more than how many errors there were. Raises AwsError where the API does not exist yet.
        """
        found = self._call(self._client.describe_events, StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
        reasons = (item.get("ValidationStatusReason", "") for item in found)
        return tuple(reason for reason in reasons if reason)

    def list_resources(self, stack: str) -> tuple[StackResource, ...]:
        """Give all resources of a stack."""
        fetch = partial(self._call, self._client.list_stack_resources, StackName=stack)
        return tuple(
            StackResource(
                item["LogicalResourceId"], item.get("PhysicalResourceId", ""), item["ResourceType"], item["ResourceStatus"]
            )
            for item in pages(fetch, items="StackResourceSummaries", sent="NextToken", received="NextToken")
        )

    def get_template(self, stack: str) -> str:
        """Give the template that the stack was last made from, as text."""
        body: Any = self._call(self._client.get_template, StackName=stack, TemplateStage="Original")["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body)  # botocore parses a JSON template by itself


def _stack(raw: Mapping[str, Any]) -> Stack:
    return Stack(
        id=raw["StackId"],
        name=raw["StackName"],
        status=raw["StackStatus"],
        reason=raw.get("StackStatusReason", ""),
        parameters={item["ParameterKey"]: item.get("ParameterValue", "") for item in raw.get("Parameters", ())},
        outputs={item["OutputKey"]: item.get("OutputValue", "") for item in raw.get("Outputs", ())},
        tags={item["Key"]: item["Value"] for item in raw.get("Tags", ())},
        termination_protection=raw.get("EnableTerminationProtection", False),
    )
