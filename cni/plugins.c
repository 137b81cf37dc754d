#include "cni/plugins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni/capabilities.h"
#include "cni/conflist.h"
#include "cni/netns.h"
#include "cni/plugin.h"
#include "cni/plugin_record.h"
#include "cni/plugin_result.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define POD_INTERFACE "eth0"

/* One call of one plugin: what of it differs. */
struct step {
        const struct plugins_options *options;
        const struct conflist *conflist;
        size_t plugin;
        const char *command;
        const struct plugin_record *record; /* NULL: about no sandbox */
        const struct value *previous;       /* prevResult; NULL: none */
        const char *const *valid;           /* ids for GC */
        size_t n_valid;
};

/* The keys that the runtime sets; what the configuration has of that name does not go to the plugin. */
static bool is_runtimes(const char *key) {
        static const char *const keys[] = { "name",          "cniVersion",   "cniVersions", "prevResult",
                                            "runtimeConfig", "capabilities", "plugins" };

        for (size_t i = 0; i < ELEMENTS(keys); i++)
                if (strcmp(keys[i], key) == 0)
                        return true;
        return false;
}

/* Of what the sandbox asks for, what the plugin says it can do. */
static void write_runtime_config(struct json_writer *w, const struct value *plugin, const struct value *capabilities) {
        const struct value *can = value_get(plugin, "capabilities");
        bool any = false;

        for (uint32_t i = 0; i < value_count(capabilities); i++) {
                const struct value_member *member = &capabilities->members[i];

                if (!value_bool_or(value_get(can, member->key), false))
                        continue;
                if (!any) {
                        json_key(w, "runtimeConfig");
                        json_begin_map(w);
                }
                any = true;
                json_key(w, member->key);
                json_value(w, &member->value);
        }
        if (any)
                json_end_map(w);
}

static void write_valid(struct json_writer *w, const struct step *step) {
        json_key(w, "cni.dev/valid-attachments");
        json_begin_list(w);
        for (size_t i = 0; i < step->n_valid; i++) {
                json_begin_map(w);
                json_add_string(w, "containerID", step->valid[i]);
                json_add_string(w, "ifname", POD_INTERFACE);
                json_end_map(w);
        }
        json_end_list(w);
}

static int make_config(const struct step *step, char **ret_text) {
        const struct value *plugin = step->conflist->plugins[step->plugin];
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        json_begin_map(&w);
        json_add_string(&w, "cniVersion", cni_version_text(step->conflist->version));
        json_add_string(&w, "name", step->conflist->name);
        for (uint32_t i = 0; i < value_count(plugin); i++) {
                if (is_runtimes(plugin->members[i].key))
                        continue;
                json_key(&w, plugin->members[i].key);
                json_value(&w, &plugin->members[i].value);
        }
        if (step->record)
                write_runtime_config(&w, plugin, step->record->capabilities);
        if (step->previous) {
                json_key(&w, "prevResult");
                json_value(&w, step->previous);
        }
        if (step->valid)
                write_valid(&w, step);
        json_end_map(&w);
        return json_writer_finish(&w, ret_text, NULL);
}

/* Runs the step; its answer is parsed into @arena when @ret_answer is not NULL and it wrote one. */
static int run(const struct step *step, struct arena *arena, const struct value **ret_answer, struct err **err) {
        const struct plugin_record *record = step->record;
        struct plugin_call call = { .type = cni_conflist_type(step->conflist, step->plugin),
                                    .bin_dirs = step->options->bin_dirs,
                                    .command = step->command,
                                    .timeout_ms = step->options->timeout_ms };
        _cleanup_free_ char *config = NULL, *output = NULL;
        size_t length;
        int r = make_config(step, &config);

        if (r < 0)
                return err_errno(err, -r, "CNI plugin %s", call.type);
        call.config = config;
        if (record) {
                call.container_id = record->id;
                call.netns = record->netns;
                call.interface = record->interface;
                call.arguments = record->arguments;
        }
        r = cni_plugin_run(&call, &output, &length, err);
        if (r < 0 || !ret_answer)
                return r;
        r = json_parse(arena, output, length, NULL, ret_answer, err);
        return r < 0 ? err_wrap(err, r, "CNI plugin %s: answer to %s", call.type, call.command) : r;
}

