"""Floor 1: what every other floor needs and none of them owns.

A closed list: errors, ids, transitions, actors, the rate arithmetic and its limiter in Redis, audit, outbox and the AWS gateways. It knows
no tenant, no operation and no door; everything above it may import it, and it imports nothing of the product.
"""

VERSION = "0.1.0"
