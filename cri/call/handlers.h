/* The handlers that the table of methods names. */
#pragma once

struct cri_call;

/* clang-format off */
#define CRI_HANDLERS(X)                                                                                                       \
        X(version) X(run_pod_sandbox) X(stop_pod_sandbox) X(remove_pod_sandbox) X(pod_sandbox_status) X(list_pod_sandbox)     \
        X(stream_pod_sandboxes) X(create_container) X(start_container) X(stop_container) X(remove_container)                  \
        X(list_containers) X(stream_containers) X(container_status) X(update_container_resources) X(reopen_container_log)    \
        X(exec_sync) X(exec) X(attach) X(port_forward) X(container_stats) X(list_container_stats) X(stream_container_stats)   \
        X(pod_sandbox_stats) X(list_pod_sandbox_stats) X(stream_pod_sandbox_stats) X(update_runtime_config) X(status)         \
        X(checkpoint_container) X(list_metric_descriptors) X(list_pod_sandbox_metrics) X(stream_pod_sandbox_metrics)          \
        X(runtime_config) X(update_pod_sandbox_resources) X(list_images) X(stream_images) X(image_status) X(pull_image)       \
        X(remove_image) X(image_fs_info)
/* clang-format on */

#define CRI_HANDLER(name) void handle_##name(struct cri_call *call);
CRI_HANDLERS(CRI_HANDLER)
#undef CRI_HANDLER
