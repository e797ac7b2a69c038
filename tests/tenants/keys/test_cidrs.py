"""Address ranges, for all addresses: one spelling, IPv4 inside IPv6 is IPv4, and what is covered reaches nobody that the cover does not."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.keys import cidrs

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)


@st.composite
def networks(draw: st.DrawFn) -> str:
    """A range in its one spelling, IPv4 or IPv6, often near another."""
    if draw(st.booleans()):
        bits = draw(st.integers(0, 32))
        address = draw(V4 | st.sampled_from(["10.0.0.1", "10.1.2.3", "192.0.2.77"]))
    else:
        bits = draw(st.integers(0, 128))
        address = draw(V6 | st.sampled_from(["2001:db8::1", "2001:db8:1::2", "::1"]))
    return cidrs.normal_form(str(ipaddress.ip_network(f"{address}/{bits}", strict=False)))


@given(networks())
def test_the_one_spelling_is_its_own_spelling(text: str) -> None:
    assert cidrs.normal_form(text) == text
    assert cidrs.normal_forms([text, f" {text} ", text]) == [text]


@given(V4, st.integers(0, 32))
def test_an_ipv4_range_inside_ipv6_is_the_ipv4_range(address: ipaddress.IPv4Address, bits: int) -> None:
    plain = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    mapped = f"::ffff:{plain.network_address}/{96 + bits}"
    assert cidrs.normal_form(mapped) == str(plain)


@given(V4, st.lists(networks(), max_size=4))
def test_a_mapped_address_is_let_in_where_its_ipv4_address_is(address: ipaddress.IPv4Address, ranges: list[str]) -> None:
    assert cidrs.is_within(f"::ffff:{address}", ranges) == cidrs.is_within(str(address), ranges)


@given(V4 | V6, st.lists(networks(), min_size=1, max_size=4))
def test_whoever_is_let_in_is_in_one_of_the_ranges(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, ranges: list[str]
) -> None:
    real = cidrs.unmapped(address)
    inside = [text for text in ranges if real in ipaddress.ip_network(text)]
    assert cidrs.is_within(str(address), ranges) == bool(inside)


@given(st.lists(networks(), max_size=3), st.lists(networks(), max_size=3), V4 | V6)
def test_what_is_covered_reaches_nobody_that_the_cover_does_not(
    outer: list[str], inner: list[str], address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    if cidrs.covers(outer, inner) and cidrs.is_within(str(address), inner):
        assert cidrs.is_within(str(address), outer)
    for text in inner if cidrs.covers(outer, inner) else ():
        for edge in (ipaddress.ip_network(text)[0], ipaddress.ip_network(text)[-1]):
            assert cidrs.is_within(str(edge), outer) or not cidrs.is_within(str(edge), inner)


@given(st.lists(networks(), max_size=3), st.lists(networks(), max_size=3), st.lists(networks(), max_size=3))
def test_covering_is_an_order(one: list[str], two: list[str], three: list[str]) -> None:
    assert cidrs.covers(one, one)
    if cidrs.covers(one, two) and cidrs.covers(two, three):
        assert cidrs.covers(one, three)


@given(st.text(max_size=40), st.lists(networks(), min_size=1, max_size=2))
def test_no_text_breaks_the_readers(text: str, ranges: list[str]) -> None:
    cidrs.is_within(text, ranges)
    try:
        form = cidrs.normal_form(text)
    except ValueError as error:
        assert str(error).endswith((".", ".."))  # noqa: PT017  # most texts are refused, some are ranges
    else:
        assert cidrs.normal_form(form) == form


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0.1/8", "2001:db8::1/32", "fe80::1%eth0", "10.0.0", "", "any", "0x0a000001", "10.0.0.0/-1"]
)
def test_what_is_no_range_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        cidrs.normal_form(text)


@pytest.mark.parametrize("address", ["", "unknown", "10.0.0.1:443", "10.0.0.1, 192.0.2.1", "::ffff:999.0.0.1"])
def test_an_unreadable_address_may_not_use_a_key_with_ranges(address: str) -> None:
    assert not cidrs.is_within(address, ["0.0.0.0/0", "::/0"])
    assert cidrs.is_within(address, [])
