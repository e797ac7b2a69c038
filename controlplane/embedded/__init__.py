"""The embedded default: everything that the product needs on one machine, from wheels alone, with ``manage.py up``.

Owns the processes of a development stack (Valkey, the AWS stand-in, web server, worker), their state folder, their end, and the
control plane's footing in the stand-in. Refuses to run outside ``dev``. Known limits: Linux and macOS; on macOS orphans that moved to a
session of their own are not found (``keeper``). Any user of the machine can reach the stand-in's loopback port and be its root with the
key ``test``: it is made of made-up data and must stay so.
"""
