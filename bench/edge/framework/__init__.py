"""A Django project as a team would write it that takes the usual packages: djangorestframework-api-key, and one of two throttles."""
