"""Reports of leaked keys through the hook: 1,000 texts that are mixed as scanners mix them, and 1,000 that are all real."""

from __future__ import annotations

import base64
import json
import statistics
from datetime import timedelta
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings
from django.test import Client
from django.utils import timezone

from bench import rows
from bench.clock import Spent, timed
from bench.ground import Ground
from bench.result import Goal, Result, Table
from controlplane.api.leaks.public_keys import PublicKeys
from tenants.keys import tokens
from tenants.keys.models import ApiKey, KeyPolicy, KeyVersion
from tenants.models import Tenant

TENANTS, LIMIT_SECONDS = 50, 1.0
MIX = {"mixed": (700, 200, 100), "all real": (0, 0, 1_000)}
"""Wrong checksum, right checksum but nobody's, real."""


def measure(ground: Ground, *, quick: bool) -> Result:
    """Send each report three times with keys of its own, by each policy; the keys are rows alone, as AWS is not asked."""
    rows.fill(TENANTS)
    result = Result("leaks", "Reports of leaked keys", ground.database)
    table = Table("A report of 1,000 texts through the hook", ("report", "policy", "seconds (median of runs)", "of CPU here"))
    signing_key, client = ec.generate_private_key(ec.SECP256R1()), Client(headers={"host": "localhost"})
    with patch.object(PublicKeys, "find", lambda *_: signing_key.public_key()):
        for policy in ("revoke", "rotate"):
            KeyPolicy.objects.all().delete()
            KeyPolicy.objects.bulk_create(KeyPolicy(tenant=tenant, leak_action=policy) for tenant in Tenant.objects.all())
            for name, numbers in MIX.items():
                spent = [_send(client, signing_key, _texts(*numbers), numbers[-1]) for _ in range(1 if quick else 3)]
                wall, cpu = (statistics.median(getattr(one, kind) for one in spent) for kind in ("wall", "cpu"))
                table.rows.append((name, policy, f"{wall:.2f}", f"{cpu:.2f}"))
                if name == "mixed":
                    note = "CPU time of the process: on a quiet machine with SQLite about what the wall shows"
                    result.goals.append(Goal(f"1,000 mixed texts, {policy}: seconds", cpu, LIMIT_SECONDS, note))
    result.tables.append(table)
    result.notes.append(
        "Mixed: 700 with a wrong checksum, 200 that are nobody's, 100 real. From the request to the answer, signature, transaction and seal "
        f"within; the public key at hand. The real ones belong to {TENANTS} tenants."
    )
    return result


def _texts(typos: int, unknown: int, real: int) -> list[str]:
    fresh = [tokens.new_token("cpk", "live").text for _ in range(typos + unknown)]
    spoiled = [text[:-1] + ("A" if text[-1] != "A" else "B") for text in fresh[:typos]]
    return [*spoiled, *fresh[typos:], *_issue(real)]


def _issue(number: int) -> list[str]:
    """Write keys with a current version each, round the tenants, and give their texts."""
    now, tenants = timezone.now(), list(Tenant.objects.all())
    made = [tokens.new_token("cpk", "live") for _ in range(number)]
    pepper_id, pepper = max(settings.KEY_PEPPERS.items())
    keys = [
        ApiKey(
            tenant=tenants[index % len(tenants)],
            public_id=token.public_id,
            brand=token.brand,
            environment=token.environment,
            name=f"key {index}",
            state="active",
            created_by="operator:bench",
            created_at=now,
        )
        for index, token in enumerate(made)
    ]
    versions = [
        KeyVersion(
            key=key,
            number=1,
            stage="current",
            pepper_id=pepper_id,
            digest=tokens.digest_of(token.text, pepper),
            last_four=token.last_four,
            created_by="operator:bench",
            issued_at=now,
            promoted_at=now,
            expires_at=now + timedelta(days=90),
        )
        for key, token in zip(keys, made, strict=True)
    ]
    ApiKey.objects.bulk_create(keys, batch_size=rows.BATCH)
    KeyVersion.objects.bulk_create(versions, batch_size=rows.BATCH)
    return [token.text for token in made]


def _send(client: Client, signing_key: ec.EllipticCurvePrivateKey, texts: list[str], real: int) -> Spent:
    raw = json.dumps(
        [{"token": text, "type": "cpk", "url": "https://github.com/a/b", "source": "content"} for text in texts]
    ).encode()
    signature = base64.b64encode(signing_key.sign(raw, ec.ECDSA(SHA256()))).decode()
    headers = {"Github-Public-Key-Identifier": "bench", "Github-Public-Key-Signature": signature}
    with timed() as spent:
        response = client.post("/hooks/leaks/github", raw, content_type="application/json", headers=headers)
    found = sum(item["label"] == "true_positive" for item in response.json())
    if response.status_code != 200 or found != real:
        raise RuntimeError(f"status {response.status_code}, {found} of {real} found")
    return spent
