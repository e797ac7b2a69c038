"""Whose address counts behind proxies of ours, and that nobody outside can choose it."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from controlplane.proxies import MOST_HOPS, CallerAddress, caller_in

FORGED = "203.0.113.66"


@pytest.mark.parametrize(
    ("header", "hops", "address"),
    [
        ("192.0.2.7", 1, "192.0.2.7"),
        (f"{FORGED}, 192.0.2.7", 1, "192.0.2.7"),
        (f"{FORGED}, 192.0.2.7, 198.51.100.1", 2, "192.0.2.7"),
        ("192.0.2.7:50312", 1, "192.0.2.7"),
        ("2001:DB8::7", 1, "2001:db8::7"),
        ("[2001:db8::7]:50312", 1, "2001:db8::7"),
        ("192.0.2.7", 2, ""),  # it did not pass both
        (f"{FORGED}, ", 1, ""),
        (f"{FORGED}, unknown", 1, ""),
        ("", 1, ""),
    ],
)
def test_the_address_that_the_outermost_proxy_saw(header: str, hops: int, address: str) -> None:
    assert caller_in(header, hops) == address


@given(st.text(), st.integers(1, MOST_HOPS), st.lists(st.ip_addresses().map(str), min_size=MOST_HOPS, max_size=MOST_HOPS))
def test_what_a_caller_writes_never_counts(written: str, hops: int, seen: list[str]) -> None:
    assert caller_in(", ".join([written, *seen[:hops]]), hops) == seen[0]


@pytest.mark.parametrize(("hops", "address"), [(0, "10.0.0.9"), (1, "192.0.2.7"), (2, FORGED), (3, "10.0.0.9")])
def test_remote_addr_is_the_callers(settings: Any, hops: int, address: str) -> None:
    settings.PROXY_HOPS = hops
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    headers = {"X-Forwarded-For": f"{FORGED}, 192.0.2.7"}
    CallerAddress(view)(RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", headers=headers))
    assert seen == [address]
