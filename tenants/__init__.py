"""Floor 2: who the tenants are and what they may do.

Owns tenants, tiers, cells and every name that AWS will see. Imports only ``core``. It never talks to AWS: what a tenant *has* is
``provisioning``'s.
"""
