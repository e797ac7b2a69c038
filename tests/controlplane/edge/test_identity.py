"""The signed identity: whatever was signed is read back, whatever was touched is not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.edge.asking import Verdict
from controlplane.edge.identity import FRESH_SECONDS, VALID_SECONDS, Badges, Identity, IdentityError, read, sign
from controlplane.edge.ticks import Ticks
from tenants.keys.codes import Code
from tests.controlplane.edge.conftest import IDENTITY_KEYS, Clock

NOW = 1_800_000_000
ACME = Identity("tnt_acme", "key_acme", ("events:read", "events:write"))
words = st.text(alphabet=string.ascii_letters + string.digits + "_:-", max_size=40)
identities = st.builds(Identity, words, words, st.lists(words.filter(bool), max_size=6).map(tuple))


@given(identities, st.integers(0, 2**33), st.integers(0, VALID_SECONDS - 1))
def test_what_was_signed_is_read_back(identity: Identity, now: int, later: int) -> None:
    assert read(sign(identity, IDENTITY_KEYS, now), IDENTITY_KEYS, now + later) == identity


@given(identities, st.data())
def test_no_character_can_be_changed(identity: Identity, data: st.DataObject) -> None:
    header = sign(identity, IDENTITY_KEYS, NOW)
    place = data.draw(st.integers(0, len(header) - 1))
    other = data.draw(st.sampled_from(string.printable).filter(lambda character: character != header[place]))
    with pytest.raises(IdentityError):
        read(header[:place] + other + header[place + 1 :], IDENTITY_KEYS, NOW)


@given(st.text(max_size=300))
def test_nothing_else_is_an_identity_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(IdentityError):
        read(text, IDENTITY_KEYS, NOW)


@pytest.mark.parametrize("moved", [-6, VALID_SECONDS, VALID_SECONDS + 1_000])
def test_it_holds_for_a_minute(moved: int) -> None:
    with pytest.raises(IdentityError, match="stale"):
        read(sign(ACME, IDENTITY_KEYS, NOW), IDENTITY_KEYS, NOW + moved)


def test_secrets_rotate() -> None:
    old = sign(ACME, {1: IDENTITY_KEYS[1]}, NOW)
    assert old.startswith("v1.1.")
    assert sign(ACME, IDENTITY_KEYS, NOW).startswith("v1.2.")
    assert read(old, IDENTITY_KEYS, NOW) == ACME
    for keys in ({2: IDENTITY_KEYS[2]}, {1: b"another"}, {}):
        with pytest.raises(IdentityError, match="unsigned"):
            read(old, keys, NOW)


@pytest.mark.parametrize("tenant_id", ["tnt|key", "tnt acme", "tnt\r\nX-Key-Id: key", "tnt_ä"])
def test_what_could_pass_for_something_else_is_not_signed(tenant_id: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        sign(Identity(tenant_id, "key"), IDENTITY_KEYS, NOW)


def test_a_key_s_headers_are_kept_for_a_few_seconds_and_for_that_identity_alone() -> None:
    clock = Clock()
    ticks = Ticks(clock, clock)
    badges = Badges(IDENTITY_KEYS, ticks)
    verdict = Verdict(Code.VALID, "tnt_acme", "key_acme", 1, ("events:read",))
    first = badges.lines(verdict)
    assert badges.lines(verdict) is first
    assert badges.lines(Verdict(Code.VALID, "tnt_acme", "key_acme", 2, ("events:write",))) != first
    assert badges.lines(Verdict(Code.VALID, "tnt_globex", "key_acme", 2, ("events:read",))) != first
    kept = badges.lines(verdict)
    clock.seconds += FRESH_SECONDS
    ticks.turn()
    assert badges.lines(verdict) != kept
    assert first.startswith(b"X-Tenant-Id: tnt_acme\r\nX-Key-Id: key_acme\r\nX-Key-Scopes: events:read\r\nX-Edge-Identity: v1.2.")
