#include "cri/cri.h"

#include <string.h>

#include "cgroups/cgroup.h"
#include "cni/network.h"
#include "cri/state/exits.h"
#include "cri/call/handler.h"
#include "cri/container/floor.h"
#include "cri/container/process.h"
#include "cri/state/record.h"
#include "cri/state/restore.h"
#include "cri/sandbox/sandbox.h"
#include "cri/container/spec.h"
#include "cri/state/sync.h"
#include "images/store.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "runtime/runtime.h"

/* Each text of the options, and what it is when nothing is said. */
static const struct {
        size_t offset;
        const char *fallback;
} texts[] = {
        { offsetof(struct cri_options, root_dir), "/var/lib/nacelle" },
        { offsetof(struct cri_options, run_dir), "/run/nacelle" },
        { offsetof(struct cri_options, cgroup_root), "/nacelle" },
        { offsetof(struct cri_options, shim_path), NULL },
        { offsetof(struct cri_options, runtimes), NULL },
        { offsetof(struct cri_options, registries), NULL },
        { offsetof(struct cri_options, hosts_dir), NULL },
        { offsetof(struct cri_options, docker_config), NULL },
        { offsetof(struct cri_options, insecure_registries), NULL },
        { offsetof(struct cri_options, cdi_dirs), "/etc/cdi:/var/run/cdi" },
        { offsetof(struct cri_options, seccomp_dir), "/var/lib/kubelet/seccomp" },
};

static int take_options(struct cri *cri, const struct cri_options *options) {
        cri->options = *options;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                const char **text = (const char **)((char *)&cri->options + texts[i].offset);

                if (!*text)
                        *text = texts[i].fallback;
                if (*text && !(*text = arena_strdup(cri->arena, *text)))
                        return -ENOMEM;
        }
        cri->options.network = NULL;
        if (!cri->options.log_max_files)
                cri->options.log_max_files = 5;
        return 0;
}

static int open_all(struct cri *cri, const struct cri_options *options, struct err **err) {
        static const struct network_options no_network = { 0 };
        struct runtime_config runtime = { .run_dir = cri->options.run_dir, .shim_path = cri->options.shim_path };
        _cleanup_err_ struct err *why = NULL;
        int r;

        if ((r = record_prepare(cri, err)) < 0 || (r = floor_make(cri, err)) < 0 || (r = handlers_read(cri, err)) < 0 ||
            (r = cgroups_open(cri->options.cgroup_root, &cri->cgroups, err)) < 0 ||
            (r = image_store_open(cri->options.root_dir, &cri->images, err)) < 0 ||
            (r = network_open(options->network ? options->network : &no_network, &cri->network, err)) < 0 ||
            (r = runtime_new(&runtime, &cri->runtime, err)) < 0 || (r = sync_new(cri, &cri->sync, err)) < 0)
                return r;
        if (exits_open(cri, &why) < 0)
                log_warning("OOM kills are seen only when a container ends: %s", err_text(why));
        return 0;
}

int cri_new(uv_loop_t *loop, struct pool *pool, const struct cri_options *options, struct cri **ret_cri,
            struct err **err) {
        struct cri *cri = calloc(1, sizeof(*cri));
        int r;

        if (!cri)
                return err_set(err, ENOMEM, "out of memory");
        cri->loop = loop;
        cri->pool = pool;
        cri->arena = arena_new();
        if ((r = cri->arena && take_options(cri, options) >= 0 ? 0 : err_set(err, ENOMEM, "out of memory")) < 0 ||
            (r = open_all(cri, options, err)) < 0 || (r = cri_restore(cri, err)) < 0) {
                cri_free(cri);
                return r;
        }
        *ret_cri = cri;
        return 0;
}

