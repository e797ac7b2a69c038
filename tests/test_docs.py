"""What the documentation names exists: links, commands, targets, settings, problem codes."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
INDEX = ROOT / "docs" / "README.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
MANAGE = re.compile(r"(?:manage\.py|\$ m|\(m) ([a-z_]+)((?: [a-z][a-z-]*)?)")
TARGET = re.compile(r"(?:^|\$ |\S )make ([a-z][a-z-]*)", re.MULTILINE)
SETTING = re.compile(r"\b(?:CONTROLPLANE_|DJANGO_|AUDIT_|OUTBOX_|STORAGE_|TOKEN_)[A-Z_]*[A-Z]\b|\b(?:DATABASE|REDIS)_URL\b")
NOT_OF_ENV = {"DJANGO_SETTINGS_MODULE"}
"""Named for people who write code; Django's own, and set by every way to start."""


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=by_name)


@cache
def code_of(page: Path) -> str:
    """What stands in code spans, and in fences on lines that somebody types."""
    text = page.read_text("utf-8")
    typed = [line for fence in FENCE.findall(text) for line in fence.splitlines() if line.startswith(("$ ", "    ", "> "))]
    return "\n".join([*SPAN.findall(FENCE.sub("", text)), *typed])


@cache
def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    kept = ["".join(c for c in text if c in " -_" or unicodedata.category(c)[0] in "LN") for text in plain]
    return {text.replace(" ", "-") for text in kept} | set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text("utf-8")))


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or not file.is_relative_to(ROOT) or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    linked = {(INDEX.parent / target.partition("#")[0]).resolve() for target in LINK.findall(INDEX.read_text("utf-8"))}
    left_out = [by_name(page) for page in PAGES if not linked & {page.resolve(), *page.resolve().parents} and page != INDEX]
    assert left_out == []


@cache
def words_of(command: str) -> frozenset[str]:
    """The sub-commands of a command; empty when it has none."""
    loaded = load_command_class(get_commands()[command], command)
    found: set[str] = set()
    for action in loaded.create_parser("manage.py", command)._actions:
        if action.dest in ("act", "verb", "part", "document") and action.choices:
            found |= set(action.choices)
    return frozenset(found)


@every_page
def test_every_command_exists(page: Path) -> None:
    known = get_commands()
    wrong = []
    for command, word in MANAGE.findall(code_of(page)):
        if command not in known and command != "help":
            wrong.append(command)
        elif command in known and known[command] != "django.core" and words_of(command) and word.strip():
            wrong += [f"{command}{word}"] if word.strip() not in words_of(command) else []
    assert wrong == []


@every_page
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in TARGET.findall(code_of(page)) if name not in targets} == set()


@every_page
def test_every_setting_is_in_the_example(page: Path) -> None:
    known = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(SETTING.findall(page.read_text("utf-8"))) - known - NOT_OF_ENV == set()


@every_page
def test_no_arn_of_a_fixed_partition(page: Path) -> None:
    assert re.findall(r"arn:aws[a-z-]*:\S+", page.read_text("utf-8")) == []


@every_page
def test_nothing_of_the_machine_that_it_was_written_on(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:work|root|tmp|home)/\S+", page.read_text("utf-8")) == []


def test_the_readme_s_test_command_is_the_one_that_ci_runs() -> None:
    readme, script = (ROOT / "README.md").read_text("utf-8"), (ROOT / ".ci" / "run").read_text()
    command = re.search(r"^\$ (make test)$", readme, re.MULTILINE)
    assert command is not None
    assert re.search(rf"^{command.group(1)}$", script, re.MULTILINE)


def test_the_failures_that_operators_look_up_are_codes_of_the_code() -> None:
    """Codes of our own, written like this-one, in the table of failures."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = text[text.index("## When an operation fails") : text.index("## Drift")]
    named = set(re.findall(r"^\| `([a-z]+(?:-[a-z]+)+)`", table, re.MULTILINE))
    sources = "\n".join(path.read_text() for path in (ROOT / "provisioning").rglob("*.py"))
    assert named
    assert {code for code in named if f'"{code}"' not in sources} == set()


def test_the_clock_s_tasks_are_all_explained() -> None:
    from django.conf import settings  # Django is set up after this file is read

    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values() if f"`{entry['task']}`" not in text} == set()


def test_every_check_of_the_start_is_explained() -> None:
    ids = set(re.findall(r'"(controlplane\.E\d{3})"', (ROOT / "controlplane" / "checks.py").read_text()))
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert {name for name in ids if f"`{name}`" not in text} == set()


def test_no_page_is_left_out_of_the_repository() -> None:
    """A link to a file that was never committed works here and nowhere else."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    tracked = subprocess.run(["git", "ls-files", "*.md", "*.png"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in LINK.findall(FENCE.sub("", page.read_text("utf-8")))
        if target.partition("#")[0].endswith((".md", ".png"))
    }
    ours = {(ROOT / name).resolve() for name in tracked.split("\n")}
    assert sorted(by_name(path) for path in linked if path.exists() and path not in ours) == []
