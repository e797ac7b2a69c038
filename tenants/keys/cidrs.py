"""Address ranges that a key may be used from, for IPv4 and IPv6. Pure.

An empty list means from anywhere. An IPv4 address that arrives inside an IPv6 one (``::ffff:192.0.2.1``) counts as the IPv4 address that
it is: comparing texts would let it past one list and stop it at another.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
MOST = 50
_MAPPED_BITS = 96
"""How many bits ``::ffff:0:0/96`` puts before the IPv4 address."""


def normal_form(text: str) -> str:
    """Give a range in its one spelling: ``10.0.0.1`` is ``10.0.0.1/32``, ``::ffff:10.0.0.0/104`` is ``10.0.0.0/8``.

    Raises ValueError, with a reason for people; also for a zone (``fe80::1%eth0``), which means something on one machine only.
    """
    if "%" in text:
        raise ValueError(f"{text!r} names a zone; a range has none.")
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address range: {error}.") from None
    if "/" in text and str(network) != _spelled(text):
        raise ValueError(f"{text!r} has bits beyond its length; {network} is the range.")
    return str(_unmapped_network(network))


def is_within(address: str, ranges: Sequence[str]) -> bool:
    """Say whether an address may use a key with these ranges; an unreadable or missing address may not, unless all may."""
    return not ranges or is_among(address, map(ipaddress.ip_network, ranges))


def is_among(address: str, networks: Iterable[Network]) -> bool:
    """Say whether an address is in one of these ranges; an unreadable or missing one is in none."""
    try:
        given = unmapped(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(given in network for network in networks if network.version == given.version)


def covers(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Say whether whoever may come from ``inner`` may also come from ``outer``; empty means anywhere."""
    if not outer:
        return True
    if not inner:
        return False
    wide = [ipaddress.ip_network(text) for text in outer]
    return all(any(_is_inside(ipaddress.ip_network(text), network) for network in wide) for text in inner)


def unmapped(address: Address) -> Address:
    """Give the IPv4 address inside an IPv4-mapped IPv6 one, or the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def normal_forms(texts: Iterable[str]) -> list[str]:
    """Give the ranges in their one spelling, each once, in order. Raises ValueError."""
    return list(dict.fromkeys(normal_form(text) for text in texts))


def _is_inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _unmapped_network(network: Network) -> Network:
    """The IPv4 range inside an IPv4-mapped one: whoever comes from there is told by the address that is inside."""
    inside = unmapped(network.network_address)
    if network.version == inside.version or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network(f"{inside}/{network.prefixlen - _MAPPED_BITS}")


def _spelled(text: str) -> str:
    """The given text with address and length in their one spelling, its stray bits kept."""
    return str(ipaddress.ip_interface(text.strip()))
