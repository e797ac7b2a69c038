"""Make the project's tables and rows: ``python -m bench.edge.framework.fill ROWS.json``, each row a tenant, its key and its limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from bench.edge.framework.models import Tenant, TenantKey

    rows = json.loads(Path(sys.argv[1]).read_text())
    tenants = Tenant.objects.bulk_create(
        Tenant(public_id=tenant, rate_per_second=rate, quota_per_day=day) for tenant, _, rate, day in rows
    )
    make = TenantKey.objects.key_generator
    keys = []
    for tenant, (_, text, _, _) in zip(tenants, rows, strict=True):
        prefix, hashed = text.partition(".")[0], make.hash(text)
        keys.append(TenantKey(id=f"{prefix}.{hashed}", prefix=prefix, hashed_key=hashed, name="bench", tenant=tenant))
    TenantKey.objects.bulk_create(keys)


if __name__ == "__main__":
    main()
