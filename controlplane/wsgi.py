"""The console and the API under a WSGI server: ``gunicorn controlplane.wsgi``."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
application = get_wsgi_application()

from controlplane.checks import refuse_unsafe_start  # noqa: E402  # reads the settings, which are ready only now

refuse_unsafe_start()
