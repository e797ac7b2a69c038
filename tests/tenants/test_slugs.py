"""Slugs: what is taken, what is mended, what is refused and why."""

from __future__ import annotations

import pytest

from tenants.slugs import MAX_LENGTH, RESERVED, InvalidSlugError, normalise_slug, skeleton_of, validate_slug


@pytest.mark.parametrize(
    ("typed", "slug"),
    [
        ("acme", "acme"),
        ("  Acme West ", "acme-west"),
        ("ACME_WEST", "acme-west"),
        ("\uff41\uff43\uff4d\uff45", "acme"),
        ("acme \u2013 west", "acme-west"),
        ("a", "a"),
        ("7", "7"),
        ("a" * MAX_LENGTH, "a" * MAX_LENGTH),
        ("ﬁrst", "first"),
    ],
)
def test_what_is_mended(typed: str, slug: str) -> None:
    assert normalise_slug(typed) == slug


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "length"),
        ("---", "length"),
        ("a" * (MAX_LENGTH + 1), "length"),
        ("\u0430cme", "characters"),  # a Cyrillic a
        ("acmé", "characters"),
        ("a/b", "characters"),
        ("*", "characters"),
        ("${aws:username}", "characters"),
        ("a\u0000b", "characters"),
        ("xn--acme", "reserved-or-encoded"),
        ("Admin", "reserved"),
        ("\uff52\uff4f\uff4f\uff54", "reserved"),
        ("tnt-1", "reserved"),
    ],
)
def test_what_is_refused(typed: str, code: str) -> None:
    if code == "reserved-or-encoded":
        with pytest.raises(InvalidSlugError):
            validate_slug(typed)
        return
    with pytest.raises(InvalidSlugError) as refused:
        normalise_slug(typed)
    assert refused.value.errors[0].code == code


@pytest.mark.parametrize("slug", ["Acme", "acme-", "-acme", "a b", "a_b", "acme\n", "ab--c"])
def test_validation_repairs_nothing(slug: str) -> None:
    with pytest.raises(InvalidSlugError):
        validate_slug(slug)


def test_reserved_words_would_otherwise_be_slugs() -> None:
    assert all(word == word.lower() and len(word) <= MAX_LENGTH for word in RESERVED)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("acme", "acrne"),
        ("globex", "g1obex"),
        ("globex", "gl0bex"),
        ("acme-west", "acmewest"),
        ("initech", "lnitech"),
        ("wow", "vvow"),
    ],
)
def test_look_alikes_share_a_skeleton(one: str, two: str) -> None:
    assert skeleton_of(one) == skeleton_of(two)


@pytest.mark.parametrize(("one", "two"), [("acme", "acme-west"), ("acme", "acne"), ("globex", "globes")])
def test_others_do_not(one: str, two: str) -> None:
    assert skeleton_of(one) != skeleton_of(two)
