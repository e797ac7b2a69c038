"""What the beat does for the audit log."""

from __future__ import annotations

from celery import shared_task

from core.audit.anchors import write_anchor
from core.audit.sealing import seal as seal_pending


@shared_task(name="core.audit.tasks.seal")
def seal() -> int:
    """Seal what a crash between commit and seal has left; gives how many."""
    return seal_pending()


@shared_task(name="core.audit.tasks.anchor")
def anchor() -> str:
    """Seal what is left, then write the head down; gives the name of the anchor, empty while the chain is."""
    seal_pending()
    written = write_anchor()
    return written.name if written else ""
