"""Typed readers of the environment: one place where text becomes settings, and where nonsense stops the start.

Values come from the process's environment, then (outside production) from a ``.env`` file, then from what a running ``manage.py up``
left in its state folder; the first that has a name wins. An empty value counts as absent, so that ``NAME=`` in a ``.env`` file
means "use the default". Each reader remembers the name that it was asked for: ``Environment.names`` is what a test compares with
``.env.example``. An error names the variable and says what would be right; it repeats the value only where that cannot be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
POSTGRESQL_OPTIONS = frozenset(
    {"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", "options", "target_session_attrs"}
)
INSECURE_KEY_PEPPER = "insecure-and-public-key-pepper-for-development-only"
"""The default pepper of tenants' keys in dev; refused outside (``controlplane.checks``, ``controlplane.edge.configuration``)."""
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


class SettingError(ImproperlyConfigured):
    """A variable holds something that cannot be meant; the start stops here."""


def read_file(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; blank lines and ``#`` lines are skipped, one pair of quotes is taken off. A missing file is empty.

    Raises SettingError, with the line's number, on any other line. Nothing is expanded: no ``$NAME``, no escapes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise SettingError(f"{path}, line {number}: expected NAME=value.")
        name, value = match.group(1), match.group(2).strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name] = value
    return values


def adopt_files(environ: MutableMapping[str, str], base_dir: Path) -> bool:
    """In dev, add to ``environ`` what ``.env`` and a running ``up`` say and nobody has set; says whether this is dev.

    Outside dev the platform sets the environment, and no file that lies about may change it. boto3 reads ``AWS_*`` from the process's own
    environment, so the values go there and not into a mapping of ours. A running ``up`` comes last: what somebody set by hand wins.
    """
    if environ.get("CONTROLPLANE_ENVIRONMENT", "").strip() not in ("", "dev"):
        return False
    for name, value in read_file(Path(environ.get("CONTROLPLANE_ENV_FILE") or base_dir / ".env")).items():
        environ.setdefault(name, value)
    for name, value in read_file(Path(environ.get("CONTROLPLANE_STATE_DIR") or base_dir / ".state") / "up.env").items():
        environ.setdefault(name, value)
    return True


