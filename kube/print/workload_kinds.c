#include "kube/print/cells.h"
#include "lib/cleanup.h"

/* What the cells of a pod look at together. */
#define POD_PATHS                                                                                                      \
        "spec.containers# spec.initContainers.name spec.initContainers.restartPolicy "                                 \
        "spec.readinessGates.conditionType status.phase status.reason status.conditions.type "                         \
        "status.conditions.status status.conditions.reason status.initContainerStatuses "                              \
        "status.containerStatuses status.podIPs.ip status.podIP metadata.deletionTimestamp"

static const struct print_column pod_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Ready", "string", 0, print_pod_ready, NULL, NULL,
                   "The aggregate readiness state of this pod for accepting traffic."),
        PRINT_MADE("Status", "string", 0, print_pod_status, NULL, NULL,
                   "The aggregate status of the containers in this pod."),
        PRINT_MADE("Restarts", "string", 0, print_pod_restarts, NULL, NULL,
                   "The number of times the containers in this pod have been restarted and when the last container in "
                   "this pod has restarted."),
        PRINT_AGE_COLUMN,
        PRINT_MADE("IP", "string", 1, print_pod_ip, NULL, NULL,
                   "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet "
                   "allocated."),
        PRINT_FIELD("Node", "string", 1, PRINT_TEXT_SET, "spec.nodeName", "<none>",
                    "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for "
                    "scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for "
                    "this node becomes responsible for the lifecycle of this pod. This field should not be used to "
                    "express a desire for the pod to be scheduled on a specific node. "
                    "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename"),
        PRINT_FIELD("Nominated Node", "string", 1, PRINT_TEXT_SET, "status.nominatedNodeName", "<none>",
                    "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be "
                    "scheduled right away as preemption victims receive their graceful termination periods. This field "
                    "does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the "
                    "pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the "
                    "resources on this node to a higher priority pod that is created after preemption. As a result, "
                    "this field may be different than PodSpec.nodeName when the pod is scheduled."),
        PRINT_MADE("Readiness Gates", "string", 1, print_pod_gates, NULL, NULL,
                   "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its "
                   "containers are ready AND all conditions specified in the readiness gates have status equal to "
                   "\"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates"),
};

static const struct print_column pod_template_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Containers", "string", 0, PRINT_LIST, "template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 0, PRINT_LIST, "template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD("Pod Labels", "string", 0, PRINT_MAP, "template.metadata.labels", NULL,
                    "The labels for the pod template."),
};

static const struct print_column replication_controller_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Desired", "integer", 0, PRINT_INT, "spec.replicas", NULL,
                    "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit "
                    "zero and unspecified. Defaults to 1. More info: "
                    "https://kubernetes.io/docs/concepts/workloads/controllers/"
                    "replicationcontroller#what-is-a-replicationcontroller"),
        PRINT_FIELD("Current", "integer", 0, PRINT_INT, "status.replicas", NULL,
                    "Replicas is the most recently observed number of replicas. More info: "
                    "https://kubernetes.io/docs/concepts/workloads/controllers/"
                    "replicationcontroller#what-is-a-replicationcontroller"),
        PRINT_FIELD("Ready", "integer", 0, PRINT_INT, "status.readyReplicas", NULL,
                    "The number of ready replicas for this replication controller."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD(
                "Selector", "string", 1, PRINT_MAP, "spec.selector", NULL,
                "Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is "
                "defaulted to the labels present on the Pod template. Label keys and values that must match in order "
                "to be controlled by this replication controller, if empty defaulted to labels on Pod template. More "
                "info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
};

static const struct print_column replica_set_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Desired", "integer", 0, PRINT_INT, "spec.replicas", NULL,
                    "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero "
                    "and unspecified. Defaults to 1. More info: "
                    "https://kubernetes.io/docs/concepts/workloads/controllers/replicaset"),
        PRINT_FIELD("Current", "integer", 0, PRINT_INT, "status.replicas", NULL,
                    "Replicas is the most recently observed number of non-terminating pods. More info: "
                    "https://kubernetes.io/docs/concepts/workloads/controllers/replicaset"),
        PRINT_FIELD("Ready", "integer", 0, PRINT_INT, "status.readyReplicas", NULL,
                    "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD(
                "Selector", "string", 1, PRINT_SELECTOR, "spec.selector", NULL,
                "Selector is a label query over pods that should match the replica count. Label keys and values that "
                "must match in order to be controlled by this replica set. It must match the pod template's labels. "
                "More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
};

