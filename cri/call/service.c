/* What is asked about the runtime itself: Version, Status, RuntimeConfig, and the small rest. */
#include <sys/utsname.h>

#include "cgroups/cgroup.h"
#include "cgroups/limits.h"
#include "cni/network.h"
#include "cri/call/call.h"
#include "cri/call/handler.h"
#include "cri/call/handlers.h"
#include "cri/state/record.h"
#include "cri/container/resources.h"
#include "lib/json_writer.h"

void handle_version(struct cri_call *call) {
        Cri__VersionResponse response = CRI__VERSION_RESPONSE__INIT;

        response.version =
                (char *)(uintptr_t) "0.1.0"; /* of the kubelet's side of the interface, as the field answers it */
        response.runtime_name = (char *)(uintptr_t)CRI_RUNTIME_NAME;
        response.runtime_version = (char *)(uintptr_t)NACELLE_VERSION;
        response.runtime_api_version = (char *)(uintptr_t)CRI_API_VERSION;
        call_reply(call, &response.base);
}

struct status {
        char *network_text; /* why pods cannot be attached; NULL: they can */
};

static int status_work(struct cri_call *call, struct err **err) {
        struct status *status = call->state;
        _cleanup_err_ struct err *why = NULL;

        if (network_status(call->cri->network, &why) >= 0)
                return 0;
        status->network_text = arena_strdup(call->arena, err_text(why));
        return status->network_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* Where it looks for what an administrator may have written. */
static void add_files(struct json_writer *w, const struct cri_options *o) {
        json_key(w, "files");
        json_begin_map(w);
        json_add_string_if(w, "registries", o->registries);
        json_add_string_if(w, "hostsDir", o->hosts_dir);
        json_add_string_if(w, "dockerConfig", o->docker_config);
        json_add_string_if(w, "cdiDirs", o->cdi_dirs);
        json_add_string_if(w, "seccompDir", o->seccomp_dir);
        json_end_map(w);
}

static char *info_of_cri(struct cri_call *call) {
        static const char *const modes[] = { [CGROUP_V2] = "v2", [CGROUP_HYBRID] = "hybrid", [CGROUP_V1] = "v1" };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct cri_options *options = &call->cri->options;
        const struct status *status = call->state;
        struct cri_counters counters;
        struct utsname host;
        _cleanup_free_ char *text = NULL;
        size_t n;

        cri_get_counters(call->cri, &counters);
        uname(&host);
        json_begin_map(&w);
        json_add_string(&w, "version", NACELLE_VERSION);
        json_add_string(&w, "kernel", host.release);
        json_add_string(&w, "rootDir", options->root_dir);
        json_add_string(&w, "runDir", options->run_dir);
        json_add_string(&w, "cgroupRoot", options->cgroup_root);
        json_add_string(&w, "cgroupMode", modes[cgroups_mode(call->cri->cgroups)]);
        json_add_string(&w, "cgroupDriver", "cgroupfs");
        json_add_string(&w, "network", network_describe(call->cri->network));
        json_add_bool(&w, "networkReady", !status->network_text);
        if (status->network_text)
                json_add_string(&w, "networkReason", status->network_text);
        json_add_string(&w, "snapshotter", "overlayfs");
        add_files(&w, options);
        json_add_int(&w, "sandboxes", (int64_t)call->cri->sandboxes.n);
        json_add_int(&w, "sandboxesReady", counters.ready);
        json_add_int(&w, "containers", (int64_t)call->cri->containers.n);
        json_add_int(&w, "containersRunning", counters.running);
        json_add_int(&w, "containerRestarts", (int64_t)counters.restarts);
        json_add_int(&w, "imagePulls", (int64_t)counters.pulls);
        json_add_int(&w, "oomKills", (int64_t)call->cri->counters.oom_kills);
        json_add_int(&w, "shimsRecovered", (int64_t)call->cri->counters.shims_recovered);
        json_end_map(&w);
        return json_writer_finish(&w, &text, &n) < 0 ? NULL : arena_strndup(call->arena, text, n);
}

static void status_done(struct cri_call *call) {
        Cri__RuntimeCondition runtime = CRI__RUNTIME_CONDITION__INIT, network = CRI__RUNTIME_CONDITION__INIT;
        Cri__RuntimeCondition *conditions[] = { &runtime, &network };
        Cri__RuntimeFeatures whole = CRI__RUNTIME_FEATURES__INIT;
        Cri__RuntimeStatus runtime_status = CRI__RUNTIME_STATUS__INIT;
        Cri__StatusResponse response = CRI__STATUS_RESPONSE__INIT;
        Cri__StatusResponse__InfoEntry info = CRI__STATUS_RESPONSE__INFO_ENTRY__INIT, *infos[] = { &info };
        struct status *status = call->state;

        runtime.type = (char *)(uintptr_t) "RuntimeReady";
        runtime.status = true;
        network.type = (char *)(uintptr_t) "NetworkReady";
        network.status = !status->network_text;
        if (status->network_text) {
                network.reason = (char *)(uintptr_t) "NetworkPluginNotReady";
                network.message = status->network_text;
        }
        runtime_status.conditions = conditions;
        runtime_status.n_conditions = 2;
        whole.supplemental_groups_policy = true;
        response.status = &runtime_status;
        response.runtime_handlers = handlers_status(call->cri, call->arena, &response.n_runtime_handlers);
        response.features = &whole;
        if (((const Cri__StatusRequest *)call->request)->verbose) {
                info.key = (char *)(uintptr_t) "config";
                info.value = info_of_cri(call);
                response.info = infos;
                response.n_info = 1;
        }
        if (response.runtime_handlers && info.value)
                call_reply(call, &response.base);
        else
                call_refuse(call, ENOMEM, "out of memory");
}

void handle_status(struct cri_call *call) {
        call->state = call_alloc(call, sizeof(struct status));
        if (call->state)
                call_run(call, status_work, status_done);
}

void handle_runtime_config(struct cri_call *call) {
        Cri__RuntimeConfigResponse response = CRI__RUNTIME_CONFIG_RESPONSE__INIT;
        Cri__LinuxRuntimeConfiguration linux_ = CRI__LINUX_RUNTIME_CONFIGURATION__INIT;

        linux_.cgroup_driver = CRI__CGROUP_DRIVER__CGROUPFS;
        response.linux = &linux_;
        call_reply(call, &response.base);
}

/* The node's pod CIDR comes from the agent's own options: what a kubelet passes on is taken note of and no more. */
void handle_update_runtime_config(struct cri_call *call) {
        call_reply_empty(call);
}

static int update_work(struct cri_call *call, struct err **err) {
        const Cri__UpdatePodSandboxResourcesRequest *request =
                (const Cri__UpdatePodSandboxResourcesRequest *)call->request;
        struct cgroup_limits limits;
        int r = resources_to_limits(call->arena, request->resources, &limits, err);

        return r < 0 ? r : cgroup_update(call->cri->cgroups, call->sandbox->cgroup, &limits, err);
}

static void update_turn(struct cri_call *call) {
        const Cri__UpdatePodSandboxResourcesRequest *request =
                (const Cri__UpdatePodSandboxResourcesRequest *)call->request;

        if (!call->sandbox->ready)
                call_refuse(call, EINVAL, "sandbox \"%s\" is not ready", call->sandbox->id);
        else if (!request->resources || !call->sandbox->record->owns_cgroup)
                call_reply_empty(call); /* who gave the cgroup_parent writes its limits */
        else
                call_run(call, update_work, call_reply_empty);
}

void handle_update_pod_sandbox_resources(struct cri_call *call) {
        const Cri__UpdatePodSandboxResourcesRequest *request =
                (const Cri__UpdatePodSandboxResourcesRequest *)call->request;

        if (call_find_sandbox(call, request->pod_sandbox_id))
                call_take_turn(call, update_turn);
}
