"""The tenants' own door, at ``/portal/<short name>/``: their people sign in here and look after keys, usage and one another.

It owns the portal's sessions (apart from the operators'), the table of routes by roles, and its pages. It promises that every request
reads the member's row again, so that whoever is disabled or removed is out at the next click, and that a route without a rule is refused.
It refuses inline scripts and styles, and answers another tenant's address with 404.
"""
