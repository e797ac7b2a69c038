"""The sum of the weights of all served tenants in Redis: true after each change, however often, late or in whatever order it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import TENANT, new_id
from core.outbox.relay import relay
from tenants.facts import FailPolicy
from tenants.limits import projecting, projection, spending
from tenants.limits.board import Board
from tenants.limits.effective import Limits
from tenants.limits.projection import Kind, Standing, TenantRecord
from tenants.limits.services import set_override
from tenants.limits.spending import Bill
from tests.cast import OPERATOR
from tests.tenants.limits.till import Till

if TYPE_CHECKING:
    from tenants.models import Tenant

IDS = [projection.pack_id(new_id(TENANT)) for _ in range(4)]
standings = st.sampled_from(list(Standing))
writes = st.lists(
    st.tuples(st.integers(0, 3), standings, st.integers(1, 32_767), st.integers(0, 9), st.booleans()), min_size=1, max_size=20
)


@pytest.fixture(autouse=True)
def board(clean_redis: redis.Redis) -> Iterator[Board]:
    make = projecting.board
    make.cache_clear()
    yield make()
    make.cache_clear()


def packed(standing: Standing, weight: int, stamp: int) -> bytes:
    if standing is Standing.GONE:
        return projection.gone(stamp)
    return projection.pack_tenant(TenantRecord(standing, Limits(1, 1, 1, None, None, weight, FailPolicy.OPEN)), stamp)


def told(board: Board) -> int:
    """What the records of the epoch that holds add up to."""
    found = board.read([(Kind.TENANT, one) for one in IDS])
    assert found is not None
    read = [projection.unpack_tenant(record) for record in found.records if record]
    return sum(one.limits.weight for one in read if one is not None and one.standing is Standing.SERVED)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(writes, st.integers(0, 19))
def test_the_sum_is_that_of_the_records_through_repeated_late_and_lost_writes_and_rebuilds(
    board: Board, writes: list, rebuilt_at: int
) -> None:
    for place, (whose, standing, weight, stamp, twice) in enumerate([(0, Standing.SERVED, 5, 0, True), *writes]):
        if place in (0, rebuilt_at):
            build = board.begin()
            assert build is not None
            board.write_in(build.epoch, {(Kind.TENANT, IDS[1]): packed(Standing.SERVED, 7, 3)})
            board.write({(Kind.TENANT, IDS[2]): packed(Standing.SERVED, 11, 3)})  # into both
            board.finish(build)
            assert board.weights() == told(board)
        for _ in range(1 + twice):
            board.write({(Kind.TENANT, IDS[whose]): packed(standing, weight, stamp)})
        assert board.weights() == told(board)


def test_a_key_that_looks_like_a_tenant_does_not_count(board: Board) -> None:
    build = board.begin()
    assert build is not None
    board.write_in(
        build.epoch, {(Kind.KEY, IDS[0]): packed(Standing.SERVED, 5, 1), (Kind.TENANT, IDS[1]): packed(Standing.HALTED, 9, 1)}
    )
    board.finish(build)
    assert board.weights() == 0


@pytest.mark.django_db
def test_it_follows_the_tenants(acme: Tenant, globex: Tenant, board: Board, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    assert board.weights() > 1
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="weight", value=1_000, reason="launch")
    relay()
    relay()
    heavier = board.weights()
    assert heavier > 1_000
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="weight", value=1, reason="over")
    relay()
    assert board.weights() == heavier - 999
    _suspend(globex)
    assert board.weights() == 1
    clean_redis.flushdb()
    assert board.weights() == 0
    projecting.ensure()
    assert board.weights() == 1


def _suspend(tenant: Any) -> None:
    type(tenant).objects.filter(pk=tenant.pk).update(state="suspended")
    projecting.refresh_tenants(type(tenant).objects.filter(pk=tenant.pk))


@pytest.mark.django_db
def test_the_limits_script_finds_it(acme: Tenant, globex: Tenant, clean_redis: redis.Redis) -> None:
    projecting.ensure()
    set_override(actor=OPERATOR, tenant_id=acme.pk, limited="weight", value=1, reason="small")
    set_override(actor=OPERATOR, tenant_id=globex.pk, limited="weight", value=99, reason="large")
    relay()
    till, limits = Till(clean_redis), Limits(1_000, 1_000, 1_000)
    refused = [till.ask(Bill(acme.pk, limits, capacity=10)) for _ in range(9)][-1]
    assert refused.refused_by == spending.PLATFORM
    assert 9_000_000 < (refused.retry_after_us or 0) <= 10_000_000, "one in a hundred of ten a second"