class Environment:
    """The variables of one process, read with a type."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def _raw(self, name: str) -> str | None:
        self.names.add(name)
        value = self._values.get(name, "").strip()
        return value or None

    def has(self, name: str) -> bool:
        """Say whether the variable is set to anything."""
        return self._raw(name) is not None

    def text(self, name: str, default: str = "", *, choices: tuple[str, ...] = (), shape: str = "") -> str:
        """Give a word or a line; with ``choices`` only one of these, with ``shape`` (a regular expression) only what matches it whole."""
        value = self._raw(name) or default
        if shape and re.fullmatch(shape, value) is None:
            raise SettingError(f"{name} must match {shape}; it is {value!r}.")
        if choices and value not in choices:
            raise SettingError(f"{name} must be one of {', '.join(choices)}; it is {value!r}.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Give a boolean written as 1/0, true/false, yes/no or on/off."""
        value = self._raw(name)
        if value is None:
            return default
        if value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise SettingError(f"{name} must be true or false; it is {value!r}.")

    def whole(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Give a whole number between ``minimum`` and ``maximum``, both included."""
        value = self._raw(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not minimum <= int(value) <= maximum:
            raise SettingError(f"{name} must be a whole number from {minimum} to {maximum}; it is {value!r}.")
        return int(value)

    def words(self, name: str, default: tuple[str, ...] = (), *, shape: str = "") -> list[str]:
        """Give a comma-separated list; blanks around the commas and empty items are dropped. With ``shape`` each must match it whole."""
        value = self._raw(name)
        found = list(default) if value is None else [word.strip() for word in value.split(",") if word.strip()]
        if shape and (strange := next((word for word in found if re.fullmatch(shape, word) is None), None)):
            raise SettingError(f"{name}: each must match {shape}; one is {strange!r}.")
        return found

    def folder(self, name: str, default: Path) -> Path:
        """Give an absolute path; it need not exist yet, but it may not be a file."""
        value = self._raw(name)
        path = (Path(value).expanduser() if value else default).resolve()
        if path.exists() and not path.is_dir():
            raise SettingError(f"{name} must be a folder; {str(path)!r} is something else.")
        return path

    def secret(self, name: str, default: str, *, minimum_bytes: int = 32) -> str:
        """Give a secret of at least ``minimum_bytes``; the message never repeats it."""
        value = self._raw(name)
        if value is None:
            return default
        if len(value.encode()) < minimum_bytes:
            raise SettingError(f"{name} must hold at least {minimum_bytes} bytes.")
        return value

    def numbered_secrets(self, name: str, default: dict[int, str], *, minimum_bytes: int = 32) -> dict[int, bytes]:
        """Give secrets by number from ``1:first,2:second``: the highest number is in use, the others are still known.

        Numbers are 1 to 32767 and each stands once; the message never repeats a secret.
        """
        secrets: dict[int, bytes] = {}
        for place, word in enumerate(self.words(name), start=1):
            number, _, secret = word.partition(":")
            if not re.fullmatch(r"[1-9][0-9]{0,4}", number) or int(number) > 32_767 or int(number) in secrets:
                raise SettingError(f"{name}, entry {place}: expected number:secret, with a number of its own from 1 to 32767.")
            if len(secret.encode()) < minimum_bytes:
                raise SettingError(f"{name}, entry {place}: the secret must hold at least {minimum_bytes} bytes.")
            secrets[int(number)] = secret.encode()
        return secrets or {number: secret.encode() for number, secret in default.items()}

    def url(self, name: str, default: str = "", *, schemes: tuple[str, ...]) -> str:
        """Give an address with one of ``schemes``; the message never repeats it, since it may carry a password."""
        value = self._raw(name) or default
        if value:
            _split(name, value, schemes)
        return value

    def database(self, name: str, default_file: Path) -> dict[str, Any]:
        """Give Django's settings of one database from ``postgresql://user:password@host:port/name?sslmode=...`` or ``sqlite:///path``.

        Unset means SQLite in ``default_file``. Query parameters other than libpq's own (``POSTGRESQL_OPTIONS``) are refused.
        """
        value = self._raw(name)
        if value is None:
            return sqlite_database(default_file)
        parts = _split(name, value, ("postgres", "postgresql", "sqlite"))
        path = unquote(parts.path[1:])
        if parts.scheme == "sqlite":
            if parts.netloc or not path:
                raise SettingError(f"{name} must be written sqlite:///relative/path or sqlite:////absolute/path.")
            return sqlite_database(Path(path).resolve())
        options = dict(parse_qsl(parts.query))
        host = options.pop("host", "") or unquote(parts.hostname or "")
        if unknown := sorted(options.keys() - POSTGRESQL_OPTIONS):
            raise SettingError(f"{name} has unknown parameters: {', '.join(unknown)}.")
        if not path or "/" in path:
            raise SettingError(f"{name} must end in the name of one database.")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": path,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": host,
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"connect_timeout": 5, "application_name": "controlplane", **options},
        }


def sqlite_database(path: Path) -> dict[str, Any]:
    """Give settings under which several processes can share one SQLite file.

    Readers never wait for the writer (WAL). Writers take the lock at BEGIN and queue for it up to ``timeout`` seconds (IMMEDIATE), as
    the upgrade of a read lock fails at once instead of waiting. ``synchronous=NORMAL`` may lose the last commits when the machine (not
    the process) dies; that is one of the reasons why production refuses SQLite. Foreign keys are on by Django's default, and named
    here because the constraints of the models lean on them.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }


def _split(name: str, value: str, schemes: tuple[str, ...]) -> Any:
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise SettingError(f"{name} is not an address; it must begin with {wanted}.") from None
    if parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/")):
        raise SettingError(f"{name} must be an address that begins with {wanted}.")
    return parts
