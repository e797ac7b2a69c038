"""Floor 4: the composition root and the doors (console, portal, API, edge), and the embedded default.

Owns the settings, the logs, the health answers and how the parts are started. Nothing below may import it. The doors do not import
each other: what two of them need belongs into a floor below.
"""
