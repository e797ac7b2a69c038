"""The hook of secret scanners: who they are, by their signature, and what they are answered. What is done about a leak is ``tenants.keys.leaks``."""
