"""Addresses of the organisation's own identity provider, below ``/portal/<slug>/``."""

from __future__ import annotations

from django.urls import path
from django.urls.resolvers import URLPattern, URLResolver

from controlplane.portal import signin_organisation, sso_acts, sso_page, sso_try

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/organisation/", signin_organisation.start, name="sign-in-organisation"),
    path("sign-in/organisation/callback/", signin_organisation.callback, name="sign-in-organisation-callback"),
    path("sso/", sso_page.sso, name="sso"),
    path("sso/connect/", sso_page.connect, name="sso-connect"),
    path("sso/try/", sso_try.start, name="sso-try"),
    path("sso/<slug:act>/", sso_acts.act, name="sso-act"),
]
