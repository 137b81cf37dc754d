/* Which CPUs the agent's static policy gives to pods: the answers of tests/conformance/kubelet_cpus, to the same lines,
 * for tests/conformance/test_cpus_as_kubelet.py. The one argument is a directory for the state's file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "agent/cpus/cpus.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/pool.h"
#include "lib/value.h"

static uv_loop_t loop;
static struct pool *pool;
static uint64_t written;
static char state_file[512];

static void on_written(void *data, uint64_t generation, const struct err *err) {
        if (err) {
                fprintf(stderr, "%s\n", err_text(err));
                exit(1);
        }
        written = generation;
}

static int64_t number(const struct value *value) {
        int64_t n = 0;

        value_integer(value, &n);
        return n;
}

/* -- the host ---------------------------------------------------------------------------------------------- */

static void read_topology(const struct value *cpus, struct cpus_topology *t) {
        static const enum cpus_level levels[] = { CPUS_NUMA, CPUS_SOCKET, CPUS_CORE, CPUS_UNCORE };

        memset(t, 0, sizeof(*t));
        for (uint32_t i = 0; i < value_count(cpus); i++) {
                const struct value *row = value_at(cpus, i);
                int cpu = (int)number(value_at(row, 0));

                cpus_set_add(&t->all, cpu);
                for (uint32_t k = 0; k < ELEMENTS(levels); k++)
                        t->of[cpu][levels[k]] = (int)number(value_at(row, k + 1));
        }
        cpus_topology_count(t);
}

static const char *list_of(struct arena *arena, const struct value *numbers) {
        const char *text = NULL;

        for (uint32_t i = 0; i < value_count(numbers); i++)
                text = arena_printf(arena, "%s%s%lld", text ?: "", text ? "," : "",
                                    (long long)number(value_at(numbers, i)));
        return text;
}

static const char *options_of(struct arena *arena, const struct value *options) {
        const char *text = "";

        for (uint32_t i = 0; options && i < value_count(options); i++)
                text = arena_printf(arena, "%s%s%s=%s", text, *text ? "," : "", options->members[i].key,
                                    value_string(&options->members[i].value));
        return text;
}

/* -- its pods ---------------------------------------------------------------------------------------------- */

static void add_container(struct arena *arena, struct kube_container *c, const char *name, int64_t cpus, bool sidecar) {
        struct resource_amount *amounts = arena_alloc_array(arena, 2, sizeof(*amounts));

        amounts[0] = (struct resource_amount){ "cpu", quantity_from_milli(cpus ? cpus * 1000 : 500) };
        amounts[1] = (struct resource_amount){ "memory", quantity_from_units(1 << 30, QUANTITY_BINARY) };
        c->name = name;
        c->resources.requests = c->resources.limits = (resource_list){ amounts, 2 };
        if (sidecar)
                c->restart_policy = "Always";
}

static void fill_pod(struct arena *arena, const struct value *step, struct pod *pod) {
        const struct value *init = value_get(step, "init"), *containers = value_get(step, "main");
        kube_container_items *inits = &pod->spec.init_containers, *mains = &pod->spec.containers;

        pod->metadata.uid = value_string(value_get(step, "pod"));
        inits->count = init ? value_count(init) : 0;
        inits->items = arena_alloc_array(arena, inits->count + 1, sizeof(*inits->items));
        mains->count = value_count(containers);
        mains->items = arena_alloc_array(arena, mains->count + 1, sizeof(*mains->items));
        for (uint32_t i = 0; i < inits->count; i++)
                add_container(arena, &inits->items[i], arena_printf(arena, "i%u", i),
                              number(value_at(value_at(init, i), 0)), number(value_at(value_at(init, i), 1)));
        for (uint32_t i = 0; i < mains->count; i++)
                add_container(arena, &mains->items[i], arena_printf(arena, "c%u", i), number(value_at(containers, i)),
                              false);
}

