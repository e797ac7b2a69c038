"""Settings of the libraries under the API, for ``controlplane.settings``. Imports nothing of the product."""

from __future__ import annotations

from typing import Any

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Control plane API",
    "DESCRIPTION": (
        "Tiers, cells, tenants, their limits, keys and operations, for machines. Every path needs an operator token, and a tenant's keys can also "
        "be managed with a key of its own; without either, every path answers the same 401. Long work answers 202 with an operation, whose "
        "steps can be polled with If-None-Match or followed as server-sent events."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v[0-9]+",
    "ENFORCE_NON_BLANK_FIELDS": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_SUFFIX": "",
    "ENUM_NAME_OVERRIDES": {
        "KeyState": "controlplane.api.serializers.keys.STATES",
        "KeyEnvironment": "tenants.keys.models.KeyEnvironment",
        "Limited": "controlplane.api.serializers.limits.LIMITED",
        "OverrideState": "tenants.limits.models.OverrideState",
        "KeyStage": "tenants.keys.models.Stage",
        "StoreState": "tenants.keys.models.StoreState",
        "TenantState": "controlplane.api.serializers.tenants.STATES",
        "CellState": "tenants.models.CellState",
        "IsolationModel": "controlplane.api.serializers.tiers.MODELS",
        "OperationKind": "provisioning.models.OperationKind",
        "OperationState": "provisioning.models.OperationState",
        "StepState": "provisioning.models.StepState",
        "StepAction": "provisioning.models.StepAction",
        "ResourceState": "provisioning.models.ResourceState",
    },
}
