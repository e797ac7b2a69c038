"""Addresses of the pages about activity and the API, below ``/portal/<slug>/``."""

from __future__ import annotations

from django.urls import path
from django.urls.resolvers import URLPattern, URLResolver

from controlplane.portal import activity_page, activity_proof, api_docs

urlpatterns: list[URLPattern | URLResolver] = [
    path("activity/", activity_page.activity, name="activity"),
    path("activity/proof/", activity_proof.proof, name="activity-proof"),
    path("activity/proof.json", activity_proof.proof_file, name="activity-proof-file"),
    path("api/", api_docs.api, name="api"),
]