int cni_plugins_validate(const struct plugins_options *options, const struct conflist *conflist, struct err **err) {
        const char *version = cni_version_text(conflist->version);

        for (size_t i = 0; i < conflist->n_plugins; i++) {
                struct step step = { .options = options, .conflist = conflist, .plugin = i, .command = "VERSION" };
                _cleanup_arena_ struct arena *arena = arena_new();
                const struct value *answer;
                int r = arena ? run(&step, arena, &answer, err) : err_errno(err, ENOMEM, "CNI plugins");

                if (r < 0 || (!value_has_text(value_get(answer, "supportedVersions"), version) &&
                              (r = err_set(err, EPROTONOSUPPORT, "CNI plugin %s does not support version %s",
                                           cni_conflist_type(conflist, i), version)) < 0))
                        return err_wrap(err, r, "%s", conflist->path);
        }
        return 0;
}

int cni_plugins_status(const struct plugins_options *options, const struct conflist *conflist, struct err **err) {
        int r = 0;

        for (size_t i = 0; i < conflist->n_plugins && conflist->version >= CNI_1_1_0 && r == 0; i++) {
                struct step step = { .options = options, .conflist = conflist, .plugin = i, .command = "STATUS" };

                r = run(&step, NULL, NULL, err);
        }
        return r;
}

bool cni_plugins_have(const struct plugins_options *options, const char *id) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s.json", options->cache_dir, id);
        return access(path, F_OK) == 0;
}

/* DEL backwards through the list; goes on after a failure and returns the first. */
static int delete_all(const struct plugins_options *options, const struct plugin_record *record, struct err **err) {
        const struct conflist *conflist = record->conflist;
        int result = 0;

        for (size_t i = conflist->n_plugins; i-- > 0;) {
                struct step step = { .options = options,
                                     .conflist = conflist,
                                     .plugin = i,
                                     .command = "DEL",
                                     .record = record,
                                     .previous = conflist->version >= CNI_0_4_0 ? record->result : NULL };
                int r = run(&step, NULL, NULL, result < 0 ? NULL : err);

                if (result == 0)
                        result = r;
        }
        return result;
}

static int add_all(const struct plugins_options *options, struct plugin_record *record, struct arena *arena,
                   struct err **err) {
        const struct value *previous = NULL;

        for (size_t i = 0; i < record->conflist->n_plugins; i++) {
                struct step step = { .options = options,
                                     .conflist = record->conflist,
                                     .plugin = i,
                                     .command = "ADD",
                                     .record = record,
                                     .previous = previous };
                int r = run(&step, arena, &previous, err);

                if (r < 0)
                        return r;
        }
        record->result = previous;
        return 0;
}

static int complete(const struct plugins_options *options, struct plugin_record *record, struct arena *arena,
                    struct network_result *ret_result, struct err **err) {
        struct network_result result;
        int r = add_all(options, record, arena, err);

        if (r < 0)
                return r;
        r = cni_plugin_result_read(record->result, record->conflist->version, record->interface, &result, err);
        if (r < 0 || (r = cni_plugin_record_write(options->cache_dir, record, err)) < 0)
                return r;
        *ret_result = result;
        return 0;
}

static const char *make_arguments(const struct network_request *request, struct arena *arena) {
        return arena_printf(arena,
                            "IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_INFRA_CONTAINER_ID=%s;"
                            "K8S_POD_UID=%s",
                            request->pod_namespace ? request->pod_namespace : "",
                            request->pod_name ? request->pod_name : "", request->id,
                            request->pod_uid ? request->pod_uid : "");
}

/* Plugins leave lo to the runtime. */
static int loopback(const char *netns, struct err **err) {
        _cleanup_close_ int fd = -EBADF;
        int r = cni_netns_open(netns, &fd, err);

        return r < 0 ? r : cni_netns_loopback_up(fd, err);
}

int cni_plugins_add(const struct plugins_options *options, const struct conflist *conflist,
                    const struct network_request *request, struct network_result *ret_result, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct plugin_record record = { .id = request->id,
                                        .netns = request->netns,
                                        .interface = POD_INTERFACE,
                                        .conflist = (struct conflist *)conflist };
        int r;

        if (cni_plugins_have(options, request->id))
                return err_set(err, EEXIST, "the sandbox has a CNI network already");
        r = loopback(request->netns, err);
        if (r < 0)
                return r;
        record.arguments = arena ? make_arguments(request, arena) : NULL;
        if (!record.arguments || cni_capabilities_make(request, arena, &record.capabilities) < 0)
                return err_errno(err, ENOMEM, "CNI network");
        r = cni_plugin_record_write(options->cache_dir, &record, err);
        if (r < 0)
                return r;
        r = complete(options, &record, arena, ret_result, err);
        if (r < 0) {
                _cleanup_err_ struct err *error = NULL;

                /* What cannot be deleted stays recorded: the sandbox's end or the next sweep tries again. */
                if (delete_all(options, &record, &error) == 0)
                        cni_plugin_record_remove(options->cache_dir, record.id, NULL);
                else
                        log_warning("network of sandbox %s: after a failed ADD: %s", record.id, err_text(error));
        }
        return r;
}

