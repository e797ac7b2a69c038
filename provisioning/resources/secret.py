"""A tenant's path in Secrets Manager: a container for the service's own secrets, and whatever keys of the tenant lie beside it.

The container is a name under the path, a KMS key, no value. The secrets of the tenant's keys come and go with the keys (``tenants.keys``); what
this kind answers for is that they are under the tenant's KMS key when its tier changes, and that none is left when the tenant goes.
Each key's stages are not read back here: the keys' own clock does that.

Deletion waits seven days, AWS's shortest window, and is not forced: offboarding has a grace period of its own before this, but a key
deleted by mistake would cut a customer off for good. Ids are never given out twice, so the name that stays taken meanwhile costs nothing. A
secret that waits for deletion counts as gone; wanted again, the container is restored.
"""

from __future__ import annotations

import hashlib

from core.aws.errors import AwsAlreadyExistsError, AwsError
from core.aws.secretsmanager import Secret
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    OWN,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    exists,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, tenant_tags

KIND = "secret"
DEPENDS_ON: tuple[str, ...] = ("kms_key",)
HOLDS_DATA = True

RECOVERY_DAYS = 7
AWS_MANAGED_KEY = "alias/aws/secretsmanager"


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """One secret; under the tenant's own key where it has one."""
    if not exists(tenant):
        return ()
    spec = {
        "secret": names_of(tenant).api_secret,
        "path": names_of(tenant).secret_path,
        "description": "Service secrets of one tenant.",
        "key": OWN if tenant.tier.isolation_model.has_own_pool else "",
        "recovery_days": RECOVERY_DAYS,
        "tags": tenant_tags(tenant),
    }
    return (Desired(KIND, OWN, spec),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """A cell has no secret."""
    return ()


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the container, take a scheduled deletion back, or set right what differs. Values are never touched."""
    key_arn, name = _key_arn(spec, known), spec["secret"]
    found = None if known.is_new else aws.secretsmanager.find_secret(name)
    if found is None:
        arn = _create(aws, spec, key_arn)
        if arn:
            return Ensured({"secret": name, "arn": arn})
        found = aws.secretsmanager.get_secret(name)
    require_ours(found.tags, spec, f"The secret {name}")
    if found.deleted_at is not None:
        aws.secretsmanager.restore_secret(name)
    if differences.of_tags(found.tags, spec["tags"]):
        aws.secretsmanager.put_secret_tags(name, spec["tags"])
    if _settings_differ(found, spec, key_arn):
        # The container last: while it differs, a repetition after a crash comes here again.
        for beside in _beside(aws, spec):
            aws.secretsmanager.put_secret_settings(beside, kms_key_id=key_arn or AWS_MANAGED_KEY)
        aws.secretsmanager.put_secret_settings(name, description=spec["description"], kms_key_id=key_arn or AWS_MANAGED_KEY)
    return Ensured({"secret": name, "arn": found.arn})


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read description, key and tags back. One that waits for its deletion is not there."""
    found = aws.secretsmanager.find_secret(spec["secret"])
    if found is None or found.deleted_at is not None:
        left = _beside(aws, spec)
        return Observed(True, (f"the container is gone; {len(left)} secrets of keys are there",)) if left else ABSENT
    different = _settings_differ(found, spec, _key_arn(spec, known)) + differences.of_tags(found.tags, spec["tags"])
    return Observed(True, different, {"secret": found.name, "arn": found.arn})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Schedule the deletion of everything below the path. What a list that lags does not show is deleted by the clock of the keys, from its rows."""
    for name in _beside(aws, spec):
        aws.secretsmanager.delete_secret(name, recovery_days=spec["recovery_days"])
    found = aws.secretsmanager.find_secret(spec["secret"])
    if found is not None and found.deleted_at is None:
        require_ours(found.tags, spec, f"The secret {spec['secret']}")
        aws.secretsmanager.delete_secret(spec["secret"], recovery_days=spec["recovery_days"])
    return Removed()


def _beside(aws: Aws, spec: Spec) -> list[str]:
    """Name the secrets of keys below the path that do not wait for their deletion; raises NotOursError for a stranger's."""
    if "path" not in spec:  # recorded by a release that kept nothing there
        return []
    found = [item for item in aws.secretsmanager.list_secrets(spec["path"]) if item.name != spec["secret"]]
    for item in found:
        require_ours(item.tags, spec, f"The secret {item.name}")
    return [item.name for item in found]


def _create(aws: Aws, spec: Spec, key_arn: str) -> str:
    """Make the container and give its ARN; empty when the name is taken, by one that waits for its deletion as well."""
    token = hashlib.sha256(
        f"secret:{spec['secret']}".encode()
    ).hexdigest()  # the same every time: AWS takes a repeated request for one
    try:
        return aws.secretsmanager.create_secret(
            spec["secret"], token=token, value=None, tags=spec["tags"], kms_key_id=key_arn, description=spec["description"]
        )
    except AwsError as error:
        if isinstance(error, AwsAlreadyExistsError) or error.aws_code == "InvalidRequestException":
            return ""
        raise


def _settings_differ(found: Secret, spec: Spec, key_arn: str) -> tuple[str, ...]:
    key = "" if found.kms_key_id == AWS_MANAGED_KEY else found.kms_key_id
    return differences.of_values(
        ("description", found.description, spec["description"]),
        ("KMS key", key or "AWS's own", key_arn or "AWS's own"),
    )


def _key_arn(spec: Spec, known: Known) -> str:
    return str(known.own("kms_key", spec["key"])["arn"]) if spec["key"] else ""
