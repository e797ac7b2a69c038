"""How the console looks: brand colour, favicon, navigation. Read by django-unfold as ``settings.UNFOLD``.

Imported by the settings, so it touches no model and no app. The brand is a petrol blue of our own; state colours (green, amber, red,
blue) are never used for decoration. Contrast: white on 600, 700 on white and 400 on the dark ground are above 4.5 to 1.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

PETROL = {
    "50": "oklch(97.8% .013 215)",
    "100": "oklch(94.6% .028 214)",
    "200": "oklch(89.4% .052 213)",
    "300": "oklch(82.2% .083 212)",
    "400": "oklch(76% .106 211)",
    "500": "oklch(68.5% .112 212)",
    "600": "oklch(50% .092 216)",
    "700": "oklch(43.5% .079 219)",
    "800": "oklch(37.5% .066 221)",
    "900": "oklch(32.5% .055 223)",
    "950": "oklch(24.5% .044 225)",
}


def _file(name: str) -> Any:
    return lambda request: static(f"console/{name}")


def _environment(request: HttpRequest) -> list[str]:
    from django.conf import settings  # noqa: PLC0415  # this module is imported while the settings are being made

    tones = {"production": "danger", "stage": "warning"}
    return [settings.ENVIRONMENT, tones.get(settings.ENVIRONMENT, "info")]


def _may_act(request: HttpRequest) -> bool:
    from controlplane.console.access import may_act  # noqa: PLC0415  # access needs the models, this module must not

    return may_act(request)


def _item(title: str, icon: str, link: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(link), **more}


NAVIGATION: list[dict[str, Any]] = [
    {
        "title": "",
        "items": [
            _item("Overview", "dashboard", "admin:index"),
            _item("Tenants", "apartment", "admin:tenants_tenant_changelist"),
            _item("Load", "monitoring", "admin:load"),
            _item("Keys", "key", "admin:keys_apikey_changelist"),
            _item(
                "Operations",
                "conversion_path",
                "admin:provisioning_operation_changelist",
                badge="controlplane.console.looks.failed_badge",
            ),
        ],
    },
    {
        "title": "Where and what",
        "separator": True,
        "items": [
            _item("Cells", "dns", "admin:tenants_cell_changelist"),
            _item("Tiers", "layers", "admin:tenants_tier_changelist"),
            _item("Ledger", "inventory_2", "admin:provisioning_resource_changelist"),
        ],
    },
    {
        "title": "Evidence",
        "separator": True,
        "items": [
            _item("Audit log", "history", "admin:audit_auditevent_changelist"),
            _item("Onboarding requests", "inbox", "admin:tenants_onboardingrequest_changelist"),
        ],
    },
]


def failed_badge(request: HttpRequest) -> str:
    """Give the number of failed operations for the sidebar; nothing when there is none."""
    from controlplane.console.counts import failed_operations  # noqa: PLC0415  # as above

    count = failed_operations()
    return str(count) if count else ""


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Control plane",
    "SITE_HEADER": "Control plane",
    "SITE_SUBHEADER": "Operators' console",
    "SITE_URL": None,
    "SITE_ICON": _file("mark.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "sizes": "any", "href": _file("favicon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "ENVIRONMENT": _environment,
    "STYLES": [_file("console.css")],
    "SCRIPTS": [_file("console.js")],
    "COLORS": {"primary": PETROL},
    "BORDER_RADIUS": "6px",
    "SIDEBAR": {"show_search": True, "command_search": True, "show_all_applications": False, "navigation": NAVIGATION},
    "COMMAND": {"search_models": False, "search_callback": "controlplane.console.search.find", "show_history": True},
}
