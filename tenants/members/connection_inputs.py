"""What an owner types about an identity provider, as a whole: read, cleaned, the secret sealed before anything keeps it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from core.errors import FieldError, InvalidInputError
from tenants.ciphers import seal
from tenants.members import connection_details as details_of
from tenants.members.models import Connection, ConnectionKind

SECRET_PURPOSE = "tenants.members.connections"  # noqa: S105  # what the key is derived for


@dataclass(frozen=True, slots=True)
class Typed:
    """What an owner typed about a provider. ``client_secret`` empty keeps the one there is, for the same issuer and client."""

    kind: str
    metadata_url: str = ""
    metadata_xml: str = ""
    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: str = ""
    email_claim: str = ""
    domains: str = ""

    def __repr__(self) -> str:
        return f"Typed({self.kind})"


def read(typed: Typed, row: Connection | None) -> dict[str, Any]:
    """Give the fields of a connection to write, the secret sealed; ``row`` is what there is.

    Raises one InvalidInputError that names every bad field.
    """
    if typed.kind not in ConnectionKind.values:
        raise InvalidInputError.at("/kind", "Choose SAML or OpenID Connect.")
    local = bool(settings.AWS_ENDPOINT_URL)  # a stand-in may be shown a provider on this machine; AWS could not reach it
    errors: list[FieldError] = []
    clean: dict[str, Any] = {"kind": typed.kind}
    readers: dict[str, Callable[[], Any]] = {
        "email_claim": lambda: details_of.clean_claim(typed.email_claim, typed.kind),
        "domains": lambda: details_of.clean_domains(typed.domains),
        "details": lambda: _details(typed, local),
        "secret": lambda: _secret(typed, row),
    }
    for name, reader in readers.items():
        try:
            clean[name] = reader()
        except InvalidInputError as error:
            errors.extend(error.errors)
    if errors:
        raise InvalidInputError("; ".join(error.detail for error in errors), errors=tuple(errors))
    return clean


def _details(typed: Typed, local: bool) -> dict[str, str]:
    if typed.kind == ConnectionKind.SAML:
        return details_of.saml_details(metadata_url=typed.metadata_url, metadata_xml=typed.metadata_xml, allow_loopback=local)
    return details_of.oidc_details(issuer=typed.issuer, client_id=typed.client_id, scopes=typed.scopes, allow_loopback=local)


def _secret(typed: Typed, row: Connection | None) -> str:
    if typed.kind == ConnectionKind.SAML:
        return ""
    if typed.client_secret.strip():
        return seal(details_of.clean_secret(typed.client_secret).encode(), purpose=SECRET_PURPOSE)
    if row is None or row.kind != ConnectionKind.OIDC:
        raise InvalidInputError.at("/client_secret", "This is required.")
    if (row.details.get("oidc_issuer"), row.details.get("client_id")) != (typed.issuer.strip(), typed.client_id.strip()):
        # It would be sent to whoever answers at the new address.
        raise InvalidInputError.at("/client_secret", "Enter the secret again: the issuer or the client is another one.")
    return row.secret
