"""Read by gunicorn where it starts in this folder: its lines go the way of all others. Everything else is said on its command line."""

from controlplane.settings import LOGGING

logconfig_dict = LOGGING
