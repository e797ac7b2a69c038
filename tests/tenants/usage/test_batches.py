"""The bytes of a batch: what was packed is read back, and whatever else comes is refused with a clear error and nothing of it in the text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import BATCH, KEY, TENANT, new_id, spelled
from tenants.usage import batches
from tenants.usage.batches import MOST, MOST_ROWS, CountKey, MalformedBatchError, pack, unpack

AT = 1_795_000_000_123
BATCH_ID = new_id(BATCH)
ACME, GLOBEX = new_id(TENANT), new_id(TENANT)
INGEST = new_id(KEY)


def ids(prefix: str) -> st.SearchStrategy[str]:
    return st.integers(1, 2**128 - 1).map(lambda number: spelled(prefix, number))


outcomes = st.text(string.ascii_uppercase + "_", max_size=20).map(lambda rest: f"V{rest}")
limits = st.one_of(st.just(""), st.text(string.ascii_lowercase + string.digits + "-", max_size=30).map(lambda rest: f"r{rest}"))
counters = st.tuples(ids("tnt"), st.one_of(st.just(""), ids("key")), st.integers(0, 2**32 - 1), outcomes, limits)
amounts = st.tuples(st.integers(0, MOST), st.integers(0, MOST))
rows = st.dictionaries(counters, amounts, max_size=40).map(lambda found: [(key, *numbers) for key, numbers in found.items()])


@given(ids("bat"), st.integers(0, 2**47), rows)
def test_what_was_packed_is_read_back(batch_id: str, at_ms: int, given_rows: list[tuple[CountKey, int, int]]) -> None:
    contents = unpack(pack(batch_id, at_ms, given_rows))
    assert (contents.id, contents.at_ms, list(contents.rows)) == (batch_id, at_ms, given_rows)


def body(*some: tuple[CountKey, int, int]) -> bytes:
    return pack(BATCH_ID, AT, some or [((ACME, INGEST, 3, "VALID", ""), 7, 9), ((ACME, "", 0, "RATE_LIMITED", "rate"), 2, 2)])


def test_a_row_takes_42_bytes_and_a_tenant_16() -> None:
    one = len(body(((ACME, INGEST, 3, "VALID", ""), 7, 9)))
    assert len(body(((ACME, INGEST, 3, "VALID", ""), 7, 9), ((ACME, INGEST, 4, "VALID", ""), 7, 9))) == one + 42
    assert len(body(((ACME, INGEST, 3, "VALID", ""), 7, 9), ((GLOBEX, INGEST, 4, "VALID", ""), 7, 9))) == one + 42 + 16


@given(st.binary(max_size=400))
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(MalformedBatchError):
        unpack(rubbish)
    with pytest.raises(MalformedBatchError):
        unpack(bytes([batches.VERSION]) + rubbish)


@given(st.data())
def test_a_batch_that_was_cut_or_grew_is_refused(data: st.DataObject) -> None:
    whole = body()
    with pytest.raises(MalformedBatchError):
        unpack(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(MalformedBatchError):
        unpack(whole + data.draw(st.binary(min_size=1, max_size=50)))


@given(st.data())
def test_one_byte_of_another_value_is_refused_or_read_as_another_batch(data: st.DataObject) -> None:
    whole = bytearray(body())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    try:
        contents = unpack(bytes(whole))
    except MalformedBatchError:
        return
    assert pack(contents.id, contents.at_ms, contents.rows) != body()


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(MalformedBatchError, match="of another version"):
        unpack(bytes([batches.VERSION + 1]) + body()[1:])


def spoilt(place: bytes, by: bytes) -> bytes:
    assert body().count(place) == 1
    return body().replace(place, by)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (spoilt(b"\x05VALID", b"\x05vAlid"), "another shape"),
        (spoilt(b"\x04rate", b"\x04<b>."), "another shape"),
        (spoilt(b"\x04rate", b"\x04r\xfft\n"), "another shape"),
        (spoilt((7).to_bytes(8, "big"), (MOST + 1).to_bytes(8, "big")), "more than can be"),
        (body()[:17] + b"\xff" * 8 + body()[25:], "no year"),
        (body()[:25] + b"\xff" * 4 + body()[29:], "too many tenants"),
        (b"\x01" + bytes(batches.MOST_BYTES), "longer than"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_of_what_was_in_it(what: bytes, why: str) -> None:
    with pytest.raises(MalformedBatchError, match=why) as raised:
        unpack(what)
    assert not any(word in str(raised.value) for word in ("<b>", "vAlid", ACME, INGEST))


def test_a_counter_that_is_named_twice_is_refused() -> None:
    row = ((ACME, INGEST, 3, "VALID", ""), 7, 9)
    with pytest.raises(MalformedBatchError, match="twice"):
        unpack(body(row, row))


@pytest.mark.parametrize(
    "key",
    [
        ("acme", "", 0, "VALID", ""),
        (INGEST, "", 0, "VALID", ""),
        (ACME, ACME, 0, "VALID", ""),
        (ACME, "", 0, "valid", ""),
        (ACME, "", 0, "VALID", "Rate"),
        (ACME, "", 0, "", ""),
    ],
)
def test_what_is_no_counter_is_not_packed(key: CountKey) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of several kinds
        body((key, 1, 1))


def test_numbers_are_cut_at_the_bounds_and_rows_are_bounded() -> None:
    ((_, requests, cost),) = unpack(body(((ACME, "", 0, "VALID", ""), MOST + 5, -3))).rows
    assert (requests, cost) == (MOST, 0)
    many = [((ACME, INGEST, number, "VALID", ""), 1, 1) for number in range(MOST_ROWS + 1)]
    assert len(unpack(body(*many[:-1])).rows) == MOST_ROWS
    assert len(body(*many[:-1])) < batches.MOST_BYTES
    with pytest.raises(ValueError, match="more than"):
        body(*many)


def test_the_largest_batch_of_tenants_fits() -> None:
    many = [((spelled("tnt", number), INGEST, 1, "VALID", ""), 1, 1) for number in range(MOST_ROWS)]
    assert len(unpack(body(*many)).rows) == MOST_ROWS
