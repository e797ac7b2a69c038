"""Limits: how much a tenant and each of its keys may ask for, and what becomes of one request more.

Owns the decision (rate with burst, quotas by UTC day and month, concurrency; all of them or none), its headers, the limits that hold for a
tenant after tier, overrides and keys are put together, and the sharing of the platform's capacity by weight. The arithmetic of rates is
:mod:`core.gcra`; there is no second one.

It refuses to know Redis or HTTP in its pure modules: :mod:`~tenants.limits.decision` takes the limits, what was spent and the time, and gives
the answer with what is spent now. Known limits: an interval is a whole number of microseconds, so one tenant's rate ends at 1,000,000 a
second and is kept a little under what was asked above 10,000; calendar periods end with the year 9998.
"""
