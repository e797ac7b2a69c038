"""The edge's doors: a request in, an answer's bytes out. One module a door, all over one judge.

Owns the wire formats: what is read from a request, what is written into an answer, which status stands for which code. Refuses to decide
anything: whoever cannot be understood is refused, everybody else is put to the judge.
"""
