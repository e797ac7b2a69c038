"""The operators' console: Django's admin on django-unfold, at ``/console/``.

Owns who may come in (password, then TOTP; roles *operator* and *viewer*), the pages, and the words that operators read. It refuses to
decide anything about tenants: every act is a call of a service below, with the operator as the actor and a reason. Known limits: whoever
knows the password of an operator who has not enrolled a device yet can enrol one in their place; accounts and lost devices are handled on
the command line (``manage.py operators``), never in the browser; a page needs JavaScript (unfold hides it until Alpine runs).
"""
