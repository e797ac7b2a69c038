"""From a cell to the AWS that it lives in: the one seam between settings, rows and the gateways."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from core.aws.pacing import Pacer
from core.aws.session import Aws, Target, connect
from tenants.facts import CellFacts


def target_of(cell: CellFacts) -> Target:
    """Where calls for this cell go: its partition, region, account and role, and the stand-in's address when one is set."""
    return Target(
        partition=cell.partition,
        region=cell.region,
        account_id=cell.account_id,
        role_arn=cell.role_arn,
        endpoint_url=settings.AWS_ENDPOINT_URL or None,
    )


def connect_to(cell: CellFacts, *, session_name: str) -> Aws:
    """Give the gateways of a cell; ``session_name`` (tenant and actor) is what CloudTrail will show.

    Calls are paced by AWS's published budgets where the cell has them, over all workers, through Redis.
    """
    pacer = _pacer(settings.REDIS_URL) if cell.capabilities.call_budgets else None
    return connect(target_of(cell), session_name=session_name, pacer=pacer)


@cache
def _pacer(redis_url: str) -> Pacer:
    """One pacer, and one connection pool, a process."""
    return Pacer.from_url(redis_url)
