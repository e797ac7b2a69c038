"""The arithmetic of lives, for all times: nothing gives a later end than it was given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tenants.keys import life

FIRST, LAST = datetime(2020, 1, 1), datetime(2060, 1, 1)  # noqa: DTZ001  # hypothesis takes bounds without a zone
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=400))
ANY_SPANS = st.timedeltas(timedelta(days=-400), timedelta(days=400))
MAYBE_TIMES = st.none() | TIMES


@given(TIMES, SPANS, MAYBE_TIMES, MAYBE_TIMES)
def test_an_expiry_is_the_earliest_of_all_that_binds(
    now: datetime, max_age: timedelta, key_ends_at: datetime | None, maker_ends_at: datetime | None
) -> None:
    end = life.expiry_of(now, max_age=max_age, key_ends_at=key_ends_at, maker_ends_at=maker_ends_at)
    bounds = [now + max_age, *(bound for bound in (key_ends_at, maker_ends_at) if bound is not None)]
    assert all(end <= bound for bound in bounds)
    assert end in bounds


@given(st.none() | SPANS, SPANS, ANY_SPANS)
def test_an_overlap_is_the_least_of_all_and_never_negative(asked: timedelta | None, longest: timedelta, left: timedelta) -> None:
    overlap = life.overlap_of(asked, longest=longest, left=left)
    assert timedelta(0) <= overlap <= longest
    assert overlap <= max(timedelta(0), left)
    assert asked is None or overlap <= asked
    if asked is None and left >= longest:
        assert overlap == longest


@given(st.sampled_from(["pending", "current", "previous", "retired"]), TIMES, MAYBE_TIMES, TIMES, SPANS)
def test_what_is_refused_stays_refused(
    stage: str, expires_at: datetime, retires_at: datetime | None, now: datetime, later: timedelta
) -> None:
    ends = life.Ends(stage, expires_at, retires_at)
    if not life.accepts(ends, now):
        assert not life.accepts(ends, now + later)
    assert not life.accepts(ends, expires_at), "the end itself is outside"
    if stage == "previous" and retires_at is not None:
        assert not life.accepts(ends, retires_at)
    if stage in ("pending", "retired"):
        assert not life.accepts(ends, now)


@given(TIMES, TIMES, MAYBE_TIMES, TIMES)
def test_stepping_back_accepts_nothing_more(
    expires_at: datetime, retires_at: datetime, nearer: datetime | None, now: datetime
) -> None:
    current = life.Ends("current", expires_at, None)
    previous = life.Ends("previous", expires_at, retires_at)
    assert life.accepts(current, now) or not life.accepts(previous, now)
    if nearer is not None and nearer <= retires_at:
        assert life.accepts(previous, now) or not life.accepts(life.Ends("previous", expires_at, nearer), now)


@given(TIMES, SPANS, MAYBE_TIMES, MAYBE_TIMES, MAYBE_TIMES)
def test_quiet_needs_a_used_successor_and_the_whole_time(
    now: datetime, quiet: timedelta, promoted_at: datetime | None, successor: datetime | None, predecessor: datetime | None
) -> None:
    is_quiet = life.is_quiet(
        now, quiet=quiet, promoted_at=promoted_at, successor_used_at=successor, predecessor_used_at=predecessor
    )
    if is_quiet:
        assert successor is not None
        assert promoted_at is not None
        assert now - promoted_at >= quiet
        assert predecessor is None or now - predecessor >= quiet


@given(TIMES, ANY_SPANS, st.none() | st.sampled_from(life.REMIND_BEFORE_DAYS))
def test_each_reminder_is_owed_once_and_in_order(expires_at: datetime, left: timedelta, reminded: int | None) -> None:
    days = life.due_reminder(expires_at - left, expires_at, reminded)
    if days is None:
        return
    assert timedelta(0) < left <= timedelta(days=days)
    assert reminded is None or days < reminded
    assert life.due_reminder(expires_at - left, expires_at, days) is None, "told is told"


@given(TIMES, st.none() | st.integers(1, 3_650), SPANS, SPANS, MAYBE_TIMES)
def test_a_scheduled_rotation_is_neither_before_the_birth_nor_too_late_for_its_overlap(
    issued_at: datetime, every_days: int | None, span: timedelta, overlap: timedelta, key_ends_at: datetime | None
) -> None:
    expires_at = min(issued_at + span, key_ends_at or issued_at + span)
    due = life.next_rotation(issued_at, every_days=every_days, expires_at=expires_at, key_ends_at=key_ends_at, overlap=overlap)
    if every_days is None:
        assert due is None
        return
    assert due is not None
    assert due <= issued_at + timedelta(days=every_days)
    if key_ends_at == expires_at:
        assert due == issued_at + timedelta(days=every_days), "a successor would end at the same time"
    else:
        assert due >= issued_at
        assert due <= max(issued_at, expires_at - overlap)
