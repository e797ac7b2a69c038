"""The same application under an ASGI server. Views are synchronous: it gains nothing but the protocol."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
application = get_asgi_application()

from controlplane.checks import refuse_unsafe_start  # noqa: E402  # reads the settings, which are ready only now

refuse_unsafe_start()
