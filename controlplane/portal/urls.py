"""The portal's addresses, below ``/portal/<slug>/``. Each view takes ``slug``; whose portal it is stands in ``request.portal``."""

from __future__ import annotations

from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from controlplane.portal import home, signin

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("sign-in/", signin.sign_in, name="sign-in"),
    path("sign-out/", signin.sign_out, name="sign-out"),
    path("", include("controlplane.portal.key_urls")),
    path("", include("controlplane.portal.activity_urls")),
]
