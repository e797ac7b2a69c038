"""The triggers that make the database itself refuse to change the log, for SQLite and PostgreSQL.

An entry may be inserted, and sealed once (from no sequence to one, with everything that was recorded untouched). A head moves
forward only. Only a migration installs or removes them; a migration that alters these tables must install them again, because
SQLite drops triggers with the table that Django rebuilds (``missing`` tells, and the verifier asks it). A PostgreSQL superuser can
switch triggers off: the keyed chain is what finds that out.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

EVENTS, HEADS = "audit_auditevent", "audit_audithead"
REFUSAL = "the audit log is append-only"
_RECORDED = (
    "position",
    "public_id",
    "recorded_at",
    "actor_kind",
    "actor_id",
    "actor_label",
    "action",
    "target",
    "tenant_id",
    "reason",
    "outcome",
    "details_json",
    "correlation_id",
    "key_id",
    "entry_mac",
)

_SQLITE = {
    "audit_event_no_delete": f"BEFORE DELETE ON {EVENTS}",
    "audit_event_seal_only": f"BEFORE UPDATE ON {EVENTS} WHEN OLD.sequence IS NOT NULL OR NEW.sequence IS NULL OR "
    + " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _RECORDED),
    "audit_head_no_delete": f"BEFORE DELETE ON {HEADS}",
    "audit_head_forward_only": f"BEFORE UPDATE ON {HEADS} WHEN NEW.sequence <= OLD.sequence OR NEW.chain IS NOT OLD.chain",
}
_POSTGRESQL = {
    "audit_event_no_delete": f"BEFORE DELETE ON {EVENTS} FOR EACH ROW",
    "audit_event_no_truncate": f"BEFORE TRUNCATE ON {EVENTS} FOR EACH STATEMENT",
    "audit_event_seal_only": f"BEFORE UPDATE ON {EVENTS} FOR EACH ROW WHEN (OLD.sequence IS NOT NULL OR NEW.sequence IS NULL OR "
    + " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _RECORDED)
    + ")",
    "audit_head_no_delete": f"BEFORE DELETE ON {HEADS} FOR EACH ROW",
    "audit_head_no_truncate": f"BEFORE TRUNCATE ON {HEADS} FOR EACH STATEMENT",
    "audit_head_forward_only": f"BEFORE UPDATE ON {HEADS} FOR EACH ROW WHEN (NEW.sequence <= OLD.sequence OR NEW.chain <> OLD.chain)",
}
_POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers; replaces those that are there. Raises NotImplementedError on another database."""
    remove(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
        for name, clause in _clauses(connection).items():
            action = (
                "EXECUTE FUNCTION audit_refuse()"
                if connection.vendor == "postgresql"
                else f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
            cursor.execute(f"CREATE TRIGGER {name} {clause} {action}")


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers."""
    with connection.cursor() as cursor:
        for name, clause in _clauses(connection).items():
            table = HEADS if f" {HEADS}" in clause else EVENTS
            on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


def missing(connection: BaseDatabaseWrapper) -> tuple[str, ...]:
    """The triggers that should be there and are not (or are switched off, on PostgreSQL)."""
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'audit\\_%%' AND tgenabled IN ('O', 'A')"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%%'"
    with connection.cursor() as cursor:
        cursor.execute(query.replace("%%", "%"))
        present = {row[0] for row in cursor.fetchall()}
    return tuple(sorted(set(_clauses(connection)) - present))


def _clauses(connection: BaseDatabaseWrapper) -> dict[str, str]:
    if connection.vendor == "postgresql":
        return _POSTGRESQL
    if connection.vendor == "sqlite":
        return _SQLITE
    raise NotImplementedError(f"no audit triggers for {connection.vendor}")
