"""Who may reach what: every IAM document, the means to prove them apart, and the vending of short-lived credentials.

Owns the documents (``policies``), a pure evaluator that knows policy variables (``evaluator``), a symbolic proof for all pairs of
tenants (``prover``, needs cvc5, tests only) and ``vending``. Refuses to write a document by hand anywhere else. Known limits: a proof is about
the documents, not about AWS; nothing here has been verified on AWS (``docs/isolation.md`` says how each claim is held).
"""
