"""The admission edge beside what others would take, in one command: ``python -m bench.edge`` (or ``make bench-edge``).

Owns the peers' set-ups, the loads, and the measurements that ``docs/performance.md`` quotes of the edge. All of it runs on loopback, on processes
that it starts and ends: the client (``wrk``) on one core, the server that is measured and its Redis on another.

Known limits. Needs Linux with at least two cores and, for the peers, Debian's ``wrk``, ``nginx``, ``libnginx-mod-http-lua`` and ``haproxy``;
a peer that is not installed is left out, and the report says so. Loopback has no network in it: what is compared is what a server costs.
"""