static const struct print_column deployment_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Ready", "string", 0, PRINT_RATIO, "status.readyReplicas spec.replicas", NULL,
                    "Number of the pod with ready state"),
        PRINT_FIELD("Up-to-date", "string", 0, PRINT_INT, "status.updatedReplicas", NULL,
                    "Total number of non-terminating pods targeted by this deployment that have the desired template "
                    "spec."),
        PRINT_FIELD("Available", "string", 0, PRINT_INT, "status.availableReplicas", NULL,
                    "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by "
                    "this deployment."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_MADE("Selector", "string", 1, print_deployment_selector, "spec.selector", NULL,
                   "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones "
                   "affected by this deployment. It must match the pod template's labels."),
};

static const struct print_column stateful_set_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Ready", "string", 0, PRINT_RATIO, "status.readyReplicas spec.replicas", NULL,
                    "Number of the pod with ready state"),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
};

static const struct print_column daemon_set_columns[] = {
        PRINT_NAME,
        PRINT_FIELD(
                "Desired", "integer", 0, PRINT_INT, "status.desiredNumberScheduled", NULL,
                "The total number of nodes that should be running the daemon pod (including nodes correctly running "
                "the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/"),
        PRINT_FIELD("Current", "integer", 0, PRINT_INT, "status.currentNumberScheduled", NULL,
                    "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon "
                    "pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/"),
        PRINT_FIELD("Ready", "integer", 0, PRINT_INT, "status.numberReady", NULL,
                    "numberReady is the number of nodes that should be running the daemon pod and have one or more of "
                    "the daemon pod running with a Ready Condition."),
        PRINT_FIELD("Up-to-date", "integer", 0, PRINT_INT, "status.updatedNumberScheduled", NULL,
                    "The total number of nodes that are running updated daemon pod"),
        PRINT_FIELD("Available", "integer", 0, PRINT_INT, "status.numberAvailable", NULL,
                    "The number of nodes that should be running the daemon pod and have one or more of the daemon pod "
                    "running and available (ready for at least spec.minReadySeconds)"),
        PRINT_FIELD("Node Selector", "string", 0, PRINT_MAP, "spec.template.spec.nodeSelector", NULL,
                    "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must "
                    "match a node's labels for the pod to be scheduled on that node. More info: "
                    "https://kubernetes.io/docs/concepts/configuration/assign-pod-node/"),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD("Selector", "string", 1, PRINT_SELECTOR, "spec.selector", NULL,
                    "A label query over pods that are managed by the daemon set. Must match in order to be controlled. "
                    "It must match the pod template's labels. More info: "
                    "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
};

static const struct print_column controller_revision_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Controller", "string", 0, print_revision_controller, "metadata.ownerReferences", NULL,
                   "Controller of the object"),
        PRINT_FIELD("Revision", "string", 0, PRINT_INT, "revision", NULL,
                    "Revision indicates the revision of the state represented by Data."),
        PRINT_AGE_COLUMN,
};

