"""What the product costs, measured in one command: ``python -m bench`` (or ``make bench``).

Owns the measurements that ``docs/performance.md`` quotes. Each runs in a process of its own, on parts that it starts on free loopback
ports in a temporary folder and ends again: an AWS stand-in with IAM enforcement on, a Valkey, and SQLite in a file or the PostgreSQL that
``DATABASE_URL`` names.

Known limits. The stand-in answers in milliseconds where AWS takes tens to hundreds, so shares of the whole are the worst that the engine
will ever have, and tenants a minute are bounded by the stand-in and not by AWS's call budgets, which are off in the embedded cell.
Machines are noisy: what is compared is interleaved in one run, and medians and ratios are given rather than single times.
"""
