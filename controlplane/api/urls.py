"""The table of paths. An act is a verb after a colon (``POST /tenants/acme:suspend``), the way of Google's AIP-136.

What is in no row of it is answered by the last: 404 with credentials, 401 without, like every other path.
"""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from django.urls.converters import StringConverter

from controlplane.api.views import acts, administrators, cells, key_acts, keys, limits, operations, tenants, tiers, unknown


class TenantName(StringConverter):
    """A tenant's id or slug; the services know which."""

    regex = r"[A-Za-z0-9_-]{1,63}"


class OperationName(StringConverter):
    """An operation's id."""

    regex = r"op_[0-9a-z]{26}"


class CodeName(StringConverter):
    """The code of a tier or a cell."""

    regex = r"[A-Za-z0-9_-]{1,32}"


class KeyName(StringConverter):
    """A key's id."""

    regex = r"key_[0-9a-z]{26}"


class OverrideName(StringConverter):
    """An override's id."""

    regex = r"ovr_[0-9a-z]{26}"


register_converter(TenantName, "tenant")
register_converter(KeyName, "key")
register_converter(OperationName, "operation")
register_converter(CodeName, "code")
register_converter(OverrideName, "override")

OVERRIDE = "v1/tenants/<tenant:tenant>/limits/overrides/<override:override>"

app_name = "api"
urlpatterns = [
    path("v1/tiers", tiers.Tiers.as_view(), name="tiers"),
    path("v1/tiers/<code:tier>", tiers.TierDetail.as_view(), name="tier"),
    path("v1/tiers/<code:tier>:retire", tiers.TierRetirement.as_view(), name="retire-tier"),
    path("v1/cells", cells.Cells.as_view(), name="cells"),
    path("v1/cells/<code:cell>", cells.CellDetail.as_view(), name="cell"),
    path("v1/tenants", tenants.Tenants.as_view(), name="tenants"),
    path("v1/tenants/<tenant:tenant>", tenants.TenantDetail.as_view(), name="tenant"),
    path("v1/tenants/<tenant:tenant>/operations", tenants.TenantOperations.as_view(), name="tenant-operations"),
    path("v1/tenants/<tenant:tenant>/resources", tenants.TenantResources.as_view(), name="tenant-resources"),
    path("v1/tenants/<tenant:tenant>/events", tenants.TenantEvents.as_view(), name="tenant-events"),
    path("v1/tenants/<tenant:tenant>:suspend", acts.Suspend.as_view(), name="suspend-tenant"),
    path("v1/tenants/<tenant:tenant>:resume", acts.Resume.as_view(), name="resume-tenant"),
    path("v1/tenants/<tenant:tenant>:change-tier", acts.ChangeTier.as_view(), name="change-tenant-tier"),
    path("v1/tenants/<tenant:tenant>:offboard", acts.Offboard.as_view(), name="offboard-tenant"),
    path("v1/tenants/<tenant:tenant>:undo-offboard", acts.UndoOffboard.as_view(), name="undo-offboard-tenant"),
    path("v1/tenants/<tenant:tenant>:repair", acts.Repair.as_view(), name="repair-tenant"),
    path("v1/tenants/<tenant:tenant>/administrator", administrators.Administrator.as_view(), name="tenant-administrator"),
    path("v1/tenants/<tenant:tenant>/administrator:invite-again", administrators.InviteAgain.as_view(), name="invite-again"),
    path("v1/tenants/<tenant:tenant>/keys", keys.TenantKeys.as_view(), name="tenant-keys"),
    path("v1/tenants/<tenant:tenant>/keys:import", key_acts.Import.as_view(), name="import-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>", keys.KeyDetail.as_view(), name="tenant-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>/versions", keys.KeyVersions.as_view(), name="tenant-key-versions"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>:rotate", key_acts.Rotate.as_view(), name="rotate-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>:revoke", key_acts.Revoke.as_view(), name="revoke-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>:disable", key_acts.Disable.as_view(), name="disable-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>:enable", key_acts.Enable.as_view(), name="enable-key"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>:retire-previous", key_acts.RetirePrevious.as_view(), name="retire-previous"),
    path("v1/tenants/<tenant:tenant>/key-policy", keys.TenantKeyPolicy.as_view(), name="tenant-key-policy"),
    path("v1/tenants/<tenant:tenant>/keys/<key:key>/limits", limits.KeyLimits.as_view(), name="key-limits"),
    path("v1/tenants/<tenant:tenant>/limits", limits.TenantLimits.as_view(), name="tenant-limits"),
    path("v1/tenants/<tenant:tenant>/limits/overrides", limits.Overrides.as_view(), name="tenant-overrides"),
    path(OVERRIDE, limits.OverrideDetail.as_view(), name="tenant-override"),
    path(f"{OVERRIDE}:revoke", limits.OverrideRevocation.as_view(), name="revoke-override"),
    path("v1/keys", keys.AllKeys.as_view(), name="keys"),
    path("v1/keys:verify", key_acts.Verify.as_view(), name="verify-key"),
    path("v1/operations", operations.Operations.as_view(), name="operations"),
    path("v1/operations/<operation:operation>", operations.OperationDetail.as_view(), name="operation"),
    path("v1/operations/<operation:operation>/stream", operations.OperationStream.as_view(), name="operation-stream"),
    path("v1/operations/<operation:operation>:retry", acts.Retry.as_view(), name="retry-operation"),
    path("v1/operations/<operation:operation>:abandon", acts.Abandon.as_view(), name="abandon-operation"),
    re_path(r"^[\s\S]*\Z", unknown.Unknown.as_view(), name="unknown"),
]
