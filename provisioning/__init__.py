"""Floor 3: what each tenant has in AWS, and the one mechanism that makes it so.

``desired`` says what should be there, ``plan`` orders the difference, ``engine`` carries it out and writes down what was observed.
Every status here was read back; nothing is believed because a call answered. Imports ``tenants`` and ``core``.
"""
