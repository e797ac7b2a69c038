"""Reads: keys of a tenant and across tenants, their versions, and what is owed to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils import timezone

from core.errors import NotFoundError
from core.ids import KEY, KEY_VERSION, is_id
from tenants.keys import tokens
from tenants.keys.making import IssuedKey
from tenants.keys.models import NEVER_GIVEN, Algorithm, ApiKey, KeyPolicy, KeyState, KeyVersion, LeakAction, Stage

SHOWN_VERSIONS = (Stage.PENDING, Stage.CURRENT, Stage.PREVIOUS)
LISTED = (
    *("tenant_id", "name", "brand", "environment", "public_id", "scopes", "state", "store_state"),
    *("created_by", "created_at", "ended_at", "leaked_at"),
)
LISTED_OF_VERSIONS = ("key_id", "stage", "algorithm", "last_four", "expires_at", "retires_at", "last_used_at", "last_used_from")


def list_keys(*, tenant_id: str = "", state: str = "", environment: str = "", search: str = "") -> QuerySet[ApiKey]:
    """Give keys, newest first, with tenant and open versions joined (two queries whatever their number).

    ``state`` may also be ``expired`` for keys that the clock has not ended yet. ``search`` looks at name (contains), and at key id and
    public id (whole).
    """
    rows = (
        ApiKey.objects.exclude(state__in=NEVER_GIVEN)
        .select_related("tenant")
        .prefetch_related(Prefetch("versions", queryset=_open_versions()))
    )
    if tenant_id:
        rows = rows.filter(tenant_id=tenant_id)
    if state:
        rows = rows.filter(_in_state(state, timezone.now()))
    if environment:
        rows = rows.filter(environment=environment)
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(pk=search) | Q(public_id=search))
    return rows


def listed(rows: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """Narrow what :func:`list_keys` gave to the columns that a list shows of keys and versions, without the tenant: half the price a row."""
    versions = Prefetch("versions", queryset=_open_versions().only(*LISTED_OF_VERSIONS))
    return rows.select_related(None).prefetch_related(None).only(*LISTED).prefetch_related(versions)


def get_key(tenant_id: str, key_id: str) -> ApiKey:
    """Give one of a tenant's keys; raises NotFoundError, for another tenant's as well, and for one that was never issued."""
    rows = (
        ApiKey.objects.exclude(state__in=NEVER_GIVEN)
        .select_related("tenant__tier")
        .prefetch_related(Prefetch("versions", queryset=_open_versions()))
    )
    key = rows.filter(pk=key_id, tenant_id=tenant_id).first() if is_id(key_id, KEY) else None
    if key is None:
        raise NotFoundError("There is no such key.")
    return key


def get_version(key: ApiKey, version_id: str) -> KeyVersion:
    """Give one version of a key; raises NotFoundError."""
    version = KeyVersion.objects.filter(key=key, pk=version_id).first() if is_id(version_id, KEY_VERSION) else None
    if version is None:
        raise NotFoundError("There is no such version.")
    return version


def list_versions(key: ApiKey) -> QuerySet[KeyVersion]:
    """Give all versions of a key, newest first: its lineage. Asked anew: what was joined to the key are its open versions alone."""
    return KeyVersion.objects.filter(key=key).order_by("-number")


def current_of(key: ApiKey) -> KeyVersion | None:
    """The current version among those that a list or ``get_key`` has joined; None for a key that has ended."""
    return at_stage(key.versions.all(), Stage.CURRENT)


def previous_of(key: ApiKey) -> KeyVersion | None:
    """The previous version among those that were joined."""
    return at_stage(key.versions.all(), Stage.PREVIOUS)


def at_stage(versions: Iterable[KeyVersion], stage: Stage) -> KeyVersion | None:
    """The version at a stage of which a key has one at most."""
    return next((version for version in versions if version.stage == stage), None)


def state_of(key: ApiKey, now: datetime | None = None) -> str:
    """The state that people are shown: an active or disabled key whose time is over is *expired*, whether or not the clock has been there."""
    return state_with(key, current_of(key), now)


def state_with(key: ApiKey, current: KeyVersion | None, now: datetime | None = None) -> str:
    """The same for whoever has looked its current version up already, as a list has."""
    is_over = current is not None and current.expires_at <= (now or timezone.now())
    return KeyState.EXPIRED if is_over and key.state in (KeyState.ACTIVE, KeyState.DISABLED) else key.state


def find_by_reference(tenant_id: str, reference: str) -> IssuedKey | None:
    """Give what an issue with this reference made, without its text; None when there is none that came to be."""
    key = ApiKey.objects.filter(tenant_id=tenant_id, reference=reference).exclude(state__in=NEVER_GIVEN).first()
    if key is None:
        return None
    return IssuedKey(key, key.versions.order_by("number")[0], "")


def find_imported(sha256_hex: str) -> KeyVersion | None:
    """Give the version that was imported under this hash, whatever became of it."""
    rows = KeyVersion.objects.filter(algorithm=Algorithm.IMPORTED, digest__in=digests_of([sha256_hex]))
    return rows.select_related("key__tenant").order_by("-number").first()


def digests_of(texts: Iterable[str]) -> list[str]:
    """Give every digest under which these texts may be kept: one for each pepper that is known."""
    return [tokens.digest_of(text, pepper) for text in texts for pepper in settings.KEY_PEPPERS.values()]


def get_policy(tenant_id: str) -> KeyPolicy:
    """Give what a tenant has decided about its keys; the defaults, as a row that is not saved, when it never has."""
    return KeyPolicy.objects.filter(tenant_id=tenant_id).first() or KeyPolicy(tenant_id=tenant_id)


def leak_action_of(tenant_id: str) -> str:
    """What the tenant wants done with keys that are found in public."""
    found = KeyPolicy.objects.filter(tenant_id=tenant_id).values_list("leak_action", flat=True).first()
    return found or LeakAction.REVOKE


def leak_actions_of(tenant_ids: Collection[str]) -> dict[str, str]:
    """What these tenants want done, in one query: :func:`leak_action_of` for many."""
    decided = dict(KeyPolicy.objects.filter(tenant_id__in=tenant_ids).values_list("tenant_id", "leak_action"))
    return {tenant_id: decided.get(tenant_id, LeakAction.REVOKE) for tenant_id in tenant_ids}


def count_by_pepper() -> dict[int, int]:
    """Give how many versions that may still verify stand under each pepper: one with none can be dropped from the settings."""
    rows = KeyVersion.objects.filter(stage__in=SHOWN_VERSIONS).values_list("pepper_id").annotate(number=Count("pk")).order_by()
    return dict(rows)


def ids_of(rows: QuerySet[ApiKey] | QuerySet[KeyVersion], most: int) -> Iterable[str]:
    """Give the first ids, as a list, so that no cursor stays open while they are worked on."""
    return list(rows.values_list("pk", flat=True)[:most])


def _open_versions() -> QuerySet[KeyVersion]:
    return KeyVersion.objects.filter(stage__in=SHOWN_VERSIONS).order_by("-number")


def _in_state(state: str, now: datetime) -> Q:
    # Not a join: a key with three versions would be listed three times. And not asked of each key: the few that the clock has yet to end
    # are read off an index once.
    over = Q(pk__in=KeyVersion.objects.filter(stage=Stage.CURRENT, expires_at__lte=now).order_by().values("key_id"))
    if state == KeyState.EXPIRED:
        return Q(state=KeyState.EXPIRED) | (Q(state__in=(KeyState.ACTIVE, KeyState.DISABLED)) & over)
    if state in (KeyState.ACTIVE, KeyState.DISABLED):
        return Q(state=state) & ~over
    return Q(state=state)
