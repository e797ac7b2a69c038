"""``manage.py api_docs``: write the API's reference pages from the code, or say which are out of date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from controlplane.api import catalogue

PAGES: dict[str, Callable[[], str]] = {
    "docs/openapi.yaml": catalogue.openapi_yaml,
    "docs/problems.md": catalogue.problems_markdown,
    "docs/api-scopes.md": catalogue.scopes_markdown,
}


class Command(BaseCommand):
    """Writes the schema, the page of problems and the table of scopes."""

    help = "Write docs/openapi.yaml, docs/problems.md and docs/api-scopes.md from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        """One switch."""
        parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is out of date")

    def handle(self, *args: Any, check: bool = False, **options: Any) -> None:
        """Write, or compare."""
        for name, make in PAGES.items():
            file = settings.BASE_DIR / name
            text = make()
            if file.is_file() and file.read_text(encoding="utf-8") == text:
                continue
            if check:
                raise CommandError(f"{name} is not what the code says; run manage.py api_docs.")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            self.stdout.write(f"wrote {name}")
