"""Tests mirror the packages; ``flows/`` holds whole stories, ``contract/`` the gateways, ``browser/`` the pages."""
