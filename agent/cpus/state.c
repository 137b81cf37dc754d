/* The file cpu_manager_state as kubelet writes it (cpumanager/state/checkpoint.go, version 2): a kubelet may go on with
 * it, and people look into it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cpus/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

static const char *policy_name(const struct cpus *cpus) {
        return cpus->is_static ? "static" : "none";
}

/* -- checksum ---------------------------------------------------------------------------------------------- */

/* FNV-1a over the structure as Go's spew prints it. */
struct sum {
        uint32_t hash;
};

static void add(struct sum *sum, const char *text) {
        for (const char *p = text; *p; p++)
                sum->hash = (sum->hash ^ (unsigned char)*p) * 16777619u;
}

static uint32_t checksum(const struct cpus *cpus, const char *type, char *text) {
        struct sum sum = { 2166136261u };
        const char *uid = NULL;

        add(&sum, "(*state.");
        add(&sum, type);
        add(&sum, "){PolicyName:(string)");
        add(&sum, policy_name(cpus));
        add(&sum, " DefaultCPUSet:(string)");
        add(&sum, cpus_set_format(&cpus->shared, text));
        add(&sum, " Entries:(map[string]map[string]string)map[");
        LIST_EACH (assignments, a, &cpus->assignments) {
                bool same = uid && strcmp(uid, a->uid) == 0;

                if (!same) {
                        add(&sum, uid ? "] " : "");
                        add(&sum, a->uid);
                        add(&sum, ":map[");
                }
                add(&sum, same ? " " : "");
                add(&sum, a->container);
                add(&sum, ":");
                add(&sum, cpus_set_format(&a->set, text));
                uid = a->uid;
        }
        add(&sum, uid ? "]" : "");
        add(&sum, "] Checksum:(checksum.Checksum)0}");
        return sum.hash;
}

/* -- write ------------------------------------------------------------------------------------------------- */

static void write_entries(const struct cpus *cpus, struct json_writer *w, char *text) {
        const char *uid = NULL;

        json_key(w, "entries");
        json_begin_map(w);
        LIST_EACH (assignments, a, &cpus->assignments) {
                if (!uid || strcmp(uid, a->uid) != 0) {
                        if (uid)
                                json_end_map(w);
                        json_key(w, a->uid);
                        json_begin_map(w);
                        uid = a->uid;
                }
                json_add_string(w, a->container, cpus_set_format(&a->set, text));
        }
        json_end_map(w);
        json_end_map(w);
}

int cpus_state_pack(void *data, void **ret_bytes, size_t *ret_size) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = malloc(CPUS_SET_TEXT_MAX);
        const struct cpus *cpus = data;
        char *bytes = NULL;

        if (!text)
                return -ENOMEM;
        json_begin_map(&w);
        json_add_string(&w, "policyName", policy_name(cpus));
        json_add_string(&w, "defaultCpuSet", cpus_set_format(&cpus->shared, text));
        if (assignments_first(&cpus->assignments))
                write_entries(cpus, &w, text);
        json_key(&w, "checksum");
        json_uint(&w, checksum(cpus, "CPUManagerCheckpoint", text));
        json_end_map(&w);
        if (json_writer_finish(&w, &bytes, ret_size) < 0)
                return -ENOMEM;
        *ret_bytes = bytes;
        return 0;
}

/* -- read -------------------------------------------------------------------------------------------------- */

static int add_entries(struct cpus *cpus, const struct value *entries, struct err **err) {
        for (uint32_t i = 0; entries && i < value_count(entries); i++) {
                const struct value_member *pod = &entries->members[i];

                if (!value_is(&pod->value, VALUE_MAP))
                        return err_set(err, EINVAL, "line %u: entries.%s: is no map", pod->line, pod->key);
                for (uint32_t k = 0; k < value_count(&pod->value); k++) {
                        const struct value_member *one = &pod->value.members[k];
                        struct cpus_set set;
                        int r = cpus_set_parse(value_string_or(&one->value, "?"), &set, err);

                        if (r < 0)
                                return err_wrap(err, r, "could not parse cpuset for container \"%s\" in pod \"%s\"",
                                                one->key, pod->key);
                        if (assignment_add(cpus, pod->key, one->key, &set) < 0)
                                return err_set(err, ENOMEM, "out of memory");
                }
        }
        return 0;
}

/* No checksum is no error: older files have none. */
static int check_sum(const struct cpus *cpus, const struct value *state, struct err **err) {
        _cleanup_free_ char *text = malloc(CPUS_SET_TEXT_MAX);
        int64_t said = 0;

        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        value_integer(value_get(state, "checksum"), &said);
        if (!said || said == checksum(cpus, "CPUManagerCheckpoint", text) ||
            said == checksum(cpus, "CPUManagerCheckpointV2", text))
                return 0;
        return err_set(err, EINVAL, "checkpoint is corrupted");
}

/* -EPERM: it is another policy's. -EINVAL: it is broken. */
static int take(struct cpus *cpus, const struct value *state, struct err **err) {
        const char *policy = value_string_or(value_get(state, "policyName"), "");
        const struct value *entries = value_get(state, "entries");
        int r;

        if (!value_is(state, VALUE_MAP) || !*policy || (entries && !value_is(entries, VALUE_MAP)))
                return err_set(err, EINVAL, "is no such state");
        if (strcmp(policy, policy_name(cpus)) != 0)
                return err_set(err, EPERM, "configured policy \"%s\" differs from state checkpoint policy \"%.100s\"",
                               policy_name(cpus), policy);
        if ((r = cpus_set_parse(value_string_or(value_get(state, "defaultCpuSet"), ""), &cpus->shared, err)) < 0)
                return err_wrap(err, r, "could not parse default cpu set");
        if ((r = add_entries(cpus, entries, err)) < 0)
                return r;
        return check_sum(cpus, state, err);
}

/* What runs on CPUs of its own is given some anew when it is taken up. */
static int set_aside(struct cpus *cpus, const struct err *why, struct err **err) {
        _cleanup_free_ char *aside = NULL;

        if (asprintf(&aside, "%s.broken", cpus->state) < 0) {
                aside = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        if (rename(cpus->state, aside) < 0)
                return err_errno(err, errno, "%s is broken, and cannot be renamed", cpus->state);
        log_warning("CPU manager: %s: %s; it is %s now, and containers are given their CPUs anew", cpus->state,
                    err_text(why), aside);
        LIST_EACH (assignments, a, &cpus->assignments)
                assignment_free(a);
        cpus->shared = (struct cpus_set){ 0 };
        cpus->fresh = true;
        return 0;
}

static int read_all(struct cpus *cpus, struct arena *arena, struct err **why) {
        _cleanup_free_ char *text = NULL;
        const struct value *state;
        size_t size = 0;
        int r;

        if ((r = files_read(cpus->state, CPUS_STATE_MAX, &text, &size, why)) < 0 ||
            (r = json_parse(arena, text, size, NULL, &state, why)) < 0)
                return r;
        return take(cpus, state, why);
}

int cpus_state_read(struct cpus *cpus, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *why = NULL;
        int r = arena ? read_all(cpus, arena, &why) : -ENOMEM;

        cpus->fresh = r == -ENOENT;
        if (r == 0 || cpus->fresh)
                return 0;
        if (r == -ENOMEM)
                return err_set(err, ENOMEM, "out of memory");
        if (r != -EPERM)
                return set_aside(cpus, why, err);
        return err_set(err, EINVAL,
                       "could not restore state from checkpoint: %s, please drain this node and delete %s before "
                       "starting the agent again",
                       err_text(why), cpus->state);
}