/* With no sandbox left, the host gets back what held them: the agent's own, where nobody else has made anything. */
static void prune(struct cri *cri) {
        static const char *const own[] = { "kubepods/burstable", "kubepods/besteffort", "kubepods", "" };

        for (size_t i = 0; i < ELEMENTS(own) && cri->sandboxes.n == 0 && cri->cgroups; i++)
                cgroup_prune(cri->cgroups, own[i], NULL);
}

void cri_free(struct cri *cri) {
        if (!cri)
                return;
        prune(cri);
        while (cri->first_container)
                cri_container_remove(cri->first_container);
        while (cri->first_sandbox) {
                cri_sandbox_unwatch(cri->first_sandbox);
                cri_sandbox_remove(cri->first_sandbox);
        }
        exits_close(cri);
        handle_free(cri->ready_timer);
        sync_free(cri->sync);
        record_finish(cri);
        runtime_free(cri->runtime);
        network_free(cri->network);
        image_store_close(cri->images);
        cgroups_free(cri->cgroups);
        table_clear(&cri->sandboxes);
        table_clear(&cri->containers);
        table_clear(&cri->sandbox_names);
        table_clear(&cri->container_names);
        arena_free(cri->arena);
        free(cri);
}

static struct cri_sandbox *get_sandbox(struct cri *cri, const char *id) {
        struct cri_sandbox *sandbox = table_object(table_find(&cri->sandboxes, id), struct cri_sandbox, by_id);

        return sandbox && !sandbox->hidden ? sandbox : NULL;
}

static struct cri_container *get_container(struct cri *cri, const char *id) {
        return table_object(table_find(&cri->containers, id), struct cri_container, by_id);
}

/* Texts that a getter makes live until the next call of the same getter; the loop's thread is the only one. */
static void fill_sandbox(const struct cri_sandbox *sandbox, struct cri_sandbox_info *info) {
        static char netns[SANDBOX_PATH_MAX];
        const Cri__PodSandboxMetadata *metadata = sandbox->config->metadata;

        *info = (struct cri_sandbox_info){
                .id = sandbox->id,
                .name = metadata->name,
                .namespace_ = metadata->namespace_,
                .uid = metadata->uid,
                .attempt = metadata->attempt,
                .ready = sandbox->ready,
                .created_at = sandbox->record->created_at,
                .ips = sandbox->ips,
                .n_ips = sandbox->n_ips,
                .cgroup = sandbox->cgroup,
        };
        if (!cri_sandbox_host_network(sandbox))
                info->netns = sandbox_netns_path(sandbox->cri->runtime, sandbox->id, netns);
}

static const char *signal_name(int signal) {
        const ProtobufCEnumValue *value =
                protobuf_c_enum_descriptor_get_value(&cri__signal__descriptor, (int)signal_to_cri(signal));

        return value ? value->name : NULL;
}

static void fill_container(const struct cri_container *c, struct cri_container_info *info) {
        static char root[64], log_path[4096], layer[4096];
        const char *dir = c->sandbox->config->log_directory;

        *info = (struct cri_container_info){
                .id = c->id,
                .sandbox_id = c->sandbox->id,
                .name = c->config->metadata->name,
                .attempt = c->config->metadata->attempt,
                .state = cri_container_state(c),
                .created_at = c->record->created_at,
                .started_at = c->started_at,
                .reason = cri_container_reason(c),
                .message = c->message ? c->message : "",
                .image_ref = c->record->image_ref,
                .image_id = c->record->image_id,
                .log_path = log_path,
                .layer = layer,
                .cgroup = c->cgroup,
                .uid = c->record->uid,
                .gid = c->record->gid,
                .groups = c->record->groups,
                .n_groups = c->record->n_groups,
                .stop_signal = signal_name(c->record->stop_signal),
        };
        record_layer(c->sandbox->cri, c->id, layer, sizeof(layer));
        log_path[0] = '\0';
        if (!text_empty(c->config->log_path) && !text_empty(dir))
                snprintf(log_path, sizeof(log_path), "%s/%s", dir, c->config->log_path);
        if (c->phase == CRI_PHASE_RUNNING) {
                info->pid = c->pid;
                snprintf(root, sizeof(root), "/proc/%d/root", c->pid);
                info->root = root;
        } else if (c->phase == CRI_PHASE_EXITED) {
                info->finished_at = c->finished_at;
                info->exit_code = c->exit_code;
        }
}

