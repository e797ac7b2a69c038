"""A KMS key: the tenant's own, or one that a cell shares. Its alias is the name that it is found by.

CreateKey takes no client token, and a key made twice costs money for a month, so a key without an alias is looked for by its tags
wherever an earlier attempt may be unaccounted for. Removal schedules the deletion after 30 days, AWS's longest window: what was encrypted
under the key is lost with it, so this is the last thing to be final. The alias stays, and a key that waits for its deletion counts as
gone; wanted again, its deletion is cancelled.
"""

from __future__ import annotations

from core.aws.kms import GONE, Key
from core.aws.session import Aws
from provisioning.isolation import policies
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    OWN,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    cell_tags,
    exists,
    owner_tags,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, names_of_cell, tenant_tags

KIND = "kms_key"
DEPENDS_ON: tuple[str, ...] = ()
HOLDS_DATA = True

DELETION_DAYS = 30


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A key of its own for every tenant outside the pool model."""
    if not exists(tenant) or not tenant.tier.isolation_model.has_own_pool:
        return ()
    spec = {
        "alias": names_of(tenant).key_alias,
        "description": f"Data of {tenant.id}",
        "policy": policies.own_key_policy(tenant),
        "deletion_days": DELETION_DAYS,
        "tags": tenant_tags(tenant),
    }
    return (Desired(KIND, OWN, spec),)


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One key for the shared bucket."""
    spec = {
        "alias": names_of_cell(cell).key_alias,
        "description": f"Shared data of cell {cell.code}",
        "policy": policies.shared_key_policy(cell),
        "deletion_days": DELETION_DAYS,
        "tags": cell_tags(cell),
    }
    return (Desired(KIND, SHARED, spec),)


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the key with its alias and yearly rotation, call it back from deletion, or set right what differs."""
    key, aliased = _find(aws, spec, known)
    if key is None:
        key = aws.kms.create_key(description=spec["description"], tags=spec["tags"], policy=spec["policy"])
        aws.kms.put_alias(spec["alias"], key.id)
        aws.kms.enable_rotation(key.id)
        return Ensured(_attributes(key))
    tags = aws.kms.list_key_tags(key.id)
    require_ours(tags, spec, f"The key {key.id}")
    if key.state in GONE:
        aws.kms.cancel_deletion(key.id)
    elif key.state != "Enabled":
        aws.kms.enable_key(key.id)
    if not aliased:
        aws.kms.put_alias(spec["alias"], key.id)
    if differences.of_tags(tags, spec["tags"]):
        aws.kms.put_key_tags(key.id, spec["tags"])
    if differences.of_document("the key policy", aws.kms.get_key_policy(key.id), spec["policy"]):
        aws.kms.put_key_policy(key.id, spec["policy"])
    if not aws.kms.is_rotating(key.id):
        aws.kms.enable_rotation(key.id)
    return Ensured(_attributes(key))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the alias, the key's state, rotation, policy and tags back."""
    key, aliased = _find(aws, spec, known)
    if key is None or key.state in GONE:
        return ABSENT
    different = (
        *differences.of_values(("state", key.state, "Enabled")),
        *(() if aliased else (f"alias {spec['alias']} does not point to the key",)),
        *differences.of_values(("yearly rotation", aws.kms.is_rotating(key.id), True)),
        *differences.of_document("the key policy", aws.kms.get_key_policy(key.id), spec["policy"]),
        *differences.of_tags(aws.kms.list_key_tags(key.id), spec["tags"]),
    )
    return Observed(True, different, _attributes(key))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Schedule the key's deletion."""
    key, _ = _find(aws, spec, known)
    if key is not None and key.state not in GONE:
        require_ours(aws.kms.list_key_tags(key.id), spec, f"The key {key.id}")
        aws.kms.delete_key(key.id, days=spec["deletion_days"])
    return Removed()


def _find(aws: Aws, spec: Spec, known: Known) -> tuple[Key | None, bool]:
    """Give the key, and whether the alias points to it: the recorded one before the aliased one before one with our tags."""
    by_alias = aws.kms.find_key_by_alias(spec["alias"])
    recorded = known.this.get("key_id")
    if by_alias is not None and recorded in (None, by_alias.id):
        return by_alias, True
    by_id = aws.kms.find_key(recorded) if recorded else None
    if by_id is not None:
        return by_id, False
    if by_alias is not None:
        return by_alias, True
    return (None if known.fresh else aws.kms.find_key_by_tags(owner_tags(spec))), False


def _attributes(key: Key) -> dict[str, str]:
    return {"key_id": key.id, "arn": key.arn}
