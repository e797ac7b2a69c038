"""Here tenants live in the stand-in, so that keys are really issued and rotated; the rest is the door's own cast."""

from __future__ import annotations

from tests.tenants.keys.conftest import acme, aws_keeps_its_own_time, cell, globex, store_eyes

__all__ = ["acme", "aws_keeps_its_own_time", "cell", "globex", "store_eyes"]