static const struct print_column job_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Status", "string", 0, print_job_status,
                   "status.conditions.type status.conditions.status metadata.deletionTimestamp", NULL,
                   "Status of the job."),
        PRINT_MADE("Completions", "string", 0, print_job_completions,
                   "status.succeeded spec.completions spec.parallelism", NULL,
                   "The number of pods which reached phase Succeeded. The value increases monotonically for a given "
                   "spec. However, it may decrease in reaction to scale down of elastic indexed jobs."),
        PRINT_MADE("Duration", "string", 0, print_job_duration, "status.startTime status.completionTime", NULL,
                   "Time required to complete the job."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD("Selector", "string", 1, PRINT_SELECTOR, "spec.selector", NULL,
                    "A label query over pods that should match the pod count. Normally, the system sets this field for "
                    "you. More info: "
                    "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
};

static const struct print_column cron_job_columns[] = {
        PRINT_NAME,
        PRINT_FIELD("Schedule", "string", 0, PRINT_TEXT, "spec.schedule", NULL,
                    "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
        PRINT_FIELD(
                "Timezone", "string", 0, PRINT_TEXT, "spec.timeZone", "<none>",
                "The time zone name for the given schedule, see "
                "https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this will default to "
                "the time zone of the kube-controller-manager process. The set of valid time zone names and the time "
                "zone offset is loaded from the system-wide time zone database by the API server during CronJob "
                "validation and the controller manager during execution. If no system-wide time zone database can be "
                "found a bundled version of the database is used instead. If the time zone name becomes invalid during "
                "the lifetime of a CronJob or due to a change in host configuration, the controller will stop creating "
                "new new Jobs and will create a system event with the reason UnknownTimeZone. More information can be "
                "found in https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones"),
        PRINT_MADE("Suspend", "boolean", 0, print_bool_text, "spec.suspend", NULL,
                   "This flag tells the controller to suspend subsequent executions, it does not apply to already "
                   "started executions.  Defaults to false."),
        PRINT_FIELD("Active", "integer", 0, PRINT_COUNT, "status.active#", NULL,
                    "A list of pointers to currently running jobs."),
        PRINT_FIELD("Last Schedule", "string", 0, PRINT_AGE, "status.lastScheduleTime", "<none>",
                    "Information when was the last time the job was successfully scheduled."),
        PRINT_AGE_COLUMN,
        PRINT_FIELD("Containers", "string", 1, PRINT_LIST, "spec.jobTemplate.spec.template.spec.containers.name", NULL,
                    "Names of each container in the template."),
        PRINT_FIELD("Images", "string", 1, PRINT_LIST, "spec.jobTemplate.spec.template.spec.containers.image", NULL,
                    "Images referenced by each container in the template."),
        PRINT_FIELD("Selector", "string", 1, PRINT_SELECTOR, "spec.jobTemplate.spec.selector", NULL,
                    "A label query over pods that should match the pod count. Normally, the system sets this field for "
                    "you. More info: "
                    "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors"),
};

static const struct print_column horizontal_pod_autoscaler_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Reference", "string", 0, print_kind_and_name, "spec.scaleTargetRef.kind spec.scaleTargetRef.name",
                   NULL,
                   "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics "
                   "should be collected, as well as to actually change the replica count."),
        PRINT_MADE("Targets", "string", 0, print_scaler_targets, "spec.metrics status.currentMetrics", NULL,
                   "metrics contains the specifications for which to use to calculate the desired replica count (the "
                   "maximum replica count across all metrics will be used).  The desired replica count is calculated "
                   "multiplying the ratio between the target value and the current value by the current number of "
                   "pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the "
                   "individual metric source types for more information about how each type of metric must respond. If "
                   "not set, the default metric will be set to 80% average CPU utilization."),
        PRINT_FIELD("MinPods", "string", 0, PRINT_TEXT, "spec.minReplicas", "<unset>",
                    "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down. "
                    " It defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero "
                    "is enabled and at least one Object or External metric is configured.  Scaling is active as long "
                    "as at least one metric value is available."),
        PRINT_FIELD("MaxPods", "string", 0, PRINT_INT, "spec.maxReplicas", NULL,
                    "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. "
                    "It cannot be less that minReplicas."),
        PRINT_FIELD("Replicas", "string", 0, PRINT_INT, "status.currentReplicas", NULL,
                    "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by "
                    "the autoscaler."),
        PRINT_AGE_COLUMN,
};

