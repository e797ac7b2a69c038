"""Who may use which of the pages about keys and usage: URL name -> method -> roles. Whatever is not here is refused.

Everybody sees keys and their use: a viewer is somebody who has to know what is there. Whoever makes things (owner, admin, developer) works with
keys; what becomes of a leaked one is for those who answer for the tenant.
"""

from __future__ import annotations

from controlplane.portal.rules import EVERYBODY, MAKERS, MANAGERS, Rules

RULES: Rules = {
    "keys": {"GET": EVERYBODY},
    "key": {"GET": EVERYBODY},
    "key-issue": {"GET": MAKERS, "POST": MAKERS},
    "key-rotate": {"GET": MAKERS, "POST": MAKERS},
    "key-retire-previous": {"GET": MAKERS, "POST": MAKERS},
    "key-disable": {"GET": MAKERS, "POST": MAKERS},
    "key-enable": {"GET": MAKERS, "POST": MAKERS},
    "key-edit": {"GET": MAKERS, "POST": MAKERS},
    "key-revoke": {"GET": MAKERS, "POST": MAKERS},
    "key-leaks": {"GET": MANAGERS, "POST": MANAGERS},
    "usage": {"GET": EVERYBODY},
}
