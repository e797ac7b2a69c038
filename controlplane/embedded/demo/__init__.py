"""``make demo``: the whole story once, on a stack of its own, at the terminal. It fails when a promise is broken.

``stage`` is the teller, ``chapters`` are the acts, each of which says what it promises and looks whether it was kept. Later work adds its
chapter to ``chapters.STORY``.
"""
