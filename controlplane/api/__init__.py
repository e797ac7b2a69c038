"""The machines' door: ``/api/v1/``, for CRM, billing, CI and scripts of operators.

Owns operator tokens, idempotency records, problem documents and the shapes of requests and answers. It decides nothing about tenants:
each view checks the shape of what came, calls one service or selector of a lower floor, and turns the answer into JSON. Refuses every
caller without a valid token with the same answer, whatever the path. Known limits: answers are JSON only, a body has at most 64 KiB,
and a stream of an operation's progress ends after a minute.
"""
