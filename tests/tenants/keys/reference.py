"""A key as its holder sees it: what each text that was ever made answers, and when. Plain rules, and none of the product's code.

A crash leaves a caller in doubt. The model then says what is certain: until when a text is good for sure, and from when it is refused for sure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SWITCH_LASTS = timedelta(hours=1)
MAKER_LASTS = timedelta(seconds=120)


@dataclass
class Text:
    """One text. It is good for sure before ``sure_until``, and refused for sure from ``over_at`` on; between the two a crash left doubt."""

    text: str
    expires_at: datetime
    stage: str
    sure_until: datetime
    over_at: datetime
    overlap: timedelta = timedelta(0)
    is_switched: bool = True
    is_foreign: bool = False

    def end(self, at: datetime, *, stage: str = "over") -> None:
        self.sure_until, self.over_at, self.stage = min(self.sure_until, at), min(self.over_at, at), stage

    def come_nearer(self, end: datetime) -> None:
        self.expires_at = min(self.expires_at, end)
        self.sure_until, self.over_at = min(self.sure_until, self.expires_at), min(self.over_at, self.expires_at)


@dataclass
class Key:
    """One key: its state, its texts, and what is under way."""

    longest_life: timedelta
    longest_overlap: timedelta
    state: str = "active"
    ends_at: datetime | None = None
    texts: list[Text] = field(default_factory=list)
    never_given: list[str] = field(default_factory=list)
    pending_until: datetime | None = None
    is_behind: bool = False
    """Whether a crash may have kept the store from following, so that an act may be refused until the clock has been there."""

    @property
    def current(self) -> Text | None:
        return next((text for text in self.texts if text.stage == "current"), None)

    @property
    def previous(self) -> Text | None:
        return next((text for text in self.texts if text.stage == "previous"), None)

    def is_over(self, now: datetime) -> bool:
        return self.current is None or self.current.expires_at <= now

    def life_from(self, now: datetime) -> datetime:
        return min(now + self.longest_life, self.ends_at or now + self.longest_life)

    def promote(self, text: str, now: datetime, *, overlap: timedelta | None, is_settled: bool, is_foreign: bool = False) -> None:
        """A new text is good from now on; the former one steps back, for its overlap if the store was seen to follow, else in doubt."""
        if self.previous is not None:
            self.previous.end(now)
        former = self.current
        if former is not None:
            former.stage = "previous"
            former.overlap = max(timedelta(0), min(self.longest_overlap if overlap is None else overlap, self.longest_overlap))
            former.overlap = min(former.overlap, former.expires_at - now)
            former.is_switched = False
            former.sure_until = min(former.sure_until, now + former.overlap)
            former.over_at = min(former.over_at, now + former.overlap + SWITCH_LASTS)
        end = self.life_from(now)
        self.texts.append(Text(text, end, "current", end, end, is_foreign=is_foreign))
        if is_settled:
            self.settle(now)
        else:
            self.is_behind = True

    def settle(self, now: datetime) -> None:
        """The store has followed: the overlap begins at the latest now, and one of nothing is over."""
        self.is_behind = False
        former = self.previous
        if former is not None and not former.is_switched:
            former.is_switched = True
            former.over_at = min(former.over_at, now + former.overlap)
            if former.overlap < timedelta(seconds=1):
                former.end(now)

    def end(self, state: str, now: datetime) -> None:
        self.state, self.pending_until = state, None
        for text in self.texts:
            text.end(now)

    def answers(self, text: Text, now: datetime) -> frozenset[str]:
        """What a presented text may be answered."""
        if self.state == "revoked":
            return frozenset({"NOT_FOUND"})
        if self.state == "disabled":
            return frozenset({"DISABLED"} if text.stage != "over" else {"DISABLED", "NOT_FOUND"})
        if now < text.sure_until:
            return frozenset({"VALID"})
        refused = {"EXPIRED"} if text.stage != "over" else {"EXPIRED", "NOT_FOUND"}
        return frozenset(refused if now >= text.over_at else {"VALID", *refused})
