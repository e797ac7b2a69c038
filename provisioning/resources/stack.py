"""A silo's CloudFormation stack: bucket, table, log group and role, from ``templates/tenant/stack.yaml``.

``CREATE_COMPLETE`` is AWS's word and not evidence: every part is read back through its own service's gateway, by the same code that
holds a part outside a stack, and is set right there when it differs, because CloudFormation does not look at what somebody changed by
hand. The fingerprint of template and parameters goes in as a parameter and a tag and comes back as an output, so that an old success is
not taken for this one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

from core.aws.cloudformation import Stack
from core.aws.session import Aws
from provisioning.resources import access_role, bucket, differences, log_group, table, template
from provisioning.resources.base import (
    ABSENT,
    OWN,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    ResourceKind,
    Spec,
    Wait,
    exists,
    is_enabled,
    require_ours,
)
from provisioning.resources.deployment import STILLBORN, StackFailedError, create, deployment_of, move_on, reasons_of
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import TenantNames, names_of, names_of_cell, tenant_tags

KIND = "stack"
DEPENDS_ON: tuple[str, ...] = ("kms_key", "boundary")
HOLDS_DATA = True

POLL_SECONDS = 10
PARTS: dict[str, ResourceKind] = {"bucket": bucket, "table": table, "log_group": log_group, "access_role": access_role}


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One stack for a silo or sovereign tenant."""
    if not exists(tenant) or not tenant.tier.isolation_model.has_own_stack:
        return ()
    names = names_of(tenant)
    spec = {
        "stack": names.stack,
        "template": template.tenant_template().digest,
        "parameters": _parameters(tenant, names),
        "parts": {
            "bucket": bucket.spec_of(tenant),
            "table": table.spec_of(tenant),
            "log_group": log_group.spec_of(tenant),
            "access_role": access_role.spec_of(tenant),
        },
        "tags": tenant_tags(tenant),
    }
    return (Desired(KIND, OWN, spec),)


