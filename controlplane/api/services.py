"""Operator tokens: issue, revoke, check."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from controlplane.api.models import OperatorToken
from controlplane.api.scopes import Scope
from controlplane.api.tokens import new_token, parse_token
from core.actors import Actor
from core.audit.services import record
from core.errors import FieldError, InvalidInputError, NotFoundError
from tenants.keys.tokens import digest_of, matches

logger = logging.getLogger(__name__)

MAX_LIFETIME = timedelta(days=366)
USE_IS_NOTED_EVERY = timedelta(minutes=1)
_NOBODYS_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh token: its row, and its text, which is shown once and then forgotten."""

    row: OperatorToken
    text: str = field(repr=False)


def issue_token(*, actor: Actor, label: str, scopes: Iterable[Scope], lifetime: timedelta, reason: str = "") -> IssuedToken:
    """Make a token that lives ``lifetime`` (a minute to 366 days) and holds ``scopes`` (at least one).

    Raises InvalidInputError. The answer holds the only copy of the text: the database keeps a keyed digest of it.
    """
    chosen = tuple(dict.fromkeys(Scope(scope) for scope in scopes))
    _require_issuable(label, chosen, lifetime)
    token = new_token(settings.ENVIRONMENT)
    pepper_id = max(settings.TOKEN_PEPPERS)
    now = timezone.now()
    with transaction.atomic():
        row = OperatorToken.objects.create(
            public_id=token.public_id,
            environment=token.environment,
            label=label.strip(),
            scopes=[scope.value for scope in chosen],
            last_four=token.last_four,
            pepper_id=pepper_id,
            digest=digest_of(token.text, settings.TOKEN_PEPPERS[pepper_id]),
            created_by=str(actor),
            created_at=now,
            expires_at=now + lifetime,
        )
        record(action="token.issued", actor=actor, target=row.pk, reason=reason, details=_details(row))
    return IssuedToken(row, token.text)


def revoke_token(*, actor: Actor, token_id: str, reason: str = "") -> OperatorToken:
    """Revoke a token for ever; the next request with it is refused. Revoking it again changes nothing.

    Raises NotFoundError. A stream that is already open ends by itself within a minute.
    """
    now = timezone.now()
    with transaction.atomic():
        row = OperatorToken.objects.filter(pk=token_id).first()
        if row is None:
            raise NotFoundError("There is no such token.")
        if OperatorToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(revoked_at=now):
            row.revoked_at = now
            record(action="token.revoked", actor=actor, target=row.pk, reason=reason, details=_details(row))
    return row


def authenticate(text: str) -> OperatorToken | None:
    """Give the token that ``text`` is, or None. A typo, or a token of another environment, costs no query.

    An unknown token takes the time of a known one with a wrong secret.
    """
    token = parse_token(text)
    if token is None or token.environment != settings.ENVIRONMENT:
        return None
    row = OperatorToken.objects.filter(public_id=token.public_id).first()
    peppers = settings.TOKEN_PEPPERS
    pepper = peppers.get(row.pepper_id) if row is not None else None
    is_right = matches(text, pepper or peppers[max(peppers)], row.digest if row is not None else _NOBODYS_DIGEST)
    if row is None or pepper is None or not is_right:
        return None
    now = timezone.now()
    return row if row.revoked_at is None and now < row.expires_at else None


def note_use(row: OperatorToken) -> None:
    """Write ``last_used_at``, at most once a minute. Where another request is writing it, this one does not wait (warehouse's way).

    A database that is too busy to note it does not keep the request from being answered.
    """
    now = timezone.now()
    if row.last_used_at is not None and now - row.last_used_at < USE_IS_NOTED_EVERY:
        return
    due = OperatorToken.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_IS_NOTED_EVERY), pk=row.pk)
    try:
        with transaction.atomic():
            if connection.features.has_select_for_update_skip_locked:
                free = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True))
                due = OperatorToken.objects.filter(pk__in=free)
            due.update(last_used_at=now)
    except OperationalError:
        logger.warning("the use of a token was not noted", extra={"token_id": row.pk}, exc_info=True)


def _require_issuable(label: str, scopes: tuple[Scope, ...], lifetime: timedelta) -> None:
    wrong = []
    if not 1 <= len(label.strip()) <= 100 or not label.isprintable():
        wrong.append(FieldError("/label", "A label has 1 to 100 printable characters."))
    if not scopes:
        wrong.append(FieldError("/scopes", "A token needs at least one scope."))
    if not timedelta(minutes=1) <= lifetime <= MAX_LIFETIME:
        wrong.append(FieldError("/lifetime", f"A token lives from one minute to {MAX_LIFETIME.days} days."))
    if wrong:
        raise InvalidInputError("The token was not issued: " + " ".join(item.detail for item in wrong), errors=tuple(wrong))


def _details(row: OperatorToken) -> dict[str, object]:
    return {"label": row.label, "scopes": row.scopes, "public_id": row.public_id, "expires_at": row.expires_at}
