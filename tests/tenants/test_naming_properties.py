"""No tenant's name is a prefix, a pattern or a look-alike of another's, whatever people typed (features S3)."""

from __future__ import annotations

import dataclasses
import re

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from core.ids import ALPHABET
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tenants.naming import TenantNames, UnsafeNameError, names_of, names_of_cell
from tenants.slugs import InvalidSlugError, normalise_slug, skeleton_of, validate_slug

BODIES = st.text(ALPHABET, min_size=25, max_size=25).flatmap(
    lambda rest: st.sampled_from("01234567").map(lambda first: first + rest)
)
CODES = st.from_regex(r"[a-z](-?[a-z0-9]){0,6}", fullmatch=True)
MODELS = st.sampled_from(list(IsolationModel))
NASTY = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["*", "?", "${aws:username}", "${*}", "/", "..", "a/../b", "TNT_", "\uff41\uff43\uff4d\uff45", "\u0430cme", "a" * 63, "a"]
    ),
)
FLAT = ("user_pool", "role", "bucket", "table", "stack", "group")
PATHS = ("secret_path", "log_path", "storage_prefix")


def cell_of(code: str) -> CellFacts:
    return CellFacts(f"cell_{code}", code, "production", "aws", "eu-central-1", "123456789012")


def tenant(body: str, model: IsolationModel, code: str, typed: str = "x") -> TenantFacts:
    return TenantFacts(f"tnt_{body}", typed, typed, "active", TierFacts("any", model), cell_of(code), typed, typed)


def near(body: str) -> st.SearchStrategy[str]:
    """Ids that differ in one character."""
    return st.tuples(st.integers(1, 25), st.sampled_from(ALPHABET)).map(
        lambda pair: body[: pair[0]] + pair[1] + body[pair[0] + 1 :]
    )


PAIRS = BODIES.flatmap(lambda body: st.tuples(st.just(body), st.one_of(BODIES, near(body))))


def as_pattern(name: str) -> re.Pattern[str]:
    """The name as IAM would read it in a policy's resource."""
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in name), re.DOTALL)


def values(names: TenantNames, fields: tuple[str, ...]) -> dict[str, str]:
    return {field: getattr(names, field) for field in fields}


@given(PAIRS, MODELS, MODELS, CODES, CODES, NASTY)
@example(("0" * 26, "0" * 25 + "1"), IsolationModel.SILO, IsolationModel.SILO, "prod", "prod", "*")
@example(("0" * 26, "0" * 25 + "1"), IsolationModel.BRIDGE, IsolationModel.SILO, "prod", "prod-eu", "?")
def test_names_of_two_tenants_never_meet(
    pair: tuple[str, str], first: IsolationModel, second: IsolationModel, code: str, other_code: str, typed: str
) -> None:
    one, two = names_of(tenant(pair[0], first, code, typed)), names_of(tenant(pair[1], second, other_code, typed))
    if pair[0] == pair[1]:
        return
    for field, name in values(one, FLAT).items():
        other = getattr(two, field)
        assert not as_pattern(name).fullmatch(other)
        assert name != other
    for field, path in values(one, PATHS).items():
        other = getattr(two, field)
        assert path.endswith("/")
        assert not other.startswith(path)
        assert not path.startswith(other)
        assert not as_pattern(f"{path}*").fullmatch(f"{other}x")


@given(BODIES, MODELS, NASTY)
def test_what_people_type_reaches_no_name(body: str, model: IsolationModel, typed: str) -> None:
    assert names_of(tenant(body, model, "prod", typed)) == names_of(tenant(body, model, "prod"))


@given(st.text(max_size=40).filter(lambda text: not re.fullmatch(r"tnt_[0-7][0-9a-hjkmnp-tv-z]{25}", text)))
@example("tnt_" + "0" * 25 + "*")
@example("tnt_" + "0" * 25 + "/")
@example("tnt_" + "0" * 25 + "?")
@example("tnt_" + "0" * 26 + "\n")
@example("tnt_" + "0" * 25 + "\uff10")
def test_only_ids_make_names(identity: str) -> None:
    with pytest.raises(UnsafeNameError):
        names_of(dataclasses.replace(tenant("0" * 26, IsolationModel.POOL, "prod"), id=identity))


@given(BODIES, MODELS, CODES)
def test_names_are_safe_in_a_policy(body: str, model: IsolationModel, code: str) -> None:
    for name in dataclasses.asdict(names_of(tenant(body, model, code))).values():
        assert not set(name) & set('?$"\\ {}'), name
        assert name.count("*") == name.endswith("/*"), "only the stack's ARN ends in a wildcard: AWS chooses its last part"
        assert ".." not in name
        assert name.isascii()


@given(CODES, CODES, BODIES)
@example("prod", "prod-eu", "0" * 26)
@example("a", "a-shared", "0" * 26)
@example("a", "a-aaaaaa", "0" * 26)
def test_no_cell_holds_anothers_names(code: str, other: str, body: str) -> None:
    """The patterns that the control plane's rights are written with match nothing of another cell's."""
    if code == other:
        return
    mine, theirs = names_of_cell(cell_of(code)), names_of(tenant(body, IsolationModel.SILO, other))
    shared = names_of_cell(cell_of(other))
    for name in (
        theirs.bucket,
        theirs.role,
        theirs.table,
        theirs.stack,
        shared.bucket,
        shared.table,
        shared.boundary,
        shared.access_role,
    ):
        assert not as_pattern(f"{mine.flat_prefix}*").fullmatch(name)
    assert not theirs.secret_path.startswith(mine.secret_root)
    assert not theirs.log_path.startswith(mine.log_root)


@given(CODES, BODIES)
def test_a_tenants_names_are_never_the_cells(code: str, body: str) -> None:
    shared = dataclasses.asdict(names_of_cell(cell_of(code)))
    own = values(names_of(tenant(body, IsolationModel.SILO, code)), FLAT)
    assert not set(own.values()) & set(shared.values())


@given(NASTY)
def test_a_slug_is_a_plain_label_or_refused(typed: str) -> None:
    try:
        slug = normalise_slug(typed)
    except InvalidSlugError as error:
        pointers = [one.pointer for one in error.errors]
    else:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", slug)
        assert normalise_slug(slug) == slug
        validate_slug(slug)
        return
    assert pointers == ["/slug"]


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True))
@example("r-n")
@example("c1")
def test_a_skeleton_is_its_own(slug: str) -> None:
    """Two slugs that look alike have one skeleton; what is mapped once is mapped for good."""
    assert skeleton_of(skeleton_of(slug)) == skeleton_of(slug)
