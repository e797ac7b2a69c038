"""What happens to a key, as stories that can be broken anywhere, and what must hold of key, store and texts when all is mended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from tenants.keys import importing, rotation, services, tending, tokens
from tenants.keys.models import ApiKey, KeyState, KeyVersion, Stage, StoreState
from tenants.keys.selectors import state_of
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.tenants.keys.world import OLGA, StoreEyes

HOUR = timedelta(hours=1)
CLAIM_IS_OVER = timedelta(seconds=121)


@dataclass
class Scene:
    """One key on its way: the texts that were given to a caller, those that were ever made, and the time that the story runs in."""

    tenant: Tenant
    time: time_machine.Coordinates
    made: list[str]
    given: list[str] = field(default_factory=list)
    key_id: str = ""

    @property
    def key(self) -> ApiKey:
        return ApiKey.objects.get(pk=self.key_id)

    def issue(self, **fields: object) -> None:
        issued = services.issue_key(
            actor=OLGA, tenant_id=self.tenant.pk, name="ingest", **{"reference": f"ref-{self.tenant.pk}", **fields}
        )
        self.key_id = issued.key.pk
        self.given += [issued.text] if issued.text else []

    def import_one(self) -> None:
        text = f"sk_foreign_{self.tenant.pk}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.key_id = importing.import_key(actor=OLGA, tenant_id=self.tenant.pk, name="old", sha256=digest).pk
        self.given.append(text)
        self.made.append(text)

    def rotate(self, **how: object) -> None:
        self.given.append(rotation.rotate_key(actor=OLGA, tenant_id=self.tenant.pk, key_id=self.key_id, **how).text)

    def retire_previous(self) -> None:
        rotation.retire_previous(actor=OLGA, tenant_id=self.tenant.pk, key_id=self.key_id, reason="no longer needed")

    def revoke(self) -> None:
        services.revoke_key(actor=OLGA, tenant_id=self.tenant.pk, key_id=self.key_id, reason="left")

    def find_key(self) -> None:
        """Learn the id of a key whose maker died before it could say it."""
        if not self.key_id:
            self.key_id = ApiKey.objects.filter(tenant=self.tenant).values_list("pk", flat=True).first() or ""


@dataclass(frozen=True)
class Story:
    """What leads up to the act, the act that is broken, and the state in which a key may be once everything is mended."""

    prepare: Callable[[Scene], None]
    act: Callable[[Scene], None]
    ends_as: tuple[str, ...] = (KeyState.ACTIVE,)
    ends_predecessor: bool = False
    """Whether the predecessor may be refused once the act has begun, because that is what was asked for."""


def _issued(scene: Scene) -> None:
    scene.issue()


def _rotated_once(scene: Scene) -> None:
    scene.issue()
    scene.rotate(overlap=HOUR)


def _expiring(scene: Scene) -> None:
    scene.issue(expires_at=timezone.now() + timedelta(days=2))


def _overlap_runs_out(scene: Scene) -> None:
    scene.time.shift(HOUR + timedelta(seconds=1))
    tending.end_overlaps()


def _expire(scene: Scene) -> None:
    scene.time.shift(timedelta(days=2, seconds=1))
    tending.end_expired()


STORIES: dict[str, Story] = {
    "issue": Story(lambda scene: None, _issued, ends_as=(KeyState.ACTIVE, KeyState.ABANDONED)),
    "rotate": Story(_issued, lambda scene: scene.rotate(overlap=HOUR)),
    "rotate-at-once": Story(_issued, lambda scene: scene.rotate(overlap=timedelta(0)), ends_predecessor=True),
    "rotate-again": Story(_rotated_once, lambda scene: scene.rotate(overlap=HOUR, end_previous=True), ends_predecessor=True),
    "rotate-imported": Story(lambda scene: scene.import_one(), lambda scene: scene.rotate(overlap=HOUR)),
    "retire-previous": Story(_rotated_once, lambda scene: scene.retire_previous(), ends_predecessor=True),
    "overlap-runs-out": Story(_rotated_once, _overlap_runs_out, ends_predecessor=True),
    "revoke": Story(_rotated_once, lambda scene: scene.revoke(), ends_as=(KeyState.ACTIVE, KeyState.REVOKED)),
    "expire": Story(_expiring, _expire, ends_as=(KeyState.EXPIRED,)),
}


@contextmanager
def scene_of(tenant: Tenant) -> Iterator[Scene]:
    """A scene whose time stands still but for what is shifted, and that knows every text that is made."""
    made: list[str] = []
    make = tokens.new_token

    def remembering(*arguments: str, **named: str) -> tokens.Token:
        token = make(*arguments, **named)
        made.append(token.text)
        return token

    with pytest.MonkeyPatch.context() as patch, time_machine.travel(timezone.now(), tick=True) as time:
        patch.setattr(tokens, "new_token", remembering)
        yield Scene(tenant, time, made)


def run_clock() -> None:
    """Everything that the clock does, once."""
    tending.abandon_unfinished()
    tending.rotate_due()
    tending.settle_stores()
    tending.end_overlaps()
    tending.end_expired()
    tending.remind()
    tending.schedule_rotations()


def is_owed(tenant: Tenant) -> bool:
    """Whether the clock still has something to do for a tenant's keys."""
    unsettled = ApiKey.objects.filter(tenant=tenant, store_state=StoreState.UNSETTLED).exists()
    return unsettled or KeyVersion.objects.filter(key__tenant=tenant, stage=Stage.PENDING).exists()


