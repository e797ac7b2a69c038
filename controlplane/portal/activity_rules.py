"""Who may use the pages about activity and the API: URL name -> method -> roles. Whatever is not here is refused.

The whole log is for owners and admins: it holds when and from where colleagues came in, and what was said of them. What happened to a key
stands on the key's own page, for everybody who sees keys.
"""

from __future__ import annotations

from controlplane.portal.rules import EVERYBODY, MANAGERS, Rules

RULES: Rules = {
    "activity": {"GET": MANAGERS},
    "activity-proof": {"GET": MANAGERS, "POST": MANAGERS},
    "activity-proof-file": {"GET": MANAGERS},
    "api": {"GET": EVERYBODY},
}
