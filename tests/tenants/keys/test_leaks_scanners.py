"""What scanners look for and send: the documented regular expression, the places that may be kept. Pure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenants.keys import tokens
from tenants.keys.scanners import SHOWN_URL, Finding, load_key, place_of, source_of

PAGE = (Path(__file__).parents[3] / "docs" / "leaks.md").read_text("utf-8")
PATTERNS = re.findall(r"cpk_\(\?:live\|test\)\S*\{39\}", PAGE)
ANOTHER = tokens.new_token("cpk", "live").text


def test_the_documented_expressions_are_one_and_find_every_key() -> None:
    assert len(PATTERNS) == 3
    assert len(set(PATTERNS)) == 1
    for environment in ("live", "test"):
        texts = [tokens.new_token("cpk", environment).text for _ in range(50)]
        assert re.findall(PATTERNS[0], "\n".join(f'key = "{text}"' for text in texts)) == texts


def test_the_documented_expression_finds_no_operator_s_token_and_nothing_shorter() -> None:
    assert not re.search(PATTERNS[0], tokens.new_token("cpo", "dev").text)
    assert not re.search(PATTERNS[0], ANOTHER[:-1])


PLACES: dict[str, tuple[str, str]] = {
    "as it is": ("https://github.com/a/b/blob/c/d.py", "https://github.com/a/b/blob/c/d.py"),
    "without query and fragment": ("https://github.com/a?token=x#y", "https://github.com/a"),
    "without user and password": ("https://olga:hunter2@example.com:8443/a", "https://example.com:8443/a"),
    "empty": ("", ""),
    "a word": ("here", ""),
    "another scheme": ("file:///etc/passwd", ""),
    "a script": ("javascript:alert(1)", ""),
    "no host": ("https:///a", ""),
    "a bad address": ("https://[::1/a", ""),
    "a bad port": ("https://example.com:99999999/a", ""),
    "control characters": ("https://example.com/a\u0085b", ""),
    "another key": (f"https://example.com/{ANOTHER}.txt", ""),
    "another key, escaped": (f"https://example.com/{ANOTHER.replace('_', '%5F')}", ""),
    "another key, escaped twice": (f"https://example.com/{ANOTHER.replace('_', '%255F')}", ""),
    "its own text": ("https://example.com/ForeignText", ""),
    "its own text, escaped": ("https://example.com/%46oreignText", ""),
    "another's foreign text": ("https://example.com/OthersText", ""),
    "a secret of another kind": ("https://example.com/whsec_0123456789abcdef", ""),
    "long": ("https://example.com/" + "a" * 2_000, ("https://example.com/" + "a" * 2_000)[:SHOWN_URL]),
}


@pytest.mark.parametrize("name", PLACES)
def test_only_what_is_fit_to_be_kept_of_a_place_is(name: str) -> None:
    url, kept = PLACES[name]
    assert place_of(Finding("ForeignText", url=url), without=["OthersText"]) == kept


@pytest.mark.parametrize(
    ("given", "kept"), [("Issue_title", "issue_title"), ("", "unknown"), ("a b", "unknown"), ("x" * 41, "unknown")]
)
def test_sources_are_words(given: str, kept: str) -> None:
    assert source_of(Finding("t", source=given)) == kept


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "\udfff"])
def test_what_is_no_key_is_none(pem: str) -> None:
    assert load_key(pem) is None
