"""Who may make which key, for all of them: a partial order, and no chain of keys leads to one that can do more."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tenants.keys import cidrs
from tenants.keys.strength import Strength, excess

SCOPES = st.frozensets(st.sampled_from(["events:read", "events:write", "jobs:read", "keys:read", "keys:write"]))
RANGES = st.lists(
    st.sampled_from(
        ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "192.0.2.0/24", "192.0.2.128/25", "2001:db8::/32", "2001:db8:1::/48", "::/0"]
    ),
    max_size=3,
    unique=True,
)
FIRST, LAST = datetime(2030, 1, 1), datetime(2031, 1, 1)  # noqa: DTZ001  # hypothesis takes bounds without a zone
ENDS = st.none() | st.datetimes(FIRST, LAST, timezones=st.just(UTC))
KEYS = st.builds(Strength, st.sampled_from(["live", "test"]), SCOPES, RANGES, ENDS)
ADDRESSES = st.sampled_from(
    ["10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.1", "192.0.2.200", "2001:db8::1", "2001:db8:1::1", "2001:db9::1"]
)


@given(KEYS)
def test_every_key_is_as_strong_as_itself(key: Strength) -> None:
    assert excess(key, key) == {}


@given(KEYS, KEYS, KEYS)
def test_no_chain_leads_to_a_stronger_key(first: Strength, second: Strength, third: Strength) -> None:
    if not excess(second, first) and not excess(third, second):
        assert excess(third, first) == {}


@given(KEYS, KEYS, ADDRESSES, st.sampled_from(["live", "test"]), SCOPES)
def test_whatever_a_weaker_key_can_do_the_stronger_can(
    weaker: Strength, stronger: Strength, address: str, environment: str, scopes: frozenset[str]
) -> None:
    if excess(weaker, stronger):
        return
    if environment == weaker.environment and scopes <= weaker.scopes and cidrs.is_within(address, weaker.cidrs):
        assert environment == stronger.environment
        assert scopes <= stronger.scopes
        assert cidrs.is_within(address, stronger.cidrs)
    if stronger.ends_at is not None:
        assert weaker.ends_at is not None
        assert weaker.ends_at <= stronger.ends_at


@given(KEYS, KEYS)
def test_two_that_are_as_strong_as_each_other_can_do_the_same(one: Strength, other: Strength) -> None:
    if not excess(one, other) and not excess(other, one):
        assert (one.environment, one.scopes, one.ends_at) == (other.environment, other.scopes, other.ends_at)
        assert cidrs.covers(one.cidrs, other.cidrs)
        assert cidrs.covers(other.cidrs, one.cidrs)


@given(KEYS, KEYS)
def test_each_excess_is_named_at_its_field(wanted: Strength, holder: Strength) -> None:
    found = excess(wanted, holder)
    assert set(found) <= {"environment", "scopes", "cidrs", "expires_at"}
    assert ("environment" in found) == (wanted.environment != holder.environment)
    assert ("scopes" in found) == (not wanted.scopes <= holder.scopes)
    assert all(text.endswith(".") for text in found.values())


@given(KEYS)
def test_a_key_from_anywhere_exceeds_one_with_ranges(key: Strength) -> None:
    everywhere = Strength(key.environment, key.scopes, [], key.ends_at)
    assert ("cidrs" in excess(everywhere, key)) == bool(key.cidrs)
    assert all(ipaddress.ip_network(text) for text in key.cidrs)
