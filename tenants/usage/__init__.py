"""Usage: what was admitted and refused at the edges, by tenant, key, outcome and limit, counted once.

Owns the counters of an edge process (:mod:`~tenants.usage.tally`), the batches in which they come (:mod:`~tenants.usage.batches`), the roll-up into
rows by minute, hour and day, the thresholds of quotas, and what a proposed limit would have done (:mod:`~tenants.usage.replay`).

It promises that no batch is counted twice, whatever crashes where. It refuses to decide anything: limits are enforced by what Redis holds, and
rows are what people read. Known limits: what a killed edge process had counted since its last flush is lost (one second), and so is what
waits in Redis when Redis loses it (the time between two roll-ups, 5 s). Keys that nobody knows are no tenant's, so they are not counted.
"""
