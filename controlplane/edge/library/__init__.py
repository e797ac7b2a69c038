"""Admission inside a Python service: the same judge as the server's, without a hop.

Owns the adapters: :class:`~controlplane.edge.library.admission.Admission` for threads, :mod:`~controlplane.edge.library.asgi` for an
event loop, and a throttle for the Django REST framework. A service that uses it needs the keys' peppers and Redis: it belongs to the
platform's own trust zone. For all others there is the HTTP door.
"""
