"""Keys against a plain model of them: whatever is done, crashes and however time passes, each text answers what the model says.

Through the real services and the real database, with a Secrets Manager in memory that is as strict as AWS's. Workers die before and after any
of its calls, and after the promotion has committed; a second rotation starts inside the first; the clock works or does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from core.errors import ConflictError, DomainError
from tenants import clouds
from tenants.keys import evidence, importing, making, rotation, services, tending, tokens
from tenants.keys.models import ApiKey, KeyUse, KeyVersion, StoreState
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import verify
from tenants.models import Cell, Tenant
from tenants.naming import key_secret
from tenants.selectors import facts_of
from tests.faults import Crash
from tests.tenants.keys.aws_like_store import AwsLikeStore
from tests.tenants.keys.reference import MAKER_LASTS, Key
from tests.tenants.keys.world import OLGA, new_tenant

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7_200)]
START = datetime(2031, 3, 1, 9, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PASSES = st.sampled_from(
    [SECOND, 5 * SECOND, 61 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, DAY, 8 * DAY, 40 * DAY, 100 * DAY]
)
OVERLAPS = st.sampled_from([None, timedelta(0), SECOND, MINUTE, HOUR, 2 * DAY, 365 * DAY])
BREAKS = st.one_of(
    st.none(),
    st.none(),
    st.tuples(st.sampled_from(["before", "after"]), st.integers(1, 9), st.sampled_from(["die", "race"])),
    st.just(("promoted", 1, "die")),
)
WHICH = st.integers(0, 1)
"""Which of the keys, in the order in which they were made: their ids differ from run to run."""


class Machine(RuleBasedStateMachine):
    """One tenant, its keys, and time."""

    tenant_of: Callable[[], Tenant]

    def __init__(self) -> None:
        super().__init__()
        self.store = AwsLikeStore()
        self.tenant = self.tenant_of()
        self.keys: dict[str, Key] = {}
        self.ends: dict[str, datetime] = {}
        self.made: list[str] = []
        self.calls: list[str] = []
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(clouds, "connect_to", lambda *_, **__: self.store)
        make = tokens.new_token

        def remembering(*arguments: str, **named: str) -> tokens.Token:
            token = make(*arguments, **named)
            self.made.append(token.text)
            return token

        self.patch.setattr(tokens, "new_token", remembering)
        self.traveller = time_machine.travel(START, tick=False)
        self.time = self.traveller.start()

    def teardown(self) -> None:
        self.traveller.stop()
        self.patch.undo()
        mine = KeyVersion.objects.filter(key__tenant=self.tenant)
        KeyUse.objects.filter(version__in=mine).delete()
        mine.delete()
        ApiKey.objects.filter(tenant=self.tenant).delete()

    # What people do

    @initialize(is_foreign=st.sampled_from([False, False, False, True]))
    def begin(self, is_foreign: bool) -> None:
        if is_foreign:
            self.import_one()
        else:
            self.issue(None, None)

    @precondition(lambda self: len(self.keys) < 2)
    @rule(life=st.sampled_from([None, None, 2 * MINUTE, DAY, 30 * DAY]), broken=BREAKS)
    def issue(self, life: timedelta | None, broken: Any) -> None:
        end = None if life is None else timezone.now() + life
        known = set(ApiKey.objects.values_list("pk", flat=True))
        with self.breaking(broken, lambda: None):
            self.attempt(lambda: services.issue_key(actor=OLGA, tenant_id=self.tenant.pk, name="ingest", expires_at=end))
        made = ApiKey.objects.exclude(pk__in=known).get()
        self.keys[made.pk] = key = self.new_key(end)
        self.note_made(key, overlap=None)
        if not key.texts:
            key.state = "issuing"

    def import_one(self) -> None:
        text = f"sk_foreign_{self.tenant.pk}_{len(self.keys)}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        made = importing.import_key(actor=OLGA, tenant_id=self.tenant.pk, name="old", sha256=digest)
        self.keys[made.pk] = key = self.new_key(None)
        key.promote(text, timezone.now(), overlap=None, is_settled=True, is_foreign=True)

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, overlap=OVERLAPS, quiet=st.booleans(), end_previous=st.booleans(), broken=BREAKS)
    def rotate(self, which: int, overlap: timedelta | None, quiet: bool, end_previous: bool, broken: Any) -> None:
        key_id, key = self.choose(which)
        now = timezone.now()
        may = self.may_rotate(key, end_previous)

        def act() -> services.IssuedKey:
            return rotation.rotate_key(
                actor=OLGA,
                tenant_id=self.tenant.pk,
                key_id=key_id,
                overlap=overlap,
                retire_when_quiet=quiet,
                end_previous=end_previous,
            )

        with self.breaking(broken, act):
            outcome = self.attempt(act)
        if outcome == "refused":
            assert not may or key.is_behind or key.state == "issuing", f"refused for no reason: {self.error!r}"
        elif outcome == "done":
            assert may, "rotated what may not be rotated"
        if may:
            self.note_made(key, overlap=overlap)
        assert timezone.now() == now

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, broken=BREAKS)
    def revoke(self, which: int, broken: Any) -> None:
        key_id, key = self.choose(which)
        with self.breaking(broken, lambda: None):
            outcome = self.attempt(
                lambda: services.revoke_key(actor=OLGA, tenant_id=self.tenant.pk, key_id=key_id, reason="no longer needed")
            )
        if key.state in ("active", "disabled"):
            assert outcome != "refused"
            key.end("revoked", timezone.now())

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, broken=BREAKS)
    def retire_previous(self, which: int, broken: Any) -> None:
        key_id, key = self.choose(which)
        former = key.previous
        with self.breaking(broken, lambda: None):
            outcome = self.attempt(
                lambda: rotation.retire_previous(actor=OLGA, tenant_id=self.tenant.pk, key_id=key_id, reason="no longer needed")
            )
        if outcome == "done":
            assert former is not None
        elif outcome == "refused":
            assert former is None or key.is_behind
        if former is not None and not KeyVersion.objects.filter(key_id=key_id, stage="previous").exists():
            former.end(timezone.now())

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, on=st.booleans())
    def switch(self, which: int, on: bool) -> None:
        key_id, key = self.choose(which)
        act = services.enable_key if on else services.disable_key
        outcome = self.attempt(lambda: act(actor=OLGA, tenant_id=self.tenant.pk, key_id=key_id, reason="by hand"))
        if key.state in ("active", "disabled"):
            assert outcome == "done"
            key.state = "active" if on else "disabled"

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, after=st.sampled_from([2 * MINUTE, DAY, 40 * DAY, 400 * DAY]))
    def edit_end(self, which: int, after: timedelta) -> None:
        key_id, key = self.choose(which)
        end = timezone.now() + after
        is_nearer = key.ends_at is None or end <= key.ends_at
        outcome = self.attempt(lambda: services.edit_key(actor=OLGA, tenant_id=self.tenant.pk, key_id=key_id, expires_at=end))
        assert (outcome == "done") == (key.state in ("active", "disabled") and is_nearer)
        if outcome == "done":
            key.ends_at = end
            for text in key.texts:
                text.come_nearer(end)

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, newest=st.integers(1, 3))
    def use(self, which: int, newest: int) -> None:
        _, key = self.choose(which)
        texts = key.texts[-newest:]
        assume(texts)
        verdict = verify(texts[0].text)
        if verdict.is_valid and verdict.version is not None:
            evidence.note_use(verdict.version, address="192.0.2.7")

    # Time, and the clock

    @rule(passed=PASSES)
    def wait(self, passed: timedelta) -> None:
        self.time.shift(passed)

    @rule(name=st.sampled_from(["abandon_unfinished", "settle_stores", "end_overlaps", "end_expired", "rotate_due", "look_again"]))
    def clock(self, name: str) -> None:
        getattr(tending, name)()
        self.note_clock()

    @rule()
    def mend(self) -> None:
        """Let all claims run out and the clock do all that it does: nothing may be left, and database and store agree."""
        for _ in range(5):
            self.time.shift(MAKER_LASTS + SECOND)
            for act in (tending.abandon_unfinished, tending.end_overlaps, tending.end_expired, tending.settle_stores):
                act()
            if not ApiKey.objects.filter(tenant=self.tenant, store_state=StoreState.UNSETTLED).exists():
                break
        self.note_clock()
        for row in ApiKey.objects.filter(tenant=self.tenant):
            assert row.store_state in (StoreState.SETTLED, StoreState.EMPTY), (row.store_state, row.state)
            stored = self.store.secrets.get(self.secret_of(row.pk))
            stages = {} if stored is None or stored.deleted_at else {s: t for t, v in stored.versions.items() for s in v.stages}
            wanted = row.versions.filter(stage__in=("current", "previous"), algorithm="hmac-sha256").values_list("stage", "pk")
            assert stages == {f"AWS{stage.upper()}": f"key-version-{pk}" for stage, pk in wanted}
            for version in stored.versions.values() if stages and stored and row.state == "active" else ():
                assert not version.stages or verify(version.value).is_valid or self.keys[row.pk].is_over(timezone.now())

    # What always holds

    @invariant()
    def every_text_answers_what_the_model_says(self) -> None:
        now = timezone.now()
        for key in self.keys.values():
            for number, text in enumerate(key.texts, 1):
                code = verify(text.text).code
                assert code in key.answers(text, now), f"text {number} of {len(key.texts)} answers {code}"
            for text in key.never_given:
                assert not verify(text).is_valid, "a text that nobody was ever given verifies"

    @invariant()
    def what_the_store_hands_out_verifies(self) -> None:
        now = timezone.now()
        for key_id, key in self.keys.items():
            handed_out = self.store.current_text(self.secret_of(key_id))
            if not handed_out or key.state != "active" or key.is_over(now) or all(text.is_foreign for text in key.texts):
                continue
            former = key.previous
            is_outage = former is not None and former.text == handed_out and now >= former.over_at
            assert verify(handed_out).is_valid or is_outage, "the store hands out as current what does not verify"

    @invariant()
    def no_version_s_end_moves_away_and_the_lineage_is_whole(self) -> None:
        numbers: dict[str, list[int]] = {}
        stages: dict[str, list[str]] = {}
        for version in KeyVersion.objects.filter(key__tenant=self.tenant).order_by("number"):
            assert version.expires_at <= self.ends.setdefault(version.pk, version.expires_at)
            self.ends[version.pk] = version.expires_at
            numbers.setdefault(version.key_id, []).append(version.number)
            stages.setdefault(version.key_id, []).append(version.stage)
        assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
        assert all(found.count("current") <= 1 for found in stages.values())

    # How the machine works

    error: DomainError | None = None

    def attempt(self, act: Callable[[], object]) -> str:
        """Act, and say whether it was done, refused, or died in the middle."""
        self.calls, self.made = [], []
        try:
            act()
        except Crash:
            return "died"
        except DomainError as error:
            self.error = error
        else:
            return "done"
        assert isinstance(self.error, ConflictError | KeyStoreError) or self.error.code in ("not-found", "invalid-input"), (
            self.error
        )
        return "refused"

    @contextmanager
    def breaking(self, broken: tuple[str, int, str] | None, second: Callable[[], object]) -> Iterator[None]:
        """Have the worker die, or a second one act, at a call of the store or when the promotion has committed."""
        if broken is None:
            self.store.around = lambda when, call: self.calls.append(f"{when} {call}")
            yield
            return
        moment, number, what = broken
        seen = iter(range(1, 1_000))
        racing = []

        def around(when: str, call: str) -> None:
            is_it = not racing and when == moment and next(seen) == number
            if is_it and what == "die":
                raise Crash
            self.calls.append(f"{when} {call}")
            if not is_it:
                return
            racing.append(True)
            with suppress(DomainError):
                second()  # refused, as a rule: but not any more when the first has only a predecessor's stage left to take off

        def promoting(*arguments: Any, **named: Any) -> Any:
            raise Crash

        with pytest.MonkeyPatch.context() as patch:
            self.store.around = around
            if moment == "promoted":
                patch.setattr(making.store, "settle", promoting)
            yield
        self.store.around = lambda when, call: None

    def note_made(self, key: Key, *, overlap: timedelta | None) -> None:
        """Take what an act has made into the model: promoted if the database says that its text was, settled if it says so."""
        now = timezone.now()
        for text in self.made:
            version = verify(text).version
            if version is None or version.stage == "pending" or version.promoted_at is None:
                key.never_given.append(text)
                if version is not None and version.stage == "pending":
                    key.pending_until = now + MAKER_LASTS
                assert not self.has_read_back(), "what was read back as written was not promoted"
                continue
            assert self.has_read_back(), "promoted before it was read back"
            key.state = "active" if key.state == "issuing" else key.state
            key.promote(text, now, overlap=overlap, is_settled=False)
        self.made = []
        self.note_clock()

    def has_read_back(self) -> bool:
        """Whether the calls of the last act go as far as the reading back of a text, answered."""
        if "after put_value" not in self.calls:
            return False
        rest = self.calls[self.calls.index("after put_value") :]
        return "after get_secret" in rest

    def note_clock(self) -> None:
        """Take over what others than callers have done and nobody was told of: which stores have followed, and what has ended."""
        now = timezone.now()
        for row in ApiKey.objects.filter(tenant=self.tenant).prefetch_related("versions"):
            key = self.keys[row.pk]
            stages = {version.stage: version for version in row.versions.all()}
            previous = stages.get("previous")
            if row.store_settled_at is not None or row.store_state == StoreState.EMPTY:
                key.settle(now)
            if key.previous is not None and previous is None and self.may_have_ended(key, now):
                key.previous.end(now)
            if "pending" not in stages:
                key.pending_until = None
            if row.state == "expired" and key.state in ("active", "disabled"):
                assert key.is_over(now), "ended before its time"
                key.end("expired", now)
            if row.state == "abandoned" and key.state == "issuing":
                key.state = "abandoned"

    def may_have_ended(self, key: Key, now: datetime) -> bool:
        """Whether the predecessor may go: its time is over, its key is, or its successor was used and it was quiet."""
        assert key.previous is not None
        former = (
            KeyVersion.objects.filter(key__tenant=self.tenant, last_four=key.previous.text[-4:]).order_by("-retired_at").first()
        )
        is_quiet = former is not None and former.retire_when_quiet and former.retired_because == "quiet"
        return now >= key.previous.over_at or key.is_over(now) or is_quiet

    def may_rotate(self, key: Key, end_previous: bool) -> bool:
        now = timezone.now()
        if key.state != "active" or key.is_over(now) or (key.ends_at is not None and now + MINUTE >= key.ends_at):
            return False
        if key.pending_until is not None and now < key.pending_until:
            return False
        return end_previous or key.previous is None or now >= key.previous.over_at or key.previous.stage == "over"

    def new_key(self, end: datetime | None) -> Key:
        tier = self.tenant.tier
        return Key(timedelta(days=tier.key_max_age_days), timedelta(seconds=tier.key_overlap_seconds), ends_at=end)

    def choose(self, which: int) -> tuple[str, Key]:
        key_id = list(self.keys)[which % len(self.keys)]
        return key_id, self.keys[key_id]

    def secret_of(self, key_id: str) -> str:
        return key_secret(facts_of(self.tenant), key_id)


def test_keys_do_what_the_model_says(cell: Cell) -> None:
    class OnThisCell(Machine):
        tenant_of = staticmethod(lambda: new_tenant(cell))

    run_state_machine_as_test(OnThisCell, settings=settings(stateful_step_count=20))
