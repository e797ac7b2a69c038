"""The forms about the organisation's identity provider. The client secret is never shown again; everything else that was typed is kept."""

from __future__ import annotations

from typing import Any

from django import forms

from controlplane.portal.signin_forms import PeopleForm
from tenants.members.connection_details import DEFAULT_CLAIM, MAX_METADATA, SCOPES
from tenants.members.connection_inputs import Typed
from tenants.members.models import Connection, ConnectionKind

KINDS = ((ConnectionKind.OIDC.value, "OpenID Connect"), (ConnectionKind.SAML.value, "SAML 2.0"))
OF_KIND = {
    "oidc": ("issuer", "client_id", "client_secret", "scopes"),
    "saml": ("metadata_url", "metadata_xml"),
}


class ConnectForm(PeopleForm):
    """What the provider is told by us it tells in turn: where it is, and how to read its answer. The service says what is wrong with it."""

    kind = forms.ChoiceField(
        label="Your provider speaks", choices=KINDS, initial=ConnectionKind.OIDC.value, widget=forms.RadioSelect
    )
    issuer = forms.CharField(
        label="Issuer",
        required=False,
        max_length=2_000,
        help_text="Begins with https://, as the provider writes it. What it serves at /.well-known/openid-configuration below it must name it.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    client_id = forms.CharField(
        label="Client id",
        required=False,
        max_length=1_000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    client_secret = forms.CharField(
        label="Client secret", required=False, max_length=4_000, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    scopes = forms.CharField(
        label="Scopes",
        required=False,
        max_length=1_000,
        initial=SCOPES,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    metadata_url = forms.CharField(
        label="Address of the metadata",
        required=False,
        max_length=2_000,
        help_text="Begins with https:// and can be read by AWS. With an address, new certificates are followed by themselves.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    metadata_xml = forms.CharField(
        label="Or the metadata itself",
        required=False,
        max_length=2 * MAX_METADATA,
        help_text="The whole XML of one identity provider, where it has no address.",
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "mono"}),
    )
    email_claim = forms.CharField(
        label="Name of the e-mail address in its answer",
        required=False,
        max_length=1_000,
        help_text=f"Empty means {DEFAULT_CLAIM['oidc']} for OpenID Connect, and the usual claim …/claims/emailaddress for SAML.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    domains = forms.CharField(
        label="Mail domains",
        required=False,
        max_length=6_000,
        help_text="Only addresses in these are believed, for example example.com. Empty means all that the provider gives.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    mark = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, row: Connection | None, **kwargs: Any) -> None:
        super().__init__(*args, initial=_initial_of(row), **kwargs)
        if row is not None and row.kind == ConnectionKind.OIDC:
            secret = self.fields["client_secret"]
            secret.help_text = "One is kept. Empty keeps it, as long as issuer and client id stay the same."
            secret.widget.attrs["aria-describedby"] = "id_client_secret_hint"

    def typed(self) -> Typed:
        """Give what was typed, of the chosen kind alone."""
        given = self.cleaned_data
        fields = (*OF_KIND[given["kind"]], "email_claim", "domains")
        return Typed(kind=given["kind"], **{name: given[name] for name in fields})


class SsoActForm(PeopleForm):
    """Why, and what the person who acts saw."""

    reason = forms.CharField(label="Reason", max_length=500, required=False, help_text="It is kept in the activity log.")
    mark = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, needs_reason: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason
        if not needs_reason:
            self.fields["reason"].help_text = "Optional; it is kept in the activity log."


def _initial_of(row: Connection | None) -> dict[str, Any]:
    if row is None:
        return {"mark": ""}
    details = row.details
    return {
        "kind": row.kind,
        "issuer": details.get("oidc_issuer", ""),
        "client_id": details.get("client_id", ""),
        "scopes": details.get("authorize_scopes", SCOPES),
        "metadata_url": details.get("MetadataURL", ""),
        "metadata_xml": details.get("MetadataFile", ""),
        "email_claim": row.email_claim,
        "domains": ", ".join(row.domains),
        "mark": row.mark,
    }
