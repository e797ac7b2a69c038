"""AWS partitions: which DNS suffix, console and service principals each uses. Pure.

The suffixes are those of botocore's ``endpoints.json``; the service principals follow the AWS CDK's ``region-info`` tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tenants.facts import CellFacts


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: ``dns_suffix`` of its endpoints and ``console`` host, neither with a scheme.

    ``hosted`` is the label that stands before the region in the hosts of user pools' domains, empty where there are none: no region of
    the partition has Cognito user pools.
    """

    name: str
    dns_suffix: str
    console: str
    hosted: str = ""


_PARTITIONS: Final = {
    entry.name: entry
    for entry in (
        Partition("aws", "amazonaws.com", "console.aws.amazon.com", "auth"),
        Partition("aws-us-gov", "amazonaws.com", "console.amazonaws-us-gov.com", "auth-fips"),
        Partition("aws-cn", "amazonaws.com.cn", "console.amazonaws.cn"),
        Partition("aws-iso", "c2s.ic.gov", "console.c2shome.ic.gov"),
        Partition("aws-iso-b", "sc2s.sgov.gov", "console.sc2shome.sgov.gov"),
    )
}
_SUFFIXED_IN_CHINA: Final = frozenset({"ec2", "elasticmapreduce"})


def partition_of(name: str) -> Partition | None:
    """Find a partition by its name; None when it is not one that we deploy to."""
    return _PARTITIONS.get(name)


def partition_names() -> tuple[str, ...]:
    """List the partitions that a cell may be in."""
    return tuple(_PARTITIONS)


def service_principal(cell: CellFacts, service: str) -> str:
    """Give the principal under which an AWS service acts in the cell's region (``lambda``, ``logs``, ``firehose``)."""
    suffix = _PARTITIONS[cell.partition].dns_suffix
    if service == "logs":
        return f"logs.{cell.region}.{suffix}"
    if cell.partition == "aws-cn" and service in _SUFFIXED_IN_CHINA:
        return f"{service}.{suffix}"
    return f"{service}.amazonaws.com"


def endpoint_host(cell: CellFacts, service: str) -> str:
    """Give the host of a service's regional endpoint."""
    return f"{service}.{cell.region}.{_PARTITIONS[cell.partition].dns_suffix}"


def hosted_host(cell: CellFacts, prefix: str) -> str:
    """Give the host of a user pool's hosted endpoints; empty where the partition has none.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html, and for GovCloud
    https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-cog.html
    """
    label = _PARTITIONS[cell.partition].hosted
    return f"{prefix}.{label}.{cell.region}.amazoncognito.com" if label else ""


def console_url(cell: CellFacts, path: str) -> str:
    """Give a link into the AWS console of the cell's partition; ``path`` starts without a slash."""
    return f"https://{_PARTITIONS[cell.partition].console}/{path}"
