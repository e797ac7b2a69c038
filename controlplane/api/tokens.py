"""Operator tokens as text: the product's one shape (``tenants.keys.tokens``) under the brand ``cpo``. Pure."""

from __future__ import annotations

from tenants.keys import tokens
from tenants.keys.tokens import Token

BRAND = "cpo"


def new_token(environment: str) -> Token:
    """Make a fresh operator token. Raises ValueError on an environment that is not 2 to 12 letters of a-z."""
    return tokens.new_token(BRAND, environment)


def parse_token(text: str) -> Token | None:
    """Take a presented operator token apart; None for whatever is none, at no cost."""
    token = tokens.parse_token(text)
    return token if token is not None and token.brand == BRAND else None
