"""Records of the projection: what goes in comes out, no secret and nothing personal is in them, and they are small."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import KEY, TENANT, new_id
from tenants.facts import FailPolicy
from tenants.limits import projection as p
from tenants.limits.effective import KeyLimits, Limits

ids = st.integers(0, 2**48 - 1).map(lambda ms: new_id(TENANT, now_ms=ms))
addresses = st.tuples(st.ip_addresses(v=4), st.integers(0, 32)) | st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
networks = addresses.map(lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False)))
maybe = st.none() | st.integers(0, 2**53 - 1)
key_limits = st.none() | st.builds(KeyLimits, maybe, maybe, maybe, maybe, maybe)
standings = st.sampled_from([p.Standing.SERVED, p.Standing.HALTED])
key_records = st.builds(
    p.KeyRecord,
    digest=st.binary(min_size=32, max_size=32),
    tenant_id=ids,
    key_id=ids.map(lambda text: text.replace("tnt_", "key_")),
    number=st.integers(0, 2**16 - 1),
    standing=standings,
    ends_at=st.integers(0, 2**32 - 1),
    cidrs=st.lists(networks, max_size=50).map(tuple),
    limits=key_limits,
)
whole, long = st.integers(1, 2**31 - 1), st.integers(0, 2**53 - 1)
limits = st.builds(
    Limits, whole, whole, long, st.none() | long, st.none() | st.integers(0, 2**31 - 1), st.integers(1, 2**15 - 1), st.sampled_from(FailPolicy)
)  # fmt: skip
stamps = st.integers(0, 2**40 - 1)


@given(key_records, stamps)
def test_a_version_comes_out_as_it_went_in(record: p.KeyRecord, stamp: int) -> None:
    packed = p.pack_key(record, stamp)
    assert p.unpack_key(packed, record.digest) == record
    assert packed.startswith(p.stamped(stamp))


@given(key_records)
def test_found_by_half_a_digest_it_tells_the_other_half(record: p.KeyRecord) -> None:
    other = record.digest[:16] + bytes(16)
    found = p.unpack_key(p.pack_key(record, 1), other)
    assert found is not None
    assert found.digest == record.digest


@given(st.builds(p.TenantRecord, standings, limits), stamps)
def test_a_tenant_comes_out_as_it_went_in(record: p.TenantRecord, stamp: int) -> None:
    assert p.unpack_tenant(p.pack_tenant(record, stamp)) == record


@given(ids)
def test_ids_come_out_as_they_went_in(public_id: str) -> None:
    assert p.unpack_id("tnt", p.pack_id(public_id)) == public_id
    assert len(p.pack_id(public_id)) == 16


@given(stamps, stamps)
def test_later_stamps_are_greater_as_bytes(one: int, other: int) -> None:
    assert (p.stamped(one) < p.stamped(other)) == (one < other)


def test_what_is_gone_says_nothing_else() -> None:
    assert p.gone(7) == bytes(4) + b"\x07\x00"
    assert p.unpack_key(p.gone(7), bytes(32)) is None
    assert p.unpack_tenant(p.gone(7)) is None


def test_a_set_of_scopes_is_one_in_any_order() -> None:
    words = ("events:write", "events:read")
    assert p.scopes_id(words) == p.scopes_id(words[::-1]) != p.scopes_id(words[:1])
    assert p.unpack_scopes(p.pack_scopes(words)) == ("events:read", "events:write")
    assert p.scopes_id(()) == p.NO_SCOPES
    record = p.KeyRecord(bytes(32), new_id(TENANT), new_id(KEY), 1, p.Standing.SERVED, 5, scopes=words)
    assert p.scopes_in(p.pack_key(record, 1)) == p.scopes_id(words)


def test_an_ordinary_record_is_small() -> None:
    record = p.KeyRecord(bytes(32), new_id(TENANT), new_id(KEY), 1, p.Standing.SERVED, 5, scopes=("events:read",))
    assert len(p.pack_key(record, 1)) == 69
    assert len(p.name_of(bytes(4), p.Kind.KEY, bytes(16))) == 25


@pytest.mark.parametrize("rubbish", [b"", b"123456789", b"\xff" * 68 + b"\x01\x20"])
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises((ValueError, p.struct.error, IndexError)):
        p.unpack_key(rubbish, bytes(32))
