"""Addresses of the pages about keys and usage, below ``/portal/<slug>/``."""

from __future__ import annotations

from django.urls import path
from django.urls.resolvers import URLPattern, URLResolver

from controlplane.portal import key_acts, key_issue, key_leaks, key_list, key_page, key_revoke, key_rotate, usage_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("keys/", key_list.keys, name="keys"),
    path("keys/issue/", key_issue.issue, name="key-issue"),
    path("keys/leaks/", key_leaks.leaks, name="key-leaks"),
    path("keys/<str:key_id>/", key_page.key, name="key"),
    path("keys/<str:key_id>/rotate/", key_rotate.rotate, name="key-rotate"),
    path("keys/<str:key_id>/retire-previous/", key_acts.retire_previous, name="key-retire-previous"),
    path("keys/<str:key_id>/disable/", key_acts.disable, name="key-disable"),
    path("keys/<str:key_id>/enable/", key_acts.enable, name="key-enable"),
    path("keys/<str:key_id>/edit/", key_acts.edit, name="key-edit"),
    path("keys/<str:key_id>/revoke/", key_revoke.revoke, name="key-revoke"),
    path("usage/", usage_page.usage, name="usage"),
]