def mend(scene: Scene) -> None:
    """Let claims run out and the clock work, until nothing is owed."""
    for _ in range(6):
        scene.time.shift(CLAIM_IS_OVER)
        run_clock()
        if not is_owed(scene.tenant):
            return
    raise AssertionError(f"still owed: {list(ApiKey.objects.filter(tenant=scene.tenant).values())}")


def broken_promises_now(scene: Scene, eyes: StoreEyes) -> list[str]:
    """What may not be at any moment, not even at that of a death: I1, and a caller's newest text that is refused."""
    scene.find_key()
    key = ApiKey.objects.filter(pk=scene.key_id).first()
    if key is None or state_of(key) != KeyState.ACTIVE:
        return []
    found = []
    handed_out = eyes.current_text(key)
    if handed_out and verify(handed_out).code is not Code.VALID and not _is_first_of_its_secret(key):
        found.append("what the store hands out as current does not verify")
    if scene.given and verify(scene.given[-1]).code is not Code.VALID and not (handed_out and handed_out != scene.given[-1]):
        found.append("the newest text that was given out is refused, and the store has no other")
    return found


def broken_promises_after(scene: Scene, eyes: StoreEyes, story: Story) -> list[str]:
    """What may not be once everything is mended."""
    scene.find_key()
    if not scene.key_id:
        return []
    key = scene.key
    found = [*eyes.faults(key)]
    if key.state not in story.ends_as:
        found.append(f"the key is {key.state}")
    if key.store_state not in (StoreState.SETTLED, StoreState.EMPTY):
        found.append(f"the store is {key.store_state}")
    stored = [eyes.text(key, stage) for stage in eyes.stages(key)]
    scene.made += [text for text in stored if text not in scene.made]  # made in another process
    valid = [text for text in scene.made if verify(text).code is Code.VALID]
    found += [
        f"text {scene.made.index(text)} verifies and is not in the store" for text in valid if text not in stored + _foreign(key)
    ]
    found += [f"text {scene.made.index(text)} is stored and will never verify" for text in stored if text not in valid]
    if key.state == KeyState.ACTIVE:
        found += [
            f"given text {n} is refused" for n, text in enumerate(scene.given) if text not in valid and not story.ends_predecessor
        ]
        if scene.given and scene.given[-1] not in valid and not stored:
            found.append("the newest text that was given out is refused, and there is no other")
        if KeyVersion.objects.filter(key=key, stage=Stage.CURRENT).count() != 1:
            found.append("there is not one current version")
    elif valid:
        found.append(f"the key is {key.state} and a text of it verifies")
    numbers = sorted(key.versions.values_list("number", flat=True))
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the lineage has gaps: {numbers}")
    if (secrets := eyes.secrets_of(scene.tenant)) != ([key.pk] if stored else []):
        found.append(f"the tenant has the secrets {secrets}")
    return found


def goes_on(scene: Scene, eyes: StoreEyes) -> None:
    """A fresh act works as if nothing had happened."""
    if scene.key_id and scene.key.state == KeyState.ACTIVE:
        scene.rotate(overlap=HOUR, end_previous=True)
    else:
        scene.issue(reference=f"again-{scene.tenant.pk}-{len(scene.made)}")
    assert verify(scene.given[-1]).code is Code.VALID
    assert eyes.text(scene.key) == scene.given[-1]
    assert eyes.faults(scene.key) == []


def _is_first_of_its_secret(key: ApiKey) -> bool:
    """Whether no text of a key was ever promoted but an imported one: AWS hands out the first text of a secret at once, promoted or not."""
    return not key.versions.filter(algorithm="hmac-sha256", promoted_at__isnull=False).exists()


def _foreign(key: ApiKey) -> list[str]:
    return [f"sk_foreign_{key.tenant_id}"]
