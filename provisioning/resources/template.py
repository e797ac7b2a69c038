"""The CloudFormation template of a silo's application plane, read once a process."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

TENANT_TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "tenant" / "stack.yaml"


@dataclass(frozen=True, slots=True)
class Template:
    """A template's text and the SHA-256 that names it."""

    text: str
    digest: str


@functools.cache
def tenant_template() -> Template:
    """Give the template that this release deploys."""
    text = TENANT_TEMPLATE.read_text(encoding="utf-8")
    return Template(text, hashlib.sha256(text.encode()).hexdigest())
