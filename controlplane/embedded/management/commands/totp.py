"""``manage.py totp``: the current one-time code of an operator of the embedded stack, for people without a phone at hand."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.embedded.first_run import OPERATOR


class Command(BaseCommand):
    """Print the code that an authenticator would show now."""

    help = "Print the current one-time code of an operator (embedded stack only)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose code."""
        parser.add_argument("username", nargs="?", default=OPERATOR)

    def handle(self, *_: Any, **options: Any) -> None:
        """Compute the code from the device's secret. Refused outside dev, where it would make the second factor worth nothing."""
        if settings.ENVIRONMENT != "dev":
            raise CommandError("One-time codes are shown in dev only.")
        device = TOTPDevice.objects.filter(user__username=options["username"], confirmed=True).order_by("pk").first()
        if device is None:
            raise CommandError(f"{options['username']} has no authenticator.")
        clock = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
        clock.time = time.time()
        self.stdout.write(f"{clock.token():0{device.digits}d}")
