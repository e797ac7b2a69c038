"""Tokens as text: how they are made, and what a typo costs. ASVS 5.0: 7.2.3 (entropy), 11.2.4 (constant time)."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.redaction import redact_text
from tenants.keys import tokens

SHAPE = re.compile(r"cpo_dev_[0-9A-Za-z]{16}_[0-9A-Za-z]{39}")


def test_a_token_has_the_shape_that_scanners_look_for() -> None:
    assert SHAPE.fullmatch(tokens.new_token("cpo", "dev").text)


def test_the_secret_carries_192_bits_at_least() -> None:
    assert 62**tokens.SECRET_LENGTH >= 2**192


def test_no_two_are_alike() -> None:
    assert len({tokens.new_token("cpo", "dev").text for _ in range(1000)}) == 1000


def test_a_token_reads_back() -> None:
    token = tokens.new_token("cpo", "production")
    assert tokens.parse_token(token.text) == token


def test_the_checksum_is_the_base62_crc32_of_all_before() -> None:
    text = tokens.new_token("cpo", "dev").text
    number = 0
    for digit in text[-6:]:
        number = number * 62 + tokens.ALPHABET.index(digit)
    assert number == zlib.crc32(text[:-6].encode())
    assert tokens.checksum_of("") == "000000"


@given(st.integers(0, 72), st.sampled_from(tokens.ALPHABET + "_-é "))
def test_one_wrong_character_is_noticed(place: int, character: str) -> None:
    text = "cpo_dev_0123456789abcdef_" + "S" * 33
    text += tokens.checksum_of(text)
    place %= len(text)
    spoiled = text[:place] + character + text[place + 1 :]
    assert (tokens.parse_token(spoiled) is not None) == (spoiled == text)


@given(st.text(max_size=90))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert tokens.parse_token(text) is None


@pytest.mark.parametrize("suffix", ["\n", " ", "\x00", "0"])
def test_nothing_may_follow(suffix: str) -> None:
    assert tokens.parse_token(tokens.new_token("cpo", "dev").text + suffix) is None


def test_digests_depend_on_token_and_pepper() -> None:
    text = tokens.new_token("cpo", "dev").text
    digest = tokens.digest_of(text, b"pepper")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert tokens.matches(text, b"pepper", digest)
    assert not tokens.matches(text, b"another", digest)
    assert not tokens.matches(tokens.new_token("cpo", "dev").text, b"pepper", digest)


def test_a_token_is_not_in_its_repr_and_never_reaches_a_log() -> None:
    token = tokens.new_token("cpo", "dev")
    assert token.text not in repr(token)
    assert token.text not in redact_text(f"sent {token.text} along")


@pytest.mark.parametrize("environment", ["", "d", "Dev", "dev_1", "a" * 13])
def test_environments_are_short_words(environment: str) -> None:
    with pytest.raises(ValueError, match="not a brand, an environment"):
        tokens.new_token("cpo", environment)
