"""A DynamoDB table, paid by request, with point-in-time recovery and deletion protection; items are keyed ``pk`` and ``sk``.

The cell's shared table is made here; a silo's own comes with its stack, is read back here, and set right here when somebody changed it.
"""

from __future__ import annotations

from core.aws.dynamodb import Table
from core.aws.errors import AwsAlreadyExistsError
from core.aws.session import Aws
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    NOT_SHOWN_YET,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    cell_tags,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of, names_of_cell, tenant_tags

KIND = "table"
DEPENDS_ON: tuple[str, ...] = ()
HOLDS_DATA = True

PARTITION_KEY, SORT_KEY = "pk", "sk"
POLL_SECONDS = 3


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A tenant's own table is part of its stack."""
    return ()


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One table for all pooled and bridge tenants."""
    return (Desired(KIND, SHARED, _spec(names_of_cell(cell).table, cell_tags(cell))),)


def spec_of(tenant: TenantFacts) -> Spec:
    """A silo's own table, as its stack makes it."""
    return _spec(names_of(tenant).table, tenant_tags(tenant))


def _spec(name: str, tags: dict[str, str]) -> Spec:
    return {"table": name, "partition_key": PARTITION_KEY, "sort_key": SORT_KEY, "deletion_protection": True, "tags": tags}


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the table and switch recovery on once it is active, or set right what differs. Keys cannot be changed: they stay a difference."""
    name = spec["table"]
    table = aws.dynamodb.find_table(name)
    tags: dict[str, str] = dict(spec["tags"])
    if table is None:
        try:
            table = aws.dynamodb.create_table(
                name,
                partition_key=spec["partition_key"],
                sort_key=spec["sort_key"],
                tags=spec["tags"],
                deletion_protection=spec["deletion_protection"],
            )
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
    elif table.status != "CREATING":  # its tags are to be read once it is there
        tags = aws.dynamodb.list_table_tags(table.arn)
        require_ours(tags, spec, f"The table {name}")
    if table.status != "ACTIVE":
        return Wait(POLL_SECONDS, f"the table is {table.status.lower()}", _attributes(table))
    _correct(aws, table, spec, tags)
    return Ensured(_attributes(table))


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read keys, protection, recovery and tags back."""
    table = aws.dynamodb.find_table(spec["table"])
    if table is None:
        return ABSENT
    keys = (spec["partition_key"], spec["sort_key"])
    different = (
        *differences.of_values(
            ("status", table.status, "ACTIVE"),
            ("keys", ", ".join(table.keys), ", ".join(keys)),
            ("deletion protection", table.deletion_protection, spec["deletion_protection"]),
            ("point-in-time recovery", aws.dynamodb.is_recoverable(table.name), True),
        ),
        *differences.of_tags(aws.dynamodb.list_table_tags(table.arn), spec["tags"]),
    )
    return Observed(True, different, _attributes(table))


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Take the protection off and delete the table; asks to be called again until it is gone."""
    table = aws.dynamodb.find_table(spec["table"])
    if table is None:
        return Removed()
    if table.status != "DELETING":
        require_ours(aws.dynamodb.list_table_tags(table.arn), spec, f"The table {table.name}")
        if table.deletion_protection:
            aws.dynamodb.put_deletion_protection(table.name, enabled=False)
        aws.dynamodb.delete_table(table.name)
        if aws.dynamodb.find_table(table.name) is None:
            return Removed()
    return Wait(POLL_SECONDS, "the table is being deleted")


def _correct(aws: Aws, table: Table, spec: Spec, tags: dict[str, str]) -> None:
    if differences.of_tags(tags, spec["tags"]):
        aws.dynamodb.put_table_tags(table.arn, spec["tags"])
    if table.deletion_protection != spec["deletion_protection"]:
        aws.dynamodb.put_deletion_protection(table.name, enabled=spec["deletion_protection"])
    if not aws.dynamodb.is_recoverable(table.name):
        aws.dynamodb.put_point_in_time_recovery(table.name)


def _attributes(table: Table) -> dict[str, str]:
    return {"table": table.name, "arn": table.arn}
