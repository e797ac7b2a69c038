"""What owners type about an identity provider: taken when a user pool could use it, refused with the field named when not."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from tenants.members import connection_details as details

CERTIFICATE = (
    '<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
    "<ds:X509Certificate>MIIB</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
)
SERVICE = '<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{way}" Location="{where}"/>'


def metadata(
    *,
    service: str = SERVICE.format(way="Redirect", where="https://idp.example/sso"),
    certificate: str = CERTIFICATE,
    before: str = "",
) -> str:
    return (
        f'{before}<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:idp">'
        f"<IDPSSODescriptor>{certificate}{service}</IDPSSODescriptor></EntityDescriptor>"
    )


def refused(call: object) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call()  # type: ignore[operator]
    return {error.pointer: error.detail for error in caught.value.errors}


def saml(url: str = "", xml: str = "") -> dict[str, str]:
    return details.saml_details(metadata_url=url, metadata_xml=xml)


def test_metadata_comes_from_an_address_or_as_it_is() -> None:
    assert saml("  https://idp.example/metadata ") == {"MetadataURL": "https://idp.example/metadata"}
    assert saml("", f"\n{metadata()}\n") == {"MetadataFile": metadata()}
    declared = metadata(before='<?xml version="1.0" encoding="UTF-8"?>')
    assert saml("", declared) == {"MetadataFile": declared}
    assert saml("", metadata(service=SERVICE.format(way="POST", where="https://idp.example/sso")))


@pytest.mark.parametrize(("url", "xml"), [("", ""), ("https://idp.example/m", metadata())])
def test_one_of_both_and_not_both(url: str, xml: str) -> None:
    assert "/metadata_url" in refused(lambda: saml(url, xml))


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("not xml", "not XML"),
        ("<html/>", "EntityDescriptor"),
        (metadata(service=""), "SingleSignOnService"),
        (metadata(service=SERVICE.format(way="Redirect", where="http://idp.example/sso")), "https"),
        (metadata(service=SERVICE.format(way="Redirect", where="javascript:alert(1)")), "https"),
        (metadata(service=SERVICE.format(way="SOAP", where="https://idp.example/sso")), "SingleSignOnService"),
        (
            metadata(
                service=SERVICE.format(way="Redirect", where="https://a.example/")
                + SERVICE.format(way="POST", where="http://b.example/")
            ),
            "https",
        ),
        (metadata(certificate=""), "certificate"),
        (metadata().replace(' entityID="urn:idp"', ""), "entityID"),
        (metadata().replace("IDPSSODescriptor", "SPSSODescriptor"), "IDPSSODescriptor"),
        (metadata(before="<!DOCTYPE x>"), "document type"),
        (metadata(before='<!DOCTYPE x [<!ENTITY a "b">]>'), "document type"),
        (metadata(before='<!DOCTYPE x SYSTEM "file:///etc/passwd">'), "document type"),
        (metadata() + " " * details.MAX_METADATA + ".", "the most"),
        (f'<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">{metadata()}</EntitiesDescriptor>', "EntityDescriptor"),
    ],
)
def test_metadata_that_could_sign_nobody_in_is_refused(xml: str, said: str) -> None:
    assert said in refused(lambda: saml("", xml))["/metadata_xml"]


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "ftp://idp.example/",
        "idp.example",
        "https://",
        "https://u:p@idp.example/",
        "https://idp.example/#x",
        "https://idp.example/a b",
        "https://idp.example:port/",
        "https://[::1/",
        "https://idp.example/" + "x" * 1_100,
        "http://127.0.0.1/",
        "https://idp.ex\u00e4mple/",
    ],
)
def test_an_address_is_https_and_plain(url: str) -> None:
    assert "/issuer" in refused(lambda: details.oidc_details(issuer=url, client_id="c"))


def test_plain_http_is_for_this_machine_and_only_where_that_is_allowed() -> None:
    for url in ("http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"):
        assert details.clean_url(url, "/x", allow_loopback=True) == url
    for url in ("http://127.0.0.1.example/", "http://10.0.0.1/", "http://169.254.169.254/", "http://localhost.example/"):
        assert refused(lambda url=url: details.clean_url(url, "/x", allow_loopback=True))


def test_every_bad_field_of_openid_connect_is_named_and_what_was_left_out_is_filled_in() -> None:
    found = details.oidc_details(issuer=" https://idp.example ", client_id=" abc ")
    assert found == {
        "oidc_issuer": "https://idp.example",
        "client_id": "abc",
        "authorize_scopes": "openid email profile",
        "attributes_request_method": "GET",
    }
    wrong = refused(lambda: details.oidc_details(issuer="", client_id="a b", scopes="email"))
    assert set(wrong) == {"/issuer", "/client_id", "/scopes"}


def test_a_secret_is_not_repeated_in_what_is_said_of_it() -> None:
    for value in ("", "two words", "x" * 2_000, "ends\u2028here"):
        said = refused(lambda value=value: details.clean_secret(value))["/client_secret"]
        assert not value.strip() or value not in said
    assert details.clean_secret(" s3cret! ") == "s3cret!"


def test_the_claim_is_the_usual_one_unless_somebody_knows_better() -> None:
    assert details.clean_claim("", "oidc") == "email"
    assert details.clean_claim(" ", "saml").endswith("/claims/emailaddress")
    assert details.clean_claim("upn", "saml") == "upn"
    assert refused(lambda: details.clean_claim("two words", "oidc"))


def test_domains_are_cleaned_and_what_is_none_is_named() -> None:
    assert details.clean_domains(" B.example,@a.example\nb.EXAMPLE; b\u00fccher.example") == [
        "a.example", "b.example", "xn--bcher-kva.example",
    ]  # fmt: skip
    assert details.clean_domains("") == []
    for wrong in ("example", "a..example", "-a.example", "*.example", "a@b.example", "a" * 64 + ".example"):
        assert wrong[:60] in refused(lambda wrong=wrong: details.clean_domains(f"good.example {wrong}"))["/domains"]
    assert refused(lambda: details.clean_domains(" ".join(f"d{n}.example" for n in range(21))))


@pytest.mark.parametrize(
    ("address", "listed", "fits"),
    [
        ("dee@acme.example", ["acme.example"], True),
        ("Dee@ACME.example", ["acme.example"], True),
        ("dee@sub.acme.example", ["acme.example"], False),
        ("dee@acme.example.evil", ["acme.example"], False),
        ('"a@acme.example"@evil.example', ["acme.example"], False),
        ("acme.example", ["acme.example"], True),
        ("dee@anywhere.example", [], True),
    ],
)
def test_an_address_is_in_its_own_domain_alone(address: str, listed: list[str], fits: bool) -> None:
    assert details.is_in(address, listed) is fits


def test_a_digest_is_of_the_named_details_alone() -> None:
    given = {"client_id": "a", "oidc_issuer": "b"}
    first = details.digest_of(given, ["oidc_issuer", "client_id"])
    assert first == details.digest_of({**given, "authorize_url": "added by AWS"}, ["client_id", "oidc_issuer"])
    assert first != details.digest_of({**given, "client_id": "c"}, ["client_id", "oidc_issuer"])
    assert first != details.digest_of({"client_id": "a"}, ["client_id", "oidc_issuer"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("dee@acme.example", "Dee@ACME.example", True),
        ("\u00e9va@acme.example", "\u00c9VA@acme.example", True),
        ("dee@acme.example", "dee+x@acme.example", False),
        ("kim@acme.example", "\u212aim@acme.example", False),
        ("sam@acme.example", "\u017fam@acme.example", False),
        ("stra\u00dfe@acme.example", "strasse@acme.example", False),
        ("kim@acme.example", "k\u0130m@acme.example", False),
        ("kim@acme.example", "k\u0131m@acme.example", False),
        ("fi@acme.example", "\ufb01@acme.example", False),
        ("dee@acme.example", "\uff44ee@acme.example", False),
    ],
)
def test_addresses_are_the_same_in_upper_and_lower_case_and_in_nothing_else(one: str, other: str, same: bool) -> None:
    assert (details.is_same_address(one, other), details.is_same_address(other, one)) == (same, same)


def test_a_mail_domain_is_found_however_it_is_written() -> None:
    listed = details.clean_domains("M\u00fcller.example")
    for address in ("a@m\u00fcller.example", "a@M\u00dcLLER.example", "a@xn--mller-kva.example", "a@XN--mller-kva.example"):
        assert details.is_in(address, listed)
    for address in (
        "a@muller.example",
        "a@sub.m\u00fcller.example",
        "a@",
        "m\u00fcller.example@b.example",
        f"a@{'x' * 64}\u00fc.example",
    ):
        assert not details.is_in(address, listed)


def test_an_issuer_that_was_left_out_is_asked_for() -> None:
    with pytest.raises(InvalidInputError) as caught:
        details.oidc_details(issuer=" ", client_id="c")
    assert [(one.pointer, one.detail) for one in caught.value.errors] == [("/issuer", "This is required.")]
