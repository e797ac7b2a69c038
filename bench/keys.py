"""Keys: issue, rotate and revoke with one worker, beside the bare boto3 calls that they make, in turn; then every key of many tenants rotated."""

from __future__ import annotations

import statistics
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from bench.clock import Spent, timed
from bench.ground import Ground, prepare_cell
from bench.result import Goal, Result, Table
from core.actors import operator
from core.aws.calls import record_calls
from tenants.keys import rotation, services, store
from tenants.keys.making import IssuedKey
from tests.tenants.keys.world import new_tenant

if TYPE_CHECKING:
    from tenants.models import Cell, Tenant

LIMIT = 1.30
ACTOR = operator("bench")
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"


@dataclass(slots=True)
class Side:
    """One act: what the product took for it and what its bare calls took, round by round."""

    act: str
    calls: int = 0
    ours: list[Spent] = field(default_factory=list)
    bare: list[Spent] = field(default_factory=list)

    def ratio(self, take: Callable[[Spent], float]) -> float:
        return statistics.median(take(one) / take(two) for one, two in zip(self.ours, self.bare, strict=True))

    def row(self) -> tuple[str, ...]:
        ours, bare = (statistics.median(spent.wall for spent in side) for side in (self.ours, self.bare))
        return (
            self.act,
            str(self.calls),
            f"{bare * 1000:.1f}",
            f"{ours * 1000:.1f}",
            f"{1 / ours:.0f}",
            f"{self.ratio(lambda spent: spent.wall):.2f}",
            f"{self.ratio(lambda spent: spent.all_cpu):.2f}",
            f"{(ours - bare) / self.calls * 1000:.2f}",
        )


class Bare:
    """The same calls by boto3 alone, with parameters made beforehand, under the control plane's role."""

    def __init__(self, key: IssuedKey) -> None:
        place = store.place_of(key.key, ACTOR)
        held = place.aws.secretsmanager._call.source.frozen()
        self._client: Any = boto3.Session(held.access_key, held.secret_key, held.token, region_name=place.facts.cell.region).client(
            "secretsmanager", endpoint_url=place.aws.target.endpoint_url, config=Config(retries={"max_attempts": 0})
        )
        self._path = place.secret.rpartition("/")[0]
        self._tags = [{"Key": name, "Value": value} for name, value in store.naming.tenant_tags(place.facts).items()]

    def issue(self) -> tuple[str, str]:
        name, token = f"{self._path}/bench-{uuid.uuid4().hex}", uuid.uuid4().hex
        self._client.create_secret(Name=name, ClientRequestToken=uuid.uuid4().hex, Description=store.DESCRIPTION, Tags=self._tags)
        first = next(iter(self._put(name, token, PENDING)))
        self._promote(name, token, first)
        # A stand-in makes a version of an empty secret, which becomes the previous one; AWS makes none, and there is one call less.
        self._client.update_secret_version_stage(SecretId=name, VersionStage="AWSPREVIOUS", RemoveFromVersionId=first)
        return name, token

    def rotate(self, name: str, current: str) -> None:
        token = uuid.uuid4().hex
        self._client.describe_secret(SecretId=name)
        self._put(name, token, PENDING)
        self._promote(name, token, current)

    def revoke(self, name: str) -> None:
        self._client.describe_secret(SecretId=name)
        self._client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
        self._client.describe_secret(SecretId=name)

    def _put(self, name: str, token: str, stage: str) -> dict[str, Any]:
        self._client.put_secret_value(SecretId=name, SecretString=token * 2, ClientRequestToken=token, VersionStages=[stage])
        found: dict[str, Any] = self._client.describe_secret(SecretId=name)["VersionIdsToStages"]
        return {version: stages for version, stages in found.items() if CURRENT in stages} or found

    def _promote(self, name: str, token: str, current: str) -> None:
        self._client.update_secret_version_stage(
            SecretId=name, VersionStage=CURRENT, MoveToVersionId=token, RemoveFromVersionId=current
        )
        self._client.update_secret_version_stage(SecretId=name, VersionStage=PENDING, RemoveFromVersionId=token)
        self._client.describe_secret(SecretId=name)


