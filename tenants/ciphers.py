"""Encryption of what rows and sessions keep and nobody may read there: under the product's secret key, one derived key a purpose.

Fernet (AES-128-CBC with HMAC-SHA-256, https://github.com/fernet/spec). Older keys in ``DJANGO_SECRET_KEY_FALLBACKS`` go on reading. What one
purpose has sealed, another cannot open.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealBrokenError(ValueError):
    """Sealed under a key that is gone, for another purpose, or not by us."""


def seal(plain: bytes, *, purpose: str) -> str:
    """Give an encrypted form that is good for a text column; different every time."""
    return _cipher(purpose).encrypt(plain).decode()


def unseal(sealed: str, *, purpose: str) -> bytes:
    """Give what was sealed; raises SealBrokenError."""
    try:
        return _cipher(purpose).decrypt(sealed.encode("utf-8", "replace"))
    except InvalidToken:
        raise SealBrokenError from None


def _cipher(purpose: str) -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (hashlib.sha256(f"{purpose}|{key}".encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
