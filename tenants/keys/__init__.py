"""API keys of tenants: issued, rotated, revoked, verified; the plaintext in Secrets Manager, a keyed digest in the database.

It owns keys, their versions, their use, the rotation protocol (``rotation.pml`` models it) and what follows a leak. It promises:

* nothing extends the life of a version, and no key that has ended comes back;
* while a rotation is under way, whatever the store hands out as current verifies;
* a crash at any point leaves neither a version that verifies and is not in the store, nor one in the store that never will verify,
  for longer than the sweep needs.

It refuses to read a secret: the control plane writes tenants' keys into Secrets Manager and has no right to read one back. Known limits:
an imported key has no plaintext anywhere, so it is not in the store until its first rotation; a key that was deleted from the store by
somebody else cannot be put back, only rotated.
"""
