"""The outbox: domain events written in the caller's transaction, relayed to consumers after commit, and swept.

It owns the events, their order and the delivery state of each (event, consumer). It promises at least once and, for each consumer,
the order of a tenant's events. It refuses to deliver inside a transaction. Known limits: a consumer sees an event again after a
crash between its handler and the record, so handlers are idempotent by event id; a consumer that subscribes later starts with the
events that come then.
"""
