#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column flow_schema_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("PriorityLevel", "string", 0, PRINT_TEXT, "spec.priorityLevelConfiguration.name", NULL,
                    "`name` is the name of the priority level configuration being referenced Required."),
        PRINT_FIELD("MatchingPrecedence", "string", 0, PRINT_INT, "spec.matchingPrecedence", NULL,
                    "`matchingPrecedence` is used to choose among the FlowSchemas that match a given request. The "
                    "chosen FlowSchema is among those with the numerically lowest (which we take to be logically "
                    "highest) MatchingPrecedence.  Each MatchingPrecedence value must be ranged in [1,10000]. Note "
                    "that if the precedence is not specified, it will be set to 1000 as default."),
        PRINT_FIELD(
                "DistinguisherMethod", "string", 0, PRINT_TEXT, "spec.distinguisherMethod.type", "<none>",
                "`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this "
                "schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string."),
        PRINT_AGE_COLUMN,
        PRINT_MADE("MissingPL", "string", 0, print_flow_dangling, "status.conditions", NULL,
                   "references a broken or non-existent PriorityLevelConfiguration"),
};

static const struct print_column priority_level_configuration_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "Type", "string", 0, PRINT_TEXT, "spec.type", NULL,
                "`type` indicates whether this priority level is subject to limitation on request execution.  A value "
                "of `\"Exempt\"` means that requests of this priority level are not subject to a limit (and thus are "
                "never queued) and do not detract from the capacity made available to other priority levels.  A value "
                "of `\"Limited\"` means that (a) requests of this priority level _are_ subject to limits and (b) some "
                "of the server's limited capacity is made available exclusively to this priority level. Required."),
        PRINT_MADE(
                "NominalConcurrencyShares", "string", 0, print_level_number,
                "spec.limited.nominalConcurrencyShares spec.limited#", "spec.limited",
                "`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit "
                "(NominalCL) of this level. This is the number of execution seats available at this priority level. "
                "This is used both for requests dispatched from this priority level as well as requests dispatched "
                "from other priority levels borrowing seats from this level. The server's concurrency limit (ServerCL) "
                "is divided among the Limited priority levels in proportion to their NCS values:\n\nNominalCL(i)  = "
                "ceil( ServerCL * NCS(i) / sum_ncs ) sum_ncs = sum[priority level k] NCS(k)\n\nBigger numbers mean a "
                "larger nominal concurrency limit, at the expense of every other priority level.\n\nIf not specified, "
                "this field defaults to a value of 30.\n\nSetting this field to zero supports the construction of a "
                "\"jail\" for this priority level that is used to hold some request(s)"),
        PRINT_MADE("Queues", "string", 0, print_level_number, "spec.limited.limitResponse.queuing.queues",
                   "spec.limited.limitResponse.queuing",
                   "`queues` is the number of queues for this priority level. The queues exist independently at each "
                   "apiserver. The value must be positive.  Setting it to 1 effectively precludes shufflesharding and "
                   "thus makes the distinguisher method of associated flow schemas irrelevant.  This field has a "
                   "default value of 64."),
        PRINT_MADE("HandSize", "string", 0, print_level_number, "spec.limited.limitResponse.queuing.handSize",
                   "spec.limited.limitResponse.queuing",
                   "`handSize` is a small positive number that configures the shuffle sharding of requests into "
                   "queues.  When enqueuing a request at this priority level the request's flow identifier (a string "
                   "pair) is hashed and the hash value is used to shuffle the list of queues and deal a hand of the "
                   "size specified here.  The request is put into one of the shortest queues in that hand. `handSize` "
                   "must be no larger than `queues`, and should be significantly smaller (so that a few heavy flows do "
                   "not saturate most of the queues).  See the user-facing documentation for more extensive guidance "
                   "on setting this field.  This field has a default value of 8."),
        PRINT_MADE("QueueLengthLimit", "string", 0, print_level_number,
                   "spec.limited.limitResponse.queuing.queueLengthLimit", "spec.limited.limitResponse.queuing",
                   "`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of "
                   "this priority level at a time; excess requests are rejected.  This value must be positive.  If not "
                   "specified, it will be defaulted to 50."),
        PRINT_AGE_COLUMN,
};

static const struct print_column storage_version_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("CommonEncodingVersion", "string", 0, PRINT_TEXT, "status.commonEncodingVersion", "<unset>",
                    "commonEncodingVersion is set to an encoding storage version if all API server instances share "
                    "that same version. If they don't share one storage version, this field is left empty. API servers "
                    "should finish updating its storageVersionStatus entry before serving write operations, so that "
                    "this field will be in sync with the reality."),
        PRINT_MADE("StorageVersions", "string", 0, print_storage_versions, "status.storageVersions", NULL,
                   "storageVersions lists the reported versions per API server instance."),
        PRINT_AGE_COLUMN,
};

static const struct print_column storage_version_migration_columns[] = {
        PRINT_FIELD("Name", "string", 0, PRINT_TEXT, "metadata.name", NULL, print_name_text),
        PRINT_MADE("Resource", "string", 0, print_migration_resource, "spec.resource", NULL,
                   "GroupResource to migrate"),
        PRINT_MADE("Status", "string", 0, print_migration_status, "status.conditions", NULL, "Status of the migration"),
};

static const struct print_column api_service_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Service", "string", 0, print_service_reference, "spec.service", NULL,
                   "The reference to the service that hosts this API endpoint."),
        PRINT_MADE("Available", "string", 0, print_service_available, "status.conditions", NULL,
                   "Whether this service is available."),
        PRINT_AGE_COLUMN,
};

const struct print_kind print_system_kinds[] = {
        PRINT_KIND("flowcontrol.apiserver.k8s.io", "FlowSchema", flow_schema_columns, .rank = print_flow_rank),
        PRINT_KIND("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", priority_level_configuration_columns),
        PRINT_KIND("internal.apiserver.k8s.io", "StorageVersion", storage_version_columns),
        PRINT_KIND("storagemigration.k8s.io", "StorageVersionMigration", storage_version_migration_columns),
        PRINT_KIND("apiregistration.k8s.io", "APIService", api_service_columns),
        { .kind = NULL },
};
