"""What the console itself keeps: how often signing in failed of late."""

from __future__ import annotations

from django.db import models


class SignInThrottle(models.Model):
    """Failures counted under one key (an account, an address, or both together). ``key`` is a digest: typed names may be passwords.

    ``blocked_until`` empty means that nobody is held up. The count is forgotten an hour after the last failure.
    """

    key = models.CharField(primary_key=True, max_length=64)
    failures = models.PositiveIntegerField(default=0)
    last_failed_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["last_failed_at"], name="signin_forget_idx")]

    def __str__(self) -> str:
        return f"{self.failures} failures"