def _parameters(tenant: TenantFacts, names: TenantNames) -> dict[str, str]:
    shared, able = names_of_cell(tenant.cell), tenant.cell.capabilities
    return {
        "TenantId": tenant.id,
        "BucketName": names.bucket,
        "StoragePrefix": names.storage_prefix,
        "TableName": names.table,
        "SecretPath": names.secret_path,
        "LogPath": names.log_path,
        "LogGroupName": names.log_group,
        "LogRetentionDays": str(tenant.tier.log_retention_days),
        "RoleName": names.role,
        "ControlPlaneRoleArn": shared.control_plane_role_arn,
        "BoundaryArn": shared.boundary_arn,
        "Suspended": _flag(not is_enabled(tenant)),
        "TlsOnly": _flag(able.tls),
        "EncryptionContext": _flag(able.encryption_context),
    }


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """What a cell shares is made without a stack."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Create or update the stack, wait for it, and set right the parts that do not read back as promised."""
    wanted = deployment_of(spec, known)
    stack = None if known.is_new else aws.cloudformation.find_stack(spec["stack"])
    if stack is None:
        stack = create(aws, spec, wanted)
    require_ours(stack.tags, spec, f"The stack {stack.name}")
    stack = move_on(aws, stack, wanted, known)
    attributes = {**_attributes(stack, spec), "deploying": wanted.fingerprint}
    if stack.is_busy:
        return Wait(POLL_SECONDS, f"CloudFormation: {stack.status.lower().replace('_', ' ')}", attributes)
    if not stack.termination_protection:
        aws.cloudformation.put_termination_protection(stack.name, enabled=True)
    for kind, part in _parts(spec):
        answer = kind.ensure(aws, part, _without_this(known))
        if isinstance(answer, Wait):
            return replace(answer, attributes=attributes)
    return Ensured(attributes)


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the stack's fingerprint and every promised part back."""
    stack = aws.cloudformation.find_stack(spec["stack"])
    if stack is None:
        return ABSENT
    wanted = deployment_of(spec, known)
    different = [
        *differences.of_values(
            ("deployment", stack.outputs.get("Deployment"), wanted.fingerprint),
            ("termination protection", stack.termination_protection, True),
        ),
        *(() if stack.status.endswith("_COMPLETE") else (f"stack is {stack.status.lower().replace('_', ' ')}",)),
        *differences.of_tags(stack.tags, wanted.tags),
    ]
    for kind, part in _parts(spec):
        seen, noun = kind.observe(aws, part, _without_this(known)), kind.KIND.replace("_", " ")
        different += [f"{noun}: {difference}" for difference in seen.differences] if seen.present else [f"{noun} is missing"]
    return Observed(True, tuple(different), _attributes(stack, spec))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Empty the bucket, delete the stack, then whatever part is still there; asks to be called again until all is gone."""
    stack = aws.cloudformation.find_stack(spec["stack"])
    if stack is not None:
        require_ours(stack.tags, spec, f"The stack {stack.name}")
        waiting = _delete(aws, stack, spec, known)
        if waiting is not None:
            return waiting
    return _remove_parts(aws, spec, known) or Removed()


def _delete(aws: Aws, stack: Stack, spec: Spec, known: Known) -> Wait | None:
    """Start the deletion; None when the stack is already gone."""
    if stack.is_busy and stack.status not in STILLBORN:
        return Wait(POLL_SECONDS, f"CloudFormation: {stack.status.lower().replace('_', ' ')}")
    failed = reasons_of(aws, stack) if stack.status == "DELETE_FAILED" else ""
    waiting = _remove_parts(aws, spec, known) if failed else _prepare_parts(aws, spec)
    if waiting is not None:
        return waiting
    if stack.termination_protection:
        aws.cloudformation.put_termination_protection(stack.name, enabled=False)
    aws.cloudformation.delete_stack(stack.name, token=uuid.uuid4().hex)
    now = aws.cloudformation.find_stack(stack.id)
    if now is None or now.status == "DELETE_COMPLETE":
        return None
    if failed:
        raise StackFailedError(f"The stack could not be deleted; that is tried again. {failed}")
    return Wait(POLL_SECONDS, "CloudFormation is deleting the stack")


def _prepare_parts(aws: Aws, spec: Spec) -> Wait | None:
    """What CloudFormation refuses to do by itself: empty the bucket, and take the table's protection off."""
    part = spec["parts"]["bucket"]
    if aws.s3.is_bucket(part["bucket"]):
        require_ours(aws.s3.list_bucket_tags(part["bucket"]), part, f"The bucket {part['bucket']}")
        emptied = aws.s3.empty_bucket(part["bucket"])
        if not emptied.done:
            return Wait(1, f"{emptied.deleted} object versions deleted, more to come")
    found = aws.dynamodb.find_table(spec["parts"]["table"]["table"])
    if found is not None and found.deletion_protection:
        require_ours(aws.dynamodb.list_table_tags(found.arn), spec["parts"]["table"], f"The table {found.name}")
        aws.dynamodb.put_deletion_protection(found.name, enabled=False)
    return None


def _remove_parts(aws: Aws, spec: Spec, known: Known) -> Wait | None:
    for kind, part in reversed(list(_parts(spec))):
        answer = kind.remove(aws, part, _without_this(known))
        if isinstance(answer, Wait):
            return answer
    return None


def _parts(spec: Spec) -> Iterator[tuple[ResourceKind, Spec]]:
    for name, kind in PARTS.items():
        yield kind, spec["parts"][name]


def _without_this(known: Known) -> Known:
    return replace(known, this={}, fresh=False)


def _attributes(stack: Stack, spec: Spec) -> dict[str, str]:
    parts = spec["parts"]
    return {
        "stack_id": stack.id,
        "deployment": stack.outputs.get("Deployment", ""),
        "bucket": parts["bucket"]["bucket"],
        "table": parts["table"]["table"],
        "log_group": parts["log_group"]["log_group"],
        "role": parts["access_role"]["role"],
    }


def _flag(value: bool) -> str:
    return "true" if value else "false"
