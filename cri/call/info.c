/* Verbose status: JSON with the keys that crictl's users know from containerd. */
#include <sys/types.h>

#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"
#include "cri/state/status.h"
#include "lib/json_writer.h"

static void add_strings(struct json_writer *w, const char *key, char *const *texts, size_t n) {
        json_add_n_texts(w, key, (const char *const *)texts, n);
}

static void add_map(struct json_writer *w, const char *key, void *const *entries, size_t n) {
        json_key(w, key);
        json_begin_map(w);
        for (size_t i = 0; i < n; i++) {
                const struct message_entry *entry = entries[i];

                json_add_string(w, entry->key, entry->value);
        }
        json_end_map(w);
}

static void add_metadata(struct json_writer *w, const Cri__PodSandboxMetadata *metadata) {
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string(w, "name", metadata->name);
        json_add_string(w, "uid", metadata->uid);
        json_add_string(w, "namespace", metadata->namespace_);
        json_add_int(w, "attempt", metadata->attempt);
        json_end_map(w);
}

char *info_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        char netns[SANDBOX_PATH_MAX];

        json_begin_map(&w);
        json_add_int(&w, "pid", sandbox->ready ? sandbox->shim_pid : 0);
        json_add_string(&w, "processStatus", sandbox->ready ? "running" : "deleted");
        json_add_bool(&w, "netNamespaceClosed", !sandbox->ready);
        json_add_string(&w, "runtimeHandler", sandbox->record->runtime_handler);
        json_add_string(&w, "runtimeType", CRI_RUNTIME_NAME);
        json_add_string(&w, "cgroup", sandbox->cgroup);
        if (!cri_sandbox_host_network(sandbox))
                json_add_string(&w, "networkNamespace", sandbox_netns_path(sandbox->cri->runtime, sandbox->id, netns));
        json_key(&w, "ips");
        json_begin_list(&w);
        for (size_t i = 0; i < sandbox->n_ips; i++)
                json_string(&w, sandbox->ips[i]);
        json_end_list(&w);
        json_key(&w, "config");
        json_begin_map(&w);
        add_metadata(&w, sandbox->config->metadata);
        json_add_string_if(&w, "hostname", sandbox->config->hostname);
        json_add_string_if(&w, "log_directory", sandbox->config->log_directory);
        add_map(&w, "labels", (void *const *)sandbox->config->labels, sandbox->config->n_labels);
        add_map(&w, "annotations", (void *const *)sandbox->config->annotations, sandbox->config->n_annotations);
        json_end_map(&w);
        json_end_map(&w);
        return json_writer_text(&w, arena);
}

static void add_process(struct json_writer *w, const struct cri_container *container) {
        const Record__Container *record = container->record;

        json_key(w, "process");
        json_begin_map(w);
        json_add_bool(w, "terminal", container->config->tty);
        json_key(w, "user");
        json_begin_map(w);
        json_add_int(w, "uid", record->uid);
        json_add_int(w, "gid", record->gid);
        json_key(w, "additionalGids");
        json_begin_list(w);
        for (size_t i = 0; i < record->n_groups; i++)
                json_uint(w, record->groups[i]);
        json_end_list(w);
        json_end_map(w);
        add_strings(w, "args", record->args, record->n_args);
        add_strings(w, "env", record->env, record->n_env);
        json_add_string(w, "cwd", record->cwd);
        json_add_bool(w, "noNewPrivileges", cri_container_security(container->config)->no_new_privs);
        json_end_map(w);
}

static void add_mounts(struct json_writer *w, const struct cri_container *container) {
        json_key(w, "mounts");
        json_begin_list(w);
        for (size_t i = 0; i < container->config->n_mounts; i++) {
                const Cri__Mount *mount = container->config->mounts[i];

                json_begin_map(w);
                json_add_string(w, "destination", mount->container_path);
                json_add_string(w, "type", "bind");
                json_add_string(w, "source", mount->host_path);
                json_key(w, "options");
                json_begin_list(w);
                json_string(w, "rbind");
                json_string(w, mount->readonly ? "ro" : "rw");
                json_end_list(w);
                json_end_map(w);
        }
        json_end_list(w);
}

/* The parts of an OCI runtime spec that people look for. */
static void add_runtime_spec(struct json_writer *w, const struct cri_container *container) {
        json_key(w, "runtimeSpec");
        json_begin_map(w);
        json_add_string(w, "ociVersion", "1.2.0");
        add_process(w, container);
        json_key(w, "root");
        json_begin_map(w);
        json_add_string(w, "path", "rootfs");
        json_add_bool(w, "readonly", cri_container_security(container->config)->readonly_rootfs);
        json_end_map(w);
        add_mounts(w, container);
        json_key(w, "linux");
        json_begin_map(w);
        json_add_string(w, "cgroupsPath", container->cgroup);
        add_strings(w, "maskedPaths", cri_container_security(container->config)->masked_paths,
                    cri_container_security(container->config)->n_masked_paths);
        add_strings(w, "readonlyPaths", cri_container_security(container->config)->readonly_paths,
                    cri_container_security(container->config)->n_readonly_paths);
        json_end_map(w);
        json_end_map(w);
}

char *info_of_container(struct arena *arena, const struct cri_container *container) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const Cri__ContainerConfig *config = container->config;

        json_begin_map(&w);
        json_add_string(&w, "sandboxID", container->sandbox->id);
        json_add_int(&w, "pid", container->pid);
        json_add_bool(&w, "removing", container->removed);
        json_add_string(&w, "snapshotKey", container->id);
        json_add_string(&w, "snapshotter", "overlayfs");
        json_add_string(&w, "runtimeType", CRI_RUNTIME_NAME);
        json_add_int(&w, "oomKills", (int64_t)container->oom_kills);
        json_key(&w, "config");
        json_begin_map(&w);
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string(&w, "name", config->metadata->name);
        json_add_int(&w, "attempt", config->metadata->attempt);
        json_end_map(&w);
        json_key(&w, "image");
        json_begin_map(&w);
        json_add_string(&w, "image", config->image ? config->image->image : "");
        json_end_map(&w);
        add_strings(&w, "command", config->command, config->n_command);
        add_strings(&w, "args", config->args, config->n_args);
        add_map(&w, "labels", (void *const *)config->labels, config->n_labels);
        add_map(&w, "annotations", (void *const *)config->annotations, config->n_annotations);
        json_add_string_if(&w, "log_path", config->log_path);
        json_end_map(&w);
        add_runtime_spec(&w, container);
        json_end_map(&w);
        return json_writer_text(&w, arena);
}