int cri_sandbox_get(struct cri *cri, const char *id, struct cri_sandbox_info *ret_info) {
        struct cri_sandbox *sandbox = get_sandbox(cri, id);

        if (!sandbox)
                return -ENOENT;
        fill_sandbox(sandbox, ret_info);
        return 0;
}

int cri_container_get(struct cri *cri, const char *id, struct cri_container_info *ret_info) {
        struct cri_container *container = get_container(cri, id);

        if (!container)
                return -ENOENT;
        fill_container(container, ret_info);
        return 0;
}

void cri_each_used_image(struct cri *cri, void (*each)(void *data, const char *image_id), void *data) {
        for (const struct cri_container *c = cri->first_container; c; c = c->newer) {
                each(data, c->record->image_id);
                for (size_t i = 0; i < c->record->n_image_mounts; i++)
                        each(data, c->record->image_mounts[i]->image_id);
        }
}

struct network *cri_network(const struct cri *cri) {
        return cri->network;
}

struct tracer *cri_tracer(const struct cri *cri) {
        return cri->options.tracer;
}

const char *cri_sandbox_label(struct cri *cri, const char *id, const char *key) {
        struct cri_sandbox *sandbox = get_sandbox(cri, id);

        return sandbox ? MESSAGE_MAP_FIND(sandbox->config, labels, key) : NULL;
}

const char *cri_sandbox_annotation(struct cri *cri, const char *id, const char *key) {
        struct cri_sandbox *sandbox = get_sandbox(cri, id);

        return sandbox ? MESSAGE_MAP_FIND(sandbox->config, annotations, key) : NULL;
}

const char *cri_container_annotation(struct cri *cri, const char *id, const char *key) {
        struct cri_container *container = get_container(cri, id);

        return container ? MESSAGE_MAP_FIND(container->config, annotations, key) : NULL;
}

void cri_each_sandbox(struct cri *cri, bool (*each)(void *data, const struct cri_sandbox_info *info), void *data) {
        struct cri_sandbox_info info;

        for (const struct cri_sandbox *s = cri->first_sandbox; s; s = s->newer) {
                if (s->hidden)
                        continue;
                fill_sandbox(s, &info);
                if (!each(data, &info))
                        return;
        }
}

void cri_each_container(struct cri *cri, const char *sandbox_id,
                        bool (*each)(void *data, const struct cri_container_info *info), void *data) {
        const struct cri_sandbox *sandbox = sandbox_id ? get_sandbox(cri, sandbox_id) : NULL;
        const struct cri_container *c = sandbox ? sandbox->containers : sandbox_id ? NULL : cri->first_container;
        struct cri_container_info info;

        for (; c; c = sandbox_id ? c->next_in_sandbox : c->newer) {
                fill_container(c, &info);
                if (!each(data, &info))
                        return;
        }
}

void cri_get_counters(const struct cri *cri, struct cri_counters *ret_counters) {
        *ret_counters = cri->counters;
        ret_counters->sandboxes = (unsigned)cri->sandboxes.n;
        ret_counters->containers = (unsigned)cri->containers.n;
        for (const struct cri_sandbox *s = cri->first_sandbox; s; s = s->newer)
                ret_counters->ready += s->ready;
        for (const struct cri_container *c = cri->first_container; c; c = c->newer) {
                ret_counters->created += c->phase == CRI_PHASE_CREATED || c->phase == CRI_PHASE_STARTING;
                ret_counters->running += c->phase == CRI_PHASE_RUNNING;
        }
}
