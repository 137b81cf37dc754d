#include "cri/call/methods.h"

#include <stddef.h>

#include "cri/api.pb-c.h"
#include "cri/call/handlers.h"

#define RUNTIME(name, message, response_message, flag, handler)                                                        \
        {                                                                                                              \
#name, "/runtime.v1.RuntimeService/" #name, &cri__##message##_request__descriptor,                     \
                        &cri__##response_message##_response__descriptor, (flag), (handler)                             \
        }
#define IMAGE(name, message, response_message, flag, handler)                                                          \
        {                                                                                                              \
#name, "/runtime.v1.ImageService/" #name, &cri__##message##_request__descriptor,                       \
                        &cri__##response_message##_response__descriptor, (flag) | CRI_IMAGE_SERVICE, (handler)         \
        }

#define R(name, message) RUNTIME(name, message, message, 0, handle_##message)
#define S(name, message) RUNTIME(name, message, message, CRI_STREAM, handle_##message)
#define I(name, message) IMAGE(name, message, message, 0, handle_##message)

const struct cri_method_row cri_methods[CRI_METHODS] = {
        [CRI_VERSION] = R(Version, version),
        [CRI_RUN_POD_SANDBOX] = R(RunPodSandbox, run_pod_sandbox),
        [CRI_STOP_POD_SANDBOX] = R(StopPodSandbox, stop_pod_sandbox),
        [CRI_REMOVE_POD_SANDBOX] = R(RemovePodSandbox, remove_pod_sandbox),
        [CRI_POD_SANDBOX_STATUS] = R(PodSandboxStatus, pod_sandbox_status),
        [CRI_LIST_POD_SANDBOX] = R(ListPodSandbox, list_pod_sandbox),
        [CRI_STREAM_POD_SANDBOXES] = S(StreamPodSandboxes, stream_pod_sandboxes),
        [CRI_CREATE_CONTAINER] = R(CreateContainer, create_container),
        [CRI_START_CONTAINER] = R(StartContainer, start_container),
        [CRI_STOP_CONTAINER] = R(StopContainer, stop_container),
        [CRI_REMOVE_CONTAINER] = R(RemoveContainer, remove_container),
        [CRI_LIST_CONTAINERS] = R(ListContainers, list_containers),
        [CRI_STREAM_CONTAINERS] = S(StreamContainers, stream_containers),
        [CRI_CONTAINER_STATUS] = R(ContainerStatus, container_status),
        [CRI_UPDATE_CONTAINER_RESOURCES] = R(UpdateContainerResources, update_container_resources),
        [CRI_REOPEN_CONTAINER_LOG] = R(ReopenContainerLog, reopen_container_log),
        [CRI_EXEC_SYNC] = R(ExecSync, exec_sync),
        [CRI_EXEC] = R(Exec, exec),
        [CRI_ATTACH] = R(Attach, attach),
        [CRI_PORT_FORWARD] = R(PortForward, port_forward),
        [CRI_CONTAINER_STATS] = R(ContainerStats, container_stats),
        [CRI_LIST_CONTAINER_STATS] = R(ListContainerStats, list_container_stats),
        [CRI_STREAM_CONTAINER_STATS] = S(StreamContainerStats, stream_container_stats),
        [CRI_POD_SANDBOX_STATS] = R(PodSandboxStats, pod_sandbox_stats),
        [CRI_LIST_POD_SANDBOX_STATS] = R(ListPodSandboxStats, list_pod_sandbox_stats),
        [CRI_STREAM_POD_SANDBOX_STATS] = S(StreamPodSandboxStats, stream_pod_sandbox_stats),
        [CRI_UPDATE_RUNTIME_CONFIG] = R(UpdateRuntimeConfig, update_runtime_config),
        [CRI_STATUS] = R(Status, status),
        [CRI_CHECKPOINT_CONTAINER] = R(CheckpointContainer, checkpoint_container),
        [CRI_GET_CONTAINER_EVENTS] = RUNTIME(GetContainerEvents, get_events, container_event, CRI_STREAM, NULL),
        [CRI_LIST_METRIC_DESCRIPTORS] = R(ListMetricDescriptors, list_metric_descriptors),
        [CRI_LIST_POD_SANDBOX_METRICS] = R(ListPodSandboxMetrics, list_pod_sandbox_metrics),
        [CRI_STREAM_POD_SANDBOX_METRICS] = S(StreamPodSandboxMetrics, stream_pod_sandbox_metrics),
        [CRI_RUNTIME_CONFIG] = R(RuntimeConfig, runtime_config),
        [CRI_UPDATE_POD_SANDBOX_RESOURCES] = R(UpdatePodSandboxResources, update_pod_sandbox_resources),
        [CRI_LIST_IMAGES] = I(ListImages, list_images),
        [CRI_STREAM_IMAGES] = IMAGE(StreamImages, stream_images, stream_images, CRI_STREAM, handle_stream_images),
        [CRI_IMAGE_STATUS] = I(ImageStatus, image_status),
        [CRI_PULL_IMAGE] = I(PullImage, pull_image),
        [CRI_REMOVE_IMAGE] = I(RemoveImage, remove_image),
        [CRI_IMAGE_FS_INFO] = I(ImageFsInfo, image_fs_info),
};
