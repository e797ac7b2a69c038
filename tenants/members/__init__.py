"""The people of a tenant: who belongs to it, in which role, how they were invited, and their second factors.

It owns members, invitations, links that set a password, and what a tenant has decided about second factors. It promises:

* a tenant always has an owner who can come in: the last one can be neither removed, disabled nor given another role;
* disabling, removing, and signing out everywhere raise the member's epoch, and no session that began in an earlier one is good for
  another request;
* a link is known to its receiver alone: what is kept of it is a digest, it works once, and it ends by itself.

It refuses to keep passwords: those are in the tenant's user pool, and ``provisioning.people`` makes the pool agree with the rows. Known
limits: the address of a member cannot be changed (invite the new one, remove the old one); a tier change that moves a tenant into another
user pool leaves the passwords behind, so that everybody is sent a link (``moving``).
"""
