"""The command line's own parts: reading files of customers, onboarding them with progress, printing tables.

The commands themselves are in ``controlplane/management/commands`` and stay thin. It calls the same services as every other door, as the
actor ``operator:<login name>``.
"""