static void write_sets(struct json_writer *w, const struct cpus *cpus, const struct value *steps, uint32_t n) {
        char *text = malloc(CPUS_SET_TEXT_MAX), key[256];

        json_add_string(w, "shared", cpus_set_format(cpus_shared(cpus), text));
        json_key(w, "sets");
        json_begin_map(w);
        for (uint32_t i = 0; i <= n; i++) {
                const char *uid = value_string(value_get(value_at(steps, i), "pod"));

                for (int c = 0; uid && c < 32; c++) {
                        const struct cpus_set *set;
                        char name[16];

                        snprintf(name, sizeof(name), "%c%d", c < 16 ? 'i' : 'c', c % 16);
                        snprintf(key, sizeof(key), "%s/%s", uid, name);
                        if ((set = cpus_exclusive(cpus, uid, name)))
                                json_add_string(w, key, cpus_set_format(set, text));
                }
        }
        json_end_map(w);
        free(text);
}

static void run_step(struct arena *arena, struct cpus *cpus, const struct value *step, struct json_writer *w,
                     uint64_t *generation) {
        const char *gone = value_string(value_get(step, "remove")), *reason;
        _cleanup_err_ struct err *err = NULL;
        struct pod pod = { .arena = arena };

        if (gone)
                *generation += cpus_release(cpus, gone); /* each change is one more */
        else {
                fill_pod(arena, step, &pod);
                cpus_allocate(cpus, &pod, generation, &reason, &err);
        }
        json_add_string(w, "error", err ? err_text(err) : "");
}

static void write_state(struct json_writer *w, uint64_t generation) {
        _cleanup_free_ char *text = NULL;

        while (written < generation)
                uv_run(&loop, UV_RUN_ONCE);
        files_read(state_file, CPUS_STATE_MAX, &text, NULL, NULL);
        json_add_string(w, "state", text ?: "");
}

static void run_host(struct arena *arena, const struct value *host, struct json_writer *w) {
        const struct value *steps = value_get(host, "steps");
        const struct cpus_world world = { pool, on_written, NULL };
        struct cpus_topology *topology = malloc(sizeof(*topology));
        const struct cpus_options options = {
                .policy = "static",
                .policy_options = options_of(arena, value_get(host, "options")),
                .reserved = list_of(arena, value_get(host, "reserved")),
                .reserved_milli = number(value_get(host, "count")) * 1000,
                .state = state_file,
                .topology = topology,
        };
        _cleanup_err_ struct err *err = NULL;
        uint64_t generation = 0;
        struct cpus *cpus;

        unlink(state_file);
        written = 0;
        read_topology(value_get(host, "cpus"), topology);
        if (cpus_new(&options, &world, &cpus, &err) < 0) {
                json_add_string(w, "error", err_text(err));
                free(topology);
                return;
        }
        json_key(w, "steps");
        json_begin_list(w);
        for (uint32_t i = 0; i < value_count(steps); i++) {
                json_begin_map(w);
                run_step(arena, cpus, value_at(steps, i), w, &generation);
                write_sets(w, cpus, steps, i);
                json_end_map(w);
        }
        json_end_list(w);
        if (value_bool_or(value_get(host, "state"), false))
                write_state(w, generation);
        while (written < generation)
                uv_run(&loop, UV_RUN_ONCE);
        cpus_free(cpus);
        free(topology);
}

static int answer(const char *line) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        _cleanup_err_ struct err *err = NULL;
        const struct value *host;

        if (json_parse(arena, line, strlen(line), NULL, &host, &err) < 0) {
                fprintf(stderr, "%s\n", err_text(err));
                return 1;
        }
        json_begin_map(&w);
        run_host(arena, host, &w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, NULL) == 0)
                puts(text);
        return 0;
}

int main(int argc, char **argv) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r = argc == 2 ? 0 : 2;

        snprintf(state_file, sizeof(state_file), "%s/cpu_manager_state", r == 0 ? argv[1] : ".");
        uv_loop_init(&loop);
        if (r == 0 && pool_new(&loop, &pool) < 0)
                r = 1;
        while (r == 0 && getline(&line, &size, stdin) > 0)
                r = answer(line);
        if (pool)
                pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        return r;
}