/* Version 1 has the processor's use as a field, and all else in annotations. */
static const struct print_column old_autoscaler_columns[] = {
        PRINT_NAME,
        PRINT_MADE("Reference", "string", 0, print_kind_and_name, "spec.scaleTargetRef.kind spec.scaleTargetRef.name",
                   NULL,
                   "scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics "
                   "should be collected, as well as to actually change the replica count."),
        PRINT_MADE("Targets", "string", 0, print_old_scaler_targets,
                   "spec.targetCPUUtilizationPercentage status.currentCPUUtilizationPercentage metadata.annotations",
                   NULL,
                   "metrics contains the specifications for which to use to calculate the desired replica count (the "
                   "maximum replica count across all metrics will be used).  The desired replica count is calculated "
                   "multiplying the ratio between the target value and the current value by the current number of "
                   "pods.  Ergo, metrics used must decrease as the pod count is increased, and vice-versa.  See the "
                   "individual metric source types for more information about how each type of metric must respond. If "
                   "not set, the default metric will be set to 80% average CPU utilization."),
        PRINT_FIELD("MinPods", "string", 0, PRINT_TEXT, "spec.minReplicas", "<unset>",
                    "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down. "
                    " It defaults to 1 pod.  minReplicas is allowed to be 0 if the alpha feature gate HPAScaleToZero "
                    "is enabled and at least one Object or External metric is configured.  Scaling is active as long "
                    "as at least one metric value is available."),
        PRINT_FIELD("MaxPods", "string", 0, PRINT_INT, "spec.maxReplicas", NULL,
                    "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up. "
                    "It cannot be less that minReplicas."),
        PRINT_FIELD("Replicas", "string", 0, PRINT_INT, "status.currentReplicas", NULL,
                    "currentReplicas is current number of replicas of pods managed by this autoscaler, as last seen by "
                    "the autoscaler."),
        PRINT_AGE_COLUMN,
};

static const struct print_column scale_columns[] = {
        PRINT_FIELD("Name", "string", 0, PRINT_TEXT, "metadata.name", NULL, print_name_text),
        PRINT_FIELD("Desired", "integer", 0, PRINT_INT, "spec.replicas", NULL,
                    "replicas is the desired number of instances for the scaled object."),
        PRINT_FIELD("Available", "integer", 0, PRINT_INT, "status.replicas", NULL,
                    "replicas is the actual number of observed instances of the scaled object."),
        PRINT_AGE_COLUMN,
};

static const char *const daemon_set_hidden[] = { "deprecated.daemonset.template.generation", NULL };

static const char *const old_autoscaler_hidden[] = {
        "autoscaling.alpha.kubernetes.io/metrics",
        "autoscaling.alpha.kubernetes.io/behavior",
        "autoscaling.alpha.kubernetes.io/current-metrics",
        "autoscaling.alpha.kubernetes.io/conditions",
        NULL,
};

const struct print_kind print_workload_kinds[] = {
        PRINT_KIND("", "Pod", pod_columns, .wants = POD_PATHS, .conditions = print_pod_conditions),
        PRINT_KIND("", "PodTemplate", pod_template_columns),
        PRINT_KIND("", "ReplicationController", replication_controller_columns),
        PRINT_KIND("apps", "ReplicaSet", replica_set_columns),
        PRINT_KIND("apps", "Deployment", deployment_columns),
        PRINT_KIND("apps", "StatefulSet", stateful_set_columns),
        PRINT_KIND("apps", "DaemonSet", daemon_set_columns, .hidden = daemon_set_hidden),
        PRINT_KIND("apps", "ControllerRevision", controller_revision_columns),
        PRINT_KIND("batch", "Job", job_columns),
        PRINT_KIND("batch", "CronJob", cron_job_columns),
        { "autoscaling",
          "v1",
          "HorizontalPodAutoscaler",
          { .columns = old_autoscaler_columns,
            .n = ELEMENTS(old_autoscaler_columns),
            .hidden = old_autoscaler_hidden } },
        PRINT_KIND("autoscaling", "HorizontalPodAutoscaler", horizontal_pod_autoscaler_columns),
        PRINT_KIND("autoscaling", "Scale", scale_columns),
        { .kind = NULL },
};
