"""Secrets Manager in memory, with AWS's own semantics where the stand-in is kinder or ruder, and cheap enough for thousands of stories.

Speaks as ``core.aws.secretsmanager`` does, and raises what that raises. What it keeps to, from the API reference of each action
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/):

* the same token with another value is refused, with the same value it changes nothing (PutSecretValue);
* a stage is on one version at most; the first version of a secret bears AWSCURRENT whatever was asked (PutSecretValue);
* a stage that is on another version moves only when that one is named; AWSCURRENT cannot be taken off, and leaves AWSPREVIOUS behind
  (UpdateSecretVersionStage);
* only versions with a stage are described, and those without may be thrown away after a day (DescribeSecret, PutSecretValue);
* a secret that waits for its deletion takes no writes, its name is taken, and it is gone when the window has passed (DeleteSecret).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from core.aws.errors import AwsAlreadyExistsError, AwsError, AwsNotFoundError
from core.aws.secretsmanager import CURRENT, PREVIOUS, Secret

DEPRECATED_STAY = timedelta(hours=24)


@dataclass
class Version:
    """One value and the stages that it bears."""

    value: str
    made_at: datetime
    stages: set[str] = field(default_factory=set)


@dataclass
class Kept:
    """One secret."""

    tags: dict[str, str]
    versions: dict[str, Version] = field(default_factory=dict)
    deleted_at: datetime | None = None

    def bearer(self, stage: str) -> str:
        return next((token for token, version in self.versions.items() if stage in version.stages), "")


class AwsLikeStore:
    """The secrets of one account. ``around`` is called before and after every call, with its name: it may raise, or act."""

    def __init__(self) -> None:
        self.secrets: dict[str, Kept] = {}
        self.around: Callable[[str, str], None] = lambda when, call: None

    @property
    def secretsmanager(self) -> AwsLikeStore:
        """The gateways of a cell, of which keys use this one."""
        return self

    def current_text(self, secret: str) -> str:
        """What a workload is handed out; empty when it is handed out nothing."""
        kept = self._find(secret)
        if kept is None or kept.deleted_at is not None or not kept.bearer(CURRENT):
            return ""
        return kept.versions[kept.bearer(CURRENT)].value

    def find_secret(self, secret: str) -> Secret | None:
        self.around("before", "find_secret")
        kept = self._find(secret)
        found = None if kept is None else self._described(secret, kept)
        self.around("after", "find_secret")
        return found

    def get_secret(self, secret: str) -> Secret:
        self.around("before", "get_secret")
        found = self._described(secret, self._get(secret))
        self.around("after", "get_secret")
        return found

    def create_secret(
        self, name: str, *, token: str, value: str | None, tags: Mapping[str, str], kms_key_id: str = "", description: str = ""
    ) -> str:
        self.around("before", "create_secret")
        kept = self._find(name)
        if kept is not None and kept.deleted_at is not None:
            raise AwsError("it is scheduled for deletion", aws_code="InvalidRequestException")
        if kept is not None:
            raise AwsAlreadyExistsError("it exists", aws_code="ResourceExistsException")
        assert value is None, "keys make an empty container"
        self.secrets[name] = Kept(dict(tags))
        self.around("after", "create_secret")
        return f"arn:{name}"

    def put_value(self, secret: str, value: str, *, token: str, stages: tuple[str, ...] = (CURRENT,)) -> None:
        self.around("before", "put_value")
        kept = self._writable(secret)
        if token in kept.versions:
            if kept.versions[token].value != value:
                raise AwsAlreadyExistsError("this token has another value", aws_code="ResourceExistsException")
        else:
            self._forget_deprecated(kept)
            borne = {*stages, CURRENT} if not kept.versions else set(stages)
            for stage in borne:
                self._put_stage(kept, stage, token, Version(value, timezone.now()))
        self.around("after", "put_value")

    def move_stage(self, secret: str, stage: str, *, to_version: str, from_version: str = "") -> None:
        self.around("before", "move_stage")
        kept = self._writable(secret)
        if to_version not in kept.versions:
            raise AwsNotFoundError("there is no such version", aws_code="ResourceNotFoundException")
        bearer = kept.bearer(stage)
        if bearer not in ("", to_version) and bearer != from_version:
            raise AwsError("it is on another version", aws_code="InvalidParameterException")
        self._put_stage(kept, stage, to_version)
        self.around("after", "move_stage")

    def remove_stage(self, secret: str, stage: str, *, from_version: str) -> None:
        self.around("before", "remove_stage")
        kept = self._writable(secret)
        if stage == CURRENT or kept.bearer(stage) != from_version:
            raise AwsError("it is not on this version, or may not go", aws_code="InvalidParameterException")
        kept.versions[from_version].stages.discard(stage)
        self.around("after", "remove_stage")

    def delete_secret(self, secret: str, *, recovery_days: int | None = 30) -> None:
        self.around("before", "delete_secret")
        kept = self._find(secret)
        if kept is not None and kept.deleted_at is None:
            kept.deleted_at = timezone.now() + timedelta(days=recovery_days or 0)
        self.around("after", "delete_secret")

    def restore_secret(self, secret: str) -> None:
        self.around("before", "restore_secret")
        self._get(secret).deleted_at = None
        self.around("after", "restore_secret")

    def _find(self, secret: str) -> Kept | None:
        kept = self.secrets.get(secret)
        if kept is not None and kept.deleted_at is not None and kept.deleted_at <= timezone.now():
            del self.secrets[secret]
            return None
        return kept

    def _get(self, secret: str) -> Kept:
        kept = self._find(secret)
        if kept is None:
            raise AwsNotFoundError("there is no such secret", aws_code="ResourceNotFoundException")
        return kept

    def _writable(self, secret: str) -> Kept:
        kept = self._get(secret)
        if kept.deleted_at is not None:
            raise AwsError("it is marked for deletion", aws_code="InvalidRequestException")
        return kept

    def _put_stage(self, kept: Kept, stage: str, token: str, fresh: Version | None = None) -> None:
        version = kept.versions.get(token) or fresh
        assert version is not None
        left = kept.bearer(stage)
        if left == token:
            return
        if left:
            kept.versions[left].stages.discard(stage)
        kept.versions[token] = version
        version.stages.add(stage)
        if stage == CURRENT and left:
            self._put_stage(kept, PREVIOUS, left)

    def _forget_deprecated(self, kept: Kept) -> None:
        """AWS throws versions without a stage away when there are many and they are a day old; here it does so at the first chance."""
        old = timezone.now() - DEPRECATED_STAY
        kept.versions = {token: one for token, one in kept.versions.items() if one.stages or one.made_at > old}

    def _described(self, name: str, kept: Kept) -> Secret:
        stages = {token: tuple(sorted(one.stages)) for token, one in kept.versions.items() if one.stages}
        return Secret(name, f"arn:{name}", dict(kept.tags), "", "", kept.deleted_at, stages)
