"""The audit log: append-only events, each committed with the act that it tells of, then sealed into keyed hash chains.

It owns the events, the global chain and one sub-chain a tenant, the anchors and the verifier. It refuses changes and deletions (in
the model and by database triggers) and details that look like secrets. Known limits: a chain shows that something was done to it
and where, it cannot bring the lost entry back; entries newer than the last anchor can be cut off unseen by somebody who may drop
triggers and also rewinds the head rows; whoever holds ``AUDIT_KEY`` can write a history of their own. See
``docs/decisions/0003-audit-chain.md``.
"""
