#include "kube/print/cells.h"
#include "lib/cleanup.h"

static const struct print_column config_map_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "Data", "string", 0, PRINT_COUNT, "data# binaryData#", NULL,
                "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or "
                "'.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must "
                "not overlap with the keys in the BinaryData field, this is enforced during validation process."),
        PRINT_AGE_COLUMN,
};

static const struct print_column secret_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Type", "string", 0, PRINT_TEXT, "type", NULL,
                    "Used to facilitate programmatic handling of secret data. More info: "
                    "https://kubernetes.io/docs/concepts/configuration/secret/#secret-types"),
        PRINT_FIELD(
                "Data", "string", 0, PRINT_COUNT, "data#", NULL,
                "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The "
                "serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly "
                "non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4"),
        PRINT_AGE_COLUMN,
};

static const struct print_column namespace_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Status", "string", 0, PRINT_TEXT, "status.phase", NULL, "The status of the namespace"),
        PRINT_AGE_COLUMN,
};

static const struct print_column service_account_columns[] = {
        PRINT_NAME,
        PRINT_AGE_COLUMN,
};

static const struct print_column event_columns[] = {
        PRINT_MADE("Last Seen", "string", 0, print_event_last,
                   "lastTimestamp firstTimestamp eventTime series.lastObservedTime", NULL,
                   "The time at which the most recent occurrence of this event was recorded."),
        PRINT_FIELD("Type", "string", 0, PRINT_TEXT, "type", NULL,
                    "Type of this event (Normal, Warning), new types could be added in the future"),
        PRINT_FIELD("Reason", "string", 0, PRINT_TEXT, "reason", NULL,
                    "This should be a short, machine understandable string that gives the reason for the transition "
                    "into the object's current status."),
        PRINT_MADE("Object", "string", 0, print_event_object, "involvedObject.kind involvedObject.name", NULL,
                   "The object that this event is about."),
        PRINT_FIELD(
                "Subobject", "string", 1, PRINT_TEXT, "involvedObject.fieldPath", NULL,
                "If referring to a piece of an object instead of an entire object, this string should contain a valid "
                "JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the "
                "object reference is to a container within a pod, this would take on a value like: "
                "\"spec.containers{name}\" (where \"name\" refers to the name of the container that triggered the "
                "event) or if no container name is specified \"spec.containers[2]\" (container with index 2 in this "
                "pod). This syntax is chosen only to have some well-defined way of referencing a part of an object."),
        PRINT_MADE("Source", "string", 1, print_event_source,
                   "source.component reportingComponent source.host reportingInstance", NULL,
                   "The component reporting this event. Should be a short machine understandable string."),
        PRINT_MADE("Message", "string", 0, print_event_message, "message", NULL,
                   "A human-readable description of the status of this operation."),
        PRINT_MADE("First Seen", "string", 1, print_event_first, "firstTimestamp eventTime", NULL,
                   "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)"),
        PRINT_MADE("Count", "string", 1, print_event_count, "count series.count", NULL,
                   "The number of times this event has occurred."),
        PRINT_NAMED("Name", 1, "metadata.name", print_name_text),
};

static const struct print_column event_events_columns[] = {
        PRINT_MADE("Last Seen", "string", 0, print_event_last,
                   "deprecatedLastTimestamp deprecatedFirstTimestamp eventTime series.lastObservedTime", NULL,
                   "The time at which the most recent occurrence of this event was recorded."),
        PRINT_FIELD("Type", "string", 0, PRINT_TEXT, "type", NULL,
                    "Type of this event (Normal, Warning), new types could be added in the future"),
        PRINT_FIELD("Reason", "string", 0, PRINT_TEXT, "reason", NULL,
                    "This should be a short, machine understandable string that gives the reason for the transition "
                    "into the object's current status."),
        PRINT_MADE("Object", "string", 0, print_event_object, "regarding.kind regarding.name", NULL,
                   "The object that this event is about."),
        PRINT_FIELD(
                "Subobject", "string", 1, PRINT_TEXT, "regarding.fieldPath", NULL,
                "If referring to a piece of an object instead of an entire object, this string should contain a valid "
                "JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the "
                "object reference is to a container within a pod, this would take on a value like: "
                "\"spec.containers{name}\" (where \"name\" refers to the name of the container that triggered the "
                "event) or if no container name is specified \"spec.containers[2]\" (container with index 2 in this "
                "pod). This syntax is chosen only to have some well-defined way of referencing a part of an object."),
        PRINT_MADE("Source", "string", 1, print_event_source,
                   "deprecatedSource.component reportingController deprecatedSource.host reportingInstance", NULL,
                   "The component reporting this event. Should be a short machine understandable string."),
        PRINT_MADE("Message", "string", 0, print_event_message, "note", NULL,
                   "A human-readable description of the status of this operation."),
        PRINT_MADE("First Seen", "string", 1, print_event_first, "deprecatedFirstTimestamp eventTime", NULL,
                   "The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)"),
        PRINT_MADE("Count", "string", 1, print_event_count, "deprecatedCount series.count", NULL,
                   "The number of times this event has occurred."),
        PRINT_NAMED("Name", 1, "metadata.name", print_name_text),
};

static const struct print_column resource_quota_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Request", "string", 0, print_quota_requests, "status.hard status.used", NULL,
                   "Request represents a minimum amount of cpu/memory that a container may consume."),
        PRINT_MADE("Limit", "string", 0, print_quota_limits, "status.hard status.used", NULL,
                   "Limits control the maximum amount of cpu/memory that a container may use independent of contention "
                   "on the node."),
        PRINT_AGE_COLUMN,
};

static const struct print_column component_status_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Status", "string", 0, print_component_status, "conditions", NULL,
                   "Status of the component conditions"),
        PRINT_MADE("Message", "string", 0, print_component_text, "conditions", "message",
                   "Message of the component conditions"),
        PRINT_MADE("Error", "string", 0, print_component_text, "conditions", "error",
                   "Error of the component conditions"),
};

static const struct print_column lease_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "Holder", "string", 0, PRINT_TEXT, "spec.holderIdentity", NULL,
                "holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election "
                "is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field."),
        PRINT_AGE_COLUMN,
};

static const struct print_column lease_candidate_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "LeaseName", "string", 0, PRINT_TEXT, "spec.leaseName", NULL,
                "LeaseName is the name of the lease for which this candidate is contending. This field is immutable."),
        PRINT_FIELD("BinaryVersion", "string", 0, PRINT_TEXT, "spec.binaryVersion", NULL, ""),
        PRINT_FIELD("EmulationVersion", "string", 0, PRINT_TEXT, "spec.emulationVersion", NULL, ""),
        PRINT_AGE_COLUMN,
};

const struct print_kind print_core_kinds[] = {
        PRINT_KIND("", "ConfigMap", config_map_columns),
        PRINT_KIND("", "Secret", secret_columns),
        PRINT_KIND("", "Namespace", namespace_columns),
        PRINT_KIND("", "ServiceAccount", service_account_columns),
        PRINT_KIND("", "Event", event_columns),
        PRINT_KIND("events.k8s.io", "Event", event_events_columns),
        PRINT_KIND("", "ResourceQuota", resource_quota_columns),
        PRINT_KIND("", "ComponentStatus", component_status_columns),
        PRINT_KIND("coordination.k8s.io", "Lease", lease_columns),
        PRINT_KIND("coordination.k8s.io", "LeaseCandidate", lease_candidate_columns),
        { .kind = NULL },
};
