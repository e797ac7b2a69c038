"""Which door answers which path. Each door brings its own table; this one only hangs them up."""

from __future__ import annotations

from django.contrib import admin  # the console's site is Django's admin; it is mounted here
from django.urls import include, path, re_path
from django.urls.resolvers import URLPattern, URLResolver
from django.views.generic import RedirectView

from controlplane.api.leaks.views import github
from controlplane.api.limiting import by_source
from controlplane.api.views.unknown import Unknown
from controlplane.health import parts_for_operators

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("console/readyz", parts_for_operators, name="parts"),
    path("console/", admin.site.urls),
    path("api/", include("controlplane.api.urls")),
    path("portal/<slug:slug>/", include("controlplane.portal.urls")),
    path("hooks/leaks/github", by_source(github), name="leaks-github"),
    re_path(
        r"^hooks(?:/[\s\S]*)?\Z", by_source(Unknown.as_view()), name="hooks-unknown"
    ),  # like every other path of a machine's door
]
handler400 = "controlplane.api.fallback.bad_request"
handler500 = "controlplane.api.fallback.server_error"
