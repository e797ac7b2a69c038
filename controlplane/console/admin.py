"""Which rows have pages in the console. Found by Django's autodiscovery."""

from __future__ import annotations

from django.contrib import admin

from controlplane.console.audit_admin import AuditEventAdmin
from controlplane.console.cell_admin import CellAdmin
from controlplane.console.evidence_admin import OnboardingRequestAdmin, ResourceAdmin
from controlplane.console.key_admin import KeyAdmin
from controlplane.console.operation_admin import OperationAdmin
from controlplane.console.tenant_admin import TenantAdmin
from controlplane.console.tier_admin import TierAdmin
from core.audit.models import AuditEvent
from provisioning.models import Operation, Resource
from tenants.keys.models import ApiKey
from tenants.models import Cell, OnboardingRequest, Tenant, Tier

admin.site.register(Tenant, TenantAdmin)
admin.site.register(ApiKey, KeyAdmin)
admin.site.register(Operation, OperationAdmin)
admin.site.register(Cell, CellAdmin)
admin.site.register(Tier, TierAdmin)
admin.site.register(AuditEvent, AuditEventAdmin)
admin.site.register(Resource, ResourceAdmin)
admin.site.register(OnboardingRequest, OnboardingRequestAdmin)
