"""How a stack comes to a deployment: created, updated, waited for, and what is done when CloudFormation gives up.

A stack that failed in its making is deleted, and one whose update was rolled back is updated again; either way the failure is raised
with CloudFormation's own reasons, so that it counts against the retries and is seen. Tokens are new with every call: a stack's name is
unique, and we look before we act, so a repeated call does no harm, while a token used again would be taken for the earlier request.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass

from core.aws.cloudformation import Stack
from core.aws.errors import AwsAlreadyExistsError, AwsError
from core.aws.session import Aws
from core.errors import DomainError
from provisioning.resources import template
from provisioning.resources.base import OWN, Known, Spec, fingerprint_of

TAG_DEPLOYMENT = "controlplane:deployment"
STILLBORN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
_ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
_STUCK = "UPDATE_ROLLBACK_FAILED"
_TOLD = 5  # reasons in one message


class StackFailedError(DomainError):
    """CloudFormation gave a deployment up; ``detail`` has its reasons. What can be done about it has been started."""

    code = "stack-failed"
    title = "CloudFormation could not bring the stack about"
    status = 502
    retryable = True


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is asked of CloudFormation: all of it, known only once the tenant's key exists."""

    fingerprint: str
    parameters: dict[str, str]
    tags: dict[str, str]


def deployment_of(spec: Spec, known: Known) -> Deployment:
    """Give what is asked for; raises MissingDependencyError while the tenant's key is not there."""
    parameters = {**spec["parameters"], "KeyArn": str(known.own("kms_key", OWN)["arn"])}
    fingerprint = fingerprint_of({"template": spec["template"], "parameters": parameters, "tags": spec["tags"]})
    return Deployment(fingerprint, {**parameters, "Deployment": fingerprint}, {**spec["tags"], TAG_DEPLOYMENT: fingerprint})


def create(aws: Aws, spec: Spec, wanted: Deployment) -> Stack:
    """Start making the stack and give it as it is then: ours or, by its tags, a stranger's."""
    with suppress(AwsAlreadyExistsError):  # made by a call whose answer was lost, or by a stranger: its tags will tell
        aws.cloudformation.create_stack(
            spec["stack"],
            template=template.tenant_template().text,
            parameters=wanted.parameters,
            tags=wanted.tags,
            token=uuid.uuid4().hex,
            termination_protection=True,
        )
    stack = aws.cloudformation.find_stack(spec["stack"])
    if stack is None:
        raise StackFailedError("CloudFormation took the stack and does not show it.")
    return stack


def move_on(aws: Aws, stack: Stack, wanted: Deployment, known: Known) -> Stack:
    """Start whatever brings the stack nearer to the deployment and give it as it is then; raises StackFailedError for a failure."""
    if stack.status in STILLBORN:
        reasons = reasons_of(aws, stack)
        if stack.termination_protection:
            aws.cloudformation.put_termination_protection(stack.name, enabled=False)
        aws.cloudformation.delete_stack(stack.name, token=uuid.uuid4().hex)
        raise StackFailedError(f"The stack could not be made and is deleted, to be made again. {reasons}")
    if stack.is_busy:
        return stack
    if stack.status == _STUCK:
        reasons = reasons_of(aws, stack)
        aws.cloudformation.continue_rollback(stack.name, token=uuid.uuid4().hex)
        raise StackFailedError(f"The stack could not be rolled back; that is tried again. {reasons}")
    if stack.outputs.get("Deployment") == wanted.fingerprint and wanted.tags.items() <= stack.tags.items():
        return stack
    reasons = reasons_of(aws, stack) if stack.status == _ROLLED_BACK and known.this.get("deploying") == wanted.fingerprint else ""
    aws.cloudformation.update_stack(
        stack.name, template=template.tenant_template().text, parameters=wanted.parameters, tags=wanted.tags, token=uuid.uuid4().hex
    )
    now = aws.cloudformation.find_stack(stack.id) or stack
    if now.status == _ROLLED_BACK:
        reasons = reasons_of(aws, now)
    if reasons:
        raise StackFailedError(f"The update was rolled back; it is tried again. {reasons}")
    return now


def reasons_of(aws: Aws, stack: Stack) -> str:
    """CloudFormation's own words for what failed last, in the order in which it did."""
    failed = [event for event in aws.cloudformation.list_events(stack.id) if event.status.endswith("_FAILED") and event.reason]
    told = [f"{event.logical_id}: {event.reason}" for event in reversed(failed[:_TOLD])]
    if any("DescribeEvents" in event.reason for event in failed):
        with suppress(AwsError):  # an API of November 2025, which not every partition has
            told = [*aws.cloudformation.list_validation_failures(stack.id)[:_TOLD]]
    return "; ".join(told) or stack.reason or f"Status {stack.status}."