def measure(ground: Ground, *, quick: bool) -> Result:
    """Rounds of issue, rotate, revoke by the product and by boto3 alone, who goes first changing; then the rotation of many keys."""
    cell = prepare_cell(ground)
    tenant = new_tenant(cell, "bench-keys")
    bare = Bare(_issue(tenant))
    sides = {act: Side(act) for act in ("issue", "rotate", "revoke")}
    rounds = 5 if quick else 60
    for number in range(rounds + 2):
        turn = (_ours, _bare) if number % 2 else (_bare, _ours)
        for take in turn:
            take(tenant, bare, sides)
        if number < 2:  # clients, caches and statements are warm now
            for side in sides.values():
                side.ours.clear()
                side.bare.clear()
    result = Result("keys", "Keys: the product over the bare boto3 calls", ground.database)
    columns = ("act", "AWS calls", "bare ms", "ours ms", "a second", "ours / bare", "the same by CPU", "own ms a call")
    result.tables.append(Table("Medians, one worker", columns, [side.row() for side in sides.values()]))
    for side in sides.values():
        note = f"{rounds} rounds; by CPU {side.ratio(lambda spent: spent.all_cpu):.2f}"
        result.goals.append(Goal(f"{side.act}: ours over bare boto3 calls", side.ratio(lambda spent: spent.wall), LIMIT, note))
    result.tables.append(_rotate_all(cell, 20 if quick else 1_000))
    result.notes.append(
        "Ours is the whole service call: checks, rows, audit and outbox, the calls, read-back, and settling. The bare calls are the same in number "
        "and kind, by boto3 alone, under the same role's session, look-ups and read-backs included."
    )
    return result


def _issue(tenant: Tenant) -> IssuedKey:
    return services.issue_key(actor=ACTOR, tenant_id=tenant.pk, name="bench", scopes=["events:write"])


def _ours(tenant: Tenant, bare: Bare, sides: dict[str, Side]) -> None:
    issued = _timed(sides["issue"], lambda: _issue(tenant))
    where = {"actor": ACTOR, "tenant_id": tenant.pk, "key_id": issued.key.pk}
    _timed(sides["rotate"], lambda: rotation.rotate_key(**where, overlap=timedelta(hours=1)))
    _timed(sides["revoke"], lambda: services.revoke_key(**where, reason="bench"))


def _timed(side: Side, act: Callable[[], Any]) -> Any:
    with record_calls() as calls, timed() as spent:
        done = act()
    side.calls = len(calls)
    side.ours.append(spent)
    return done


def _bare(tenant: Tenant, bare: Bare, sides: dict[str, Side]) -> None:
    with timed() as spent:
        name, token = bare.issue()
    sides["issue"].bare.append(spent)
    with timed() as spent:
        bare.rotate(name, token)
    sides["rotate"].bare.append(spent)
    with timed() as spent:
        bare.revoke(name)
    sides["revoke"].bare.append(spent)


def _rotate_all(cell: Cell, number: int) -> Table:
    """Rotate the one key of each of many tenants, telling how far it is."""
    keys = [_issue(new_tenant(cell, f"bench-{place}")) for place in range(number)]
    started, slowest = time.monotonic(), 0.0
    for done, issued in enumerate(keys, start=1):
        begun = time.monotonic()
        rotation.rotate_key(actor=ACTOR, tenant_id=issued.key.tenant_id, key_id=issued.key.pk, overlap=timedelta(hours=1))
        slowest = max(slowest, time.monotonic() - begun)
        if done % 100 == 0:
            print(f"\rrotated {done} of {number}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    row = (str(number), f"{seconds:.1f}", f"{number / seconds:.0f}", f"{slowest * 1000:.0f}")
    return Table("All keys of many tenants, one each, one worker", ("tenants", "seconds", "a second", "slowest ms"), [row])
