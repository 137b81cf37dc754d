#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column device_class_columns[] = {
        PRINT_NAME,
        PRINT_AGE_COLUMN,
};

static const struct print_column resource_claim_columns[] = {
        PRINT_NAME,
        PRINT_MADE("State", "string", 0, print_claim_state,
                   "metadata.deletionTimestamp status.allocation# status.reservedFor#", NULL,
                   "A summary of the current state (allocated, pending, reserved, etc.)."),
        PRINT_AGE_COLUMN,
};

static const struct print_column resource_claim_template_columns[] = {
        PRINT_NAME,
        PRINT_AGE_COLUMN,
};

static const struct print_column resource_slice_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Node", "string", 0, PRINT_TEXT, "spec.nodeName", NULL,
                    "NodeName identifies the node which provides the resources in this pool. A field selector can be "
                    "used to list only ResourceSlice objects belonging to a certain node.\n\nThis field can be used to "
                    "limit access from nodes to ResourceSlices with the same node name. It also indicates to "
                    "autoscalers that adding new nodes of the same type as some old node might also make new resources "
                    "available.\n\nExactly one of NodeName, NodeSelector, AllNodes, and PerDeviceNodeSelection must be "
                    "set. This field is immutable."),
        PRINT_FIELD("Driver", "string", 0, PRINT_TEXT, "spec.driver", NULL,
                    "Driver identifies the DRA driver providing the capacity information. A field selector can be used "
                    "to list only ResourceSlice objects with a certain driver name.\n\nMust be a DNS subdomain and "
                    "should end with a DNS domain owned by the vendor of the driver. It should use only lower case "
                    "characters. This field is immutable."),
        PRINT_FIELD("Pool", "string", 0, PRINT_TEXT, "spec.pool.name", NULL,
                    "Name is used to identify the pool. For node-local devices, this is often the node name, but this "
                    "is not required.\n\nIt must not be longer than 253 characters and must consist of one or more DNS "
                    "sub-domains separated by slashes. This field is immutable."),
        PRINT_AGE_COLUMN,
};

static const struct print_column resource_pool_status_request_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Driver", "string", 0, PRINT_TEXT, "spec.driver", NULL, "The driver to query pools for."),
        PRINT_MADE("Total", "string", 0, print_pool_devices, "status.conditions status.pools", "totalDevices",
                   "Total number of devices across all pools."),
        PRINT_MADE("Available", "string", 0, print_pool_devices, "status.conditions status.pools", "availableDevices",
                   "Number of available devices across all pools."),
        PRINT_MADE("Allocated", "string", 0, print_pool_devices, "status.conditions status.pools", "allocatedDevices",
                   "Number of allocated devices across all pools."),
        PRINT_MADE("Unavailable", "string", 0, print_pool_devices, "status.conditions status.pools",
                   "unavailableDevices", "Number of unavailable devices across all pools."),
        PRINT_MADE("Errors", "string", 0, print_pool_errors, "status.conditions status.pools", NULL,
                   "Number of pools with validation errors."),
        PRINT_FIELD("Pools", "integer", 0, PRINT_INT, "status.poolCount", NULL, "Total number of matching pools."),
        PRINT_MADE("Status", "string", 0, print_pool_status, "status.conditions status.pools status.poolCount", NULL,
                   "Processing status."),
        PRINT_MADE("Completed", "string", 0, print_pool_completed, "status.conditions", NULL,
                   "Time since the observation completed."),
};

static const struct print_column device_taint_rule_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Key", "string", 0, PRINT_TEXT, "spec.taint.key", NULL,
                    "The taint key to be applied to a device. Must be a label name."),
        PRINT_FIELD("Value", "string", 0, PRINT_TEXT, "spec.taint.value", NULL,
                    "The taint value corresponding to the taint key. Must be a label value."),
        PRINT_FIELD("Effect", "string", 0, PRINT_TEXT, "spec.taint.effect", NULL,
                    "The effect of the taint on claims that do not tolerate the taint and through such claims on the "
                    "pods using them.\n\nValid effects are None, NoSchedule and NoExecute. PreferNoSchedule as used "
                    "for nodes is not valid here. More effects may get added in the future. Consumers must treat "
                    "unknown effects like None."),
        PRINT_FIELD(
                "TimeAdded", "string", 0, PRINT_AGE, "spec.taint.timeAdded", "",
                "TimeAdded represents the time at which the taint was added or (only in a DeviceTaintRule) the effect "
                "was modified. Added automatically during create or update if not set.\n\nIn addition, in a "
                "DeviceTaintRule a value provided during an update gets replaced with the current time if the provided "
                "value is the same as the old one and the new effect is different. Changing the key and/or value while "
                "keeping the effect unchanged is possible and does not update the time stamp because the eviction "
                "which uses it is either already started (NoExecute) or not started yet (NoEffect, NoSchedule)."),
        PRINT_AGE_COLUMN,
};

const struct print_kind print_resource_kinds[] = {
        PRINT_KIND("resource.k8s.io", "DeviceClass", device_class_columns),
        PRINT_KIND("resource.k8s.io", "ResourceClaim", resource_claim_columns),
        PRINT_KIND("resource.k8s.io", "ResourceClaimTemplate", resource_claim_template_columns),
        PRINT_KIND("resource.k8s.io", "ResourceSlice", resource_slice_columns),
        PRINT_KIND("resource.k8s.io", "ResourcePoolStatusRequest", resource_pool_status_request_columns),
        PRINT_KIND("resource.k8s.io", "DeviceTaintRule", device_taint_rule_columns),
        { .kind = NULL },
};
