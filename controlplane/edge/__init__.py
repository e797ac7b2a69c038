"""The admission edge: who is this, may they, is there room. A server without Django, asked by every request of the data plane.

Owns the hot path: what a presented key and its tenant's limits say, from a local copy of the projection (:mod:`tenants.limits.projection`)
and from leases on the limits in Redis (:mod:`tenants.limits.spending`). The doors (HTTP, nginx, Envoy, libraries) are thin adapters over one
:class:`~controlplane.edge.judge.Judge`. Refuses to open the database, to keep a key's text, and to guess: what it cannot know it does not admit,
unless the tenant's tier says so. Known limits: see ``docs/edge.md``.
"""
