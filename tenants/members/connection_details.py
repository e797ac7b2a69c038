"""What an owner types about an identity provider, made into the details that a user pool takes, or refused with the field named. Pure.

Nothing is fetched: a metadata address and an issuer are read by AWS, from where it is, and never by this product. Pasted metadata is parsed
with everything off that XML can do beyond elements: no DTD, no entity, nothing external.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateIdentityProvider.html (ProviderDetails)
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from core.errors import FieldError, InvalidInputError

MAX_METADATA = 100_000
"""Characters; AWS takes 131,072 for a value."""
MAX_URL, MAX_CLIENT_ID, MAX_SECRET, MAX_DOMAINS = 1_024, 256, 1_024, 20
SCOPES = "openid email profile"
DEFAULT_CLAIM = {"saml": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "oidc": "email"}
"""Where a provider of a kind says the address, unless the owner knows better."""

_MD = "urn:oasis:names:tc:SAML:2.0:metadata"
_SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
_BINDINGS = frozenset(f"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{way}" for way in ("Redirect", "POST"))
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}( [\x21\x23-\x5b\x5d-\x7e]{1,64}){0,19}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def saml_details(*, metadata_url: str, metadata_xml: str, allow_loopback: bool = False) -> dict[str, str]:
    """Give the details of a SAML provider: from an https address, or from pasted metadata; exactly one. Raises InvalidInputError."""
    url, xml = metadata_url.strip(), metadata_xml.strip()
    if bool(url) == bool(xml):
        raise InvalidInputError.at("/metadata_url", "Give either the address of the metadata or the metadata itself.")
    if url:
        return {"MetadataURL": clean_url(url, "/metadata_url", allow_loopback=allow_loopback)}
    check_metadata(xml, allow_loopback=allow_loopback)
    return {"MetadataFile": xml}


def oidc_details(*, issuer: str, client_id: str, scopes: str = "", allow_loopback: bool = False) -> dict[str, str]:
    """Give the public details of an OpenID Connect provider; the client secret is kept apart. Raises InvalidInputError for every bad field."""
    errors: list[FieldError] = []
    found = {
        "oidc_issuer": _noted(errors, lambda: clean_url(issuer, "/issuer", allow_loopback=allow_loopback)),
        "client_id": _noted(errors, lambda: _visible(client_id, "/client_id", MAX_CLIENT_ID)),
        "authorize_scopes": _noted(errors, lambda: _clean_scopes(scopes)),
        "attributes_request_method": "GET",
    }
    if errors:
        raise InvalidInputError("; ".join(error.detail for error in errors), errors=tuple(errors))
    return found


def clean_secret(value: str) -> str:
    """Give a client secret as it was typed, without blanks around it. Raises InvalidInputError, which does not repeat it."""
    return _visible(value, "/client_secret", MAX_SECRET)


def clean_claim(value: str, kind: str) -> str:
    """Give the provider's name for the e-mail address, the usual one of the kind when none was typed. Raises InvalidInputError."""
    text = value.strip() or DEFAULT_CLAIM[kind]
    return _visible(text, "/email_claim", 256)


def clean_domains(value: str) -> list[str]:
    """Give mail domains, typed with commas, blanks or lines between them: lower case, sorted, each once; at most 20. Raises InvalidInputError."""
    found: set[str] = set()
    for word in _words(value):
        domain = _idna(word.removeprefix("@"))
        if not _DOMAIN.fullmatch(domain):
            raise InvalidInputError.at("/domains", f"This is no mail domain: {word[:80]}")
        found.add(domain)
    if len(found) > MAX_DOMAINS:
        raise InvalidInputError.at("/domains", f"{MAX_DOMAINS} domains are the most.")
    return sorted(found)


def is_in(address: str, domains: Iterable[str]) -> bool:
    """Say whether an address is in one of the domains; without any, every address is."""
    listed = tuple(domains)
    domain = address.rpartition("@")[2]
    return not listed or (domain.lower() if domain.isascii() else _idna(domain)) in listed


def is_same_address(one: str, other: str) -> bool:
    """Say whether two addresses differ in upper and lower case at most, character by character.

    Case folding goes further (``ß`` is ``ss`` to it, the Kelvin sign ``k``, the long s ``s``), and so does Unicode's normal form: good for finding,
    too good for believing, because at some providers people choose such letters themselves.
    """
    return _lower(one) == _lower(other)


