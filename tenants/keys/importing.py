"""Keys that were made elsewhere: taken over by a hash, so that their holders notice nothing, until the first rotation makes them ours."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.actors import Actor
from core.errors import InvalidInputError
from core.transitions import change_state
from tenants.inputs import InvalidFieldError, clean_optional_reason
from tenants.keys import endings, inputs, making, selectors, services, tokens
from tenants.keys.models import Algorithm, ApiKey, KeyState, KeyVersion, Stage, StoreState
from tenants.keys.scopes import known_scopes

SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def import_key(
    *, actor: Actor, tenant_id: str, name: str, sha256: str, last_four: str = "", reason: str = "", **fields: Any
) -> ApiKey:
    """Take a key over from elsewhere by the SHA-256 of its text, in hex: its holders go on using it, and its first rotation makes it ours.

    Of an imported key only the digest is known, so it is not in Secrets Manager until then. Raises InvalidInputError (also for a hash that
    was imported before, by whomever), NotFoundError, TenantNotServedError.
    """
    now, reason = timezone.now(), clean_optional_reason(reason)
    wish = inputs.clean(now, known_scopes=known_scopes(settings.KEY_SCOPES), name=name, **{"environment": "live", **fields})
    hashed = sha256.strip().lower()
    if SHA256_HEX.fullmatch(hashed) is None:
        raise InvalidFieldError.at("/sha256", "This is a SHA-256 in hex: 64 of 0-9 and a-f.")
    if len(last_four) > 4 or not last_four.isprintable():
        raise InvalidFieldError.at("/last_four", "This is the end of the key's text, at most four characters.")
    pepper_id = max(settings.KEY_PEPPERS)
    with transaction.atomic():
        if selectors.find_imported(hashed) is not None:
            raise _imported_before()
        key = services.new_key(tenant_id, wish, actor=actor, now=now, reference=None, within=None)
        change_state(key, to=KeyState.ACTIVE, sources=[KeyState.ISSUING], store_state=StoreState.EMPTY, store_due_at=None)
        version = KeyVersion(
            key=key,
            number=1,
            stage=Stage.CURRENT,
            algorithm=Algorithm.IMPORTED,
            pepper_id=pepper_id,
            digest=tokens.digest_of(hashed, settings.KEY_PEPPERS[pepper_id]),
            last_four=last_four,
            created_by=str(actor),
            issued_at=now,
            promoted_at=now,
            expires_at=making.expiry(key, now, maker_ends_at=None),
        )
        try:
            with transaction.atomic():
                version.save(force_insert=True)
        except IntegrityError:
            raise _imported_before() from None
        details: dict[str, object] = {"version": version.pk, "number": 1, "expires_at": version.expires_at}
        endings.tell(key, "key.imported", actor, reason, details)
    return key


def _imported_before() -> InvalidInputError:
    return InvalidFieldError.at("/sha256", "This hash has been imported before.")
