"""The portal's addresses, below ``/portal/<slug>/``. Each view takes ``slug``; whose portal it is stands in ``request.portal``."""

from __future__ import annotations

from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from controlplane.portal import account, home, member_acts, members, signin, signin_codes, signin_links

app_name = "portal"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("sign-in/", signin.sign_in, name="sign-in"),
    path("sign-in/password/", signin.new_password, name="sign-in-password"),
    path("sign-in/code/", signin_codes.code, name="sign-in-code"),
    path("sign-in/enrol/", signin_codes.enrol, name="sign-in-enrol"),
    path("sign-in/forgotten/", signin_links.forgotten, name="forgotten"),
    path("welcome/", signin_links.welcome, name="welcome"),
    path("sign-out/", signin.sign_out, name="sign-out"),
    path("account/", account.account, name="account"),
    path("account/authenticator/", account.device, name="account-device"),
    path("account/authenticator/remove/", account.remove_device, name="account-device-remove"),
    path("account/sign-out-everywhere/", account.sign_out_everywhere, name="account-sign-out-everywhere"),
    path("members/", members.members, name="members"),
    path("members/invite/", members.invite, name="member-invite"),
    path("members/policy/", members.policy, name="members-policy"),
    path("members/<str:member_id>/", members.member, name="member"),
    path("members/<str:member_id>/role/", member_acts.role, name="member-role"),
    path("members/<str:member_id>/forget-provider/", member_acts.forget_provider, name="member-forget-provider"),
    path("members/<str:member_id>/<slug:act>/", member_acts.act, name="member-act"),
    path("", include("controlplane.portal.key_urls")),
    path("", include("controlplane.portal.activity_urls")),
    path("", include("controlplane.portal.sso_urls")),
]