int cni_plugins_check(const struct plugins_options *options, const char *id, const char *netns, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_conflist_ struct conflist *conflist = NULL;
        struct plugin_record record;
        int r = arena ? cni_plugin_record_read(options->cache_dir, id, arena, &record, err) :
                        err_errno(err, ENOMEM, "CNI network");

        if (r < 0)
                return r;
        conflist = record.conflist;
        if (!record.result)
                return err_set(err, ENOTCONN, "the sandbox's CNI network was not completed");
        if (netns)
                record.netns = netns;
        for (size_t i = 0; i < conflist->n_plugins && r == 0; i++) {
                struct step step = { .options = options,
                                     .conflist = conflist,
                                     .plugin = i,
                                     .command = "CHECK",
                                     .record = &record,
                                     .previous = record.result };

                if (conflist->version >= CNI_0_4_0 && !conflist->disable_check)
                        r = run(&step, NULL, NULL, err);
        }
        return r;
}

int cni_plugins_delete(const struct plugins_options *options, const struct conflist *conflist, const char *id,
                       const char *netns, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_conflist_ struct conflist *own = NULL;
        _cleanup_err_ struct err *why = NULL;
        struct plugin_record record;
        int r;

        if (!arena)
                return err_errno(err, ENOMEM, "CNI network");
        r = cni_plugin_record_read(options->cache_dir, id, arena, &record, &why);
        if (r == -ENOENT)
                return 0;
        own = r == 0 ? record.conflist : NULL;
        if (r < 0) {
                log_warning("network of sandbox %s: %s; deleted by the configuration of now", id, err_text(why));
                record = (struct plugin_record){ .id = id,
                                                 .netns = "",
                                                 .interface = POD_INTERFACE,
                                                 .arguments = "IgnoreUnknown=1",
                                                 .conflist = (struct conflist *)conflist };
        }
        if (netns)
                record.netns = netns;
        /* A namespace that is gone is told as none: plugins then clean up what lies outside of it. */
        if (record.netns[0] && access(record.netns, F_OK) < 0)
                record.netns = "";
        r = record.conflist ? delete_all(options, &record, err) : 0;
        return r < 0 ? r : cni_plugin_record_remove(options->cache_dir, id, err);
}

struct retain {
        const struct plugins_options *options;
        const struct conflist *conflist;
        const struct plugins_live *live;
        int result;
        struct err **err;
};

static int retain_one(const char *id, void *data) {
        struct retain *retain = data;
        int r;

        if (retain->live->has(id, retain->live->data))
                return 0;
        log_info("network: CNI attachment of %s belongs to no sandbox; deleted", id);
        r = cni_plugins_delete(retain->options, retain->conflist, id, NULL, retain->result < 0 ? NULL : retain->err);
        if (retain->result == 0)
                retain->result = r;
        return 0;
}

/* Where libcni, which other runtimes call, keeps what it attached: NETWORK-CONTAINER-INTERFACE. */
#define LIBCNI_RESULTS "/var/lib/cni/results"

static bool others_attached(const char *network) {
        _cleanup_closedir_ DIR *dir = opendir(LIBCNI_RESULTS);
        size_t n = strlen(network);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strncmp(entry->d_name, network, n) == 0 && entry->d_name[n] == '-')
                        return true;
        return false;
}

int cni_plugins_retain(const struct plugins_options *options, const struct conflist *conflist,
                       const struct plugins_live *live, struct err **err) {
        static const char *const none[] = { NULL };
        struct retain retain = { .options = options, .conflist = conflist, .live = live, .err = err };
        int r = cni_plugin_record_for_each(options->cache_dir, retain_one, &retain, err);

        if (r < 0 && retain.result == 0)
                retain.result = r;
        if (!conflist || conflist->version < CNI_1_1_0 || conflist->disable_gc || options->shared ||
            others_attached(conflist->name))
                return retain.result;
        for (size_t i = 0; i < conflist->n_plugins; i++) {
                struct step step = { .options = options,
                                     .conflist = conflist,
                                     .plugin = i,
                                     .command = "GC",
                                     .valid = live->n > 0 ? live->ids : none,
                                     .n_valid = live->n };

                r = run(&step, NULL, NULL, retain.result < 0 ? NULL : err);
                if (retain.result == 0)
                        retain.result = r;
        }
        return retain.result;
}