def clean_url(value: str, pointer: str, *, allow_loopback: bool = False) -> str:
    """Give an https address without user, fragment and blanks; with ``allow_loopback`` plain http to this machine as well."""
    text = value.strip()
    if not text:
        raise InvalidInputError.at(pointer, "This is required.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInputError.at(pointer, "This is no address.") from None
    if not _VISIBLE.fullmatch(text) or len(text) > MAX_URL or not host or parts.username is not None or "#" in text:
        raise InvalidInputError.at(
            pointer, f"This is an address of at most {MAX_URL} characters, without a user name and without '#'."
        )
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http" and _is_loopback(host)):
        raise InvalidInputError.at(pointer, "The address begins with https://.")
    return text


def check_metadata(xml: str, *, allow_loopback: bool = False) -> None:
    """Refuse pasted metadata that no user pool could sign anybody in with. Raises InvalidInputError."""
    if len(xml) > MAX_METADATA:
        raise _bad_xml(f"The metadata has {len(xml)} characters; {MAX_METADATA} are the most. Give its address instead.")
    root = _parsed(xml)
    if root.tag != f"{{{_MD}}}EntityDescriptor" or not root.get("entityID"):
        raise _bad_xml(
            "This is not the metadata of one identity provider: it begins with an EntityDescriptor that has an entityID."
        )
    provider = root.find(f"{{{_MD}}}IDPSSODescriptor")
    if provider is None:
        raise _bad_xml("This is not the metadata of an identity provider: it has no IDPSSODescriptor.")
    services = [one for one in provider.iterfind(f"{{{_MD}}}SingleSignOnService") if one.get("Binding") in _BINDINGS]
    if not services:
        raise _bad_xml("The metadata names no address to sign in at (SingleSignOnService).")
    for service in services:
        try:
            clean_url(service.get("Location", ""), "/metadata_xml", allow_loopback=allow_loopback)
        except InvalidInputError:
            raise _bad_xml("The address to sign in at (SingleSignOnService) does not begin with https://.") from None
    if not any((one.text or "").strip() for one in provider.iter(f"{{{_SIGNATURE}}}X509Certificate")):
        raise _bad_xml("The metadata holds no certificate: answers could not be checked.")


def digest_of(details: Mapping[str, str], keys: Iterable[str]) -> str:
    """Give the hex SHA-256 of the named details: what is promised of them, and what is read back. What is missing counts as empty."""
    named = {key: details.get(key, "") for key in sorted(keys)}
    return hashlib.sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _lower(text: str) -> str:
    return "".join(_lower_one(one) for one in text.strip())


def _lower_one(one: str) -> str:
    small = one.lower()
    return small if one.isascii() or (len(small) == 1 and not small.isascii()) else one


def _idna(domain: str) -> str:
    """Give a domain as DNS spells it, in lower case; nothing for what is none."""
    try:
        return domain.lower().encode("idna").decode()
    except UnicodeError:
        return ""


def _parsed(xml: str) -> Element:
    try:
        root: Element = fromstring(xml.encode(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise _bad_xml("The metadata declares a document type or entities; metadata needs none.") from None
    except (ParseError, ValueError, LookupError):
        raise _bad_xml("This is not XML.") from None
    return root


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", value) if word]


def _clean_scopes(value: str) -> str:
    text = " ".join(_words(value)) or SCOPES
    if not _SCOPES.fullmatch(text) or "openid" not in text.split():
        raise InvalidInputError.at("/scopes", "Scopes are words with blanks between them, and openid is one of them.")
    return text


def _visible(value: str, pointer: str, limit: int) -> str:
    text = value.strip()
    if not text:
        raise InvalidInputError.at(pointer, "This is required.")
    if len(text) > limit or not _VISIBLE.fullmatch(text):
        raise InvalidInputError.at(pointer, f"At most {limit} characters, without blanks.")
    return text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _noted(errors: list[FieldError], read: Callable[[], str]) -> str:
    try:
        return read()
    except InvalidInputError as error:
        errors.extend(error.errors)
        return ""


def _bad_xml(why: str) -> InvalidInputError:
    return InvalidInputError.at("/metadata_xml", why)
