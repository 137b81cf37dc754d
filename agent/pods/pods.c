#include "agent/pods/pods.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "agent/cluster/cluster.h"
#include "agent/config/options.h"
#include "agent/container/log_links.h"
#include "agent/directory/source.h"
#include "agent/eviction/eviction.h"
#include "agent/node/events.h"
#include "agent/objects/objects.h"
#include "agent/pod/files.h"
#include "agent/pods/internal.h"
#include "agent/shutdown/shutdown.h"
#include "cgroups/cgroup.h"
#include "cri/state/events.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/log.h"

static int make_eviction(struct pods *pods, struct err **err) {
        const struct eviction_world world = {
                .loop = pods->loop,
                .pool = pods->pool,
                .cri = pods->cri,
                .options = pods->options,
                .cgroups = pods->cgroups,
                .events = pods->node.world.events,
                .data = pods,
                .now = pods_now,
                .each_worker = pods_each_worker,
        };

        return eviction_new(&world, &pods->eviction, err);
}

/* What pods may ask for: the node without what is reserved of it; of memory, what is no huge pages. */
static void take_reserved(struct pods *pods) {
        const struct eviction_settings *s = &pods->options->eviction;
        struct node_huge_pages huge[NODE_HUGE_SIZES_MAX];
        unsigned n = node_huge_pages_read(NODE_HUGE_PAGES, huge);

        for (unsigned i = 0; i < n; i++)
                pods->facts.memory_bytes -= huge[i].all_bytes;

        pods->facts.cpu_milli -= eviction_reserved(s, RESERVED_CPU);
        pods->facts.memory_bytes -= eviction_reserved(s, RESERVED_MEMORY);
        pods->facts.disk_bytes -= eviction_reserved(s, RESERVED_STORAGE);
}

static int make_cgroups(struct pods *pods, struct err **err) {
        struct pod_files_root root = { .cpu_milli = pods->facts.cpu_milli -
                                                    eviction_reserved(&pods->options->eviction, RESERVED_CPU) };
        int r;

        if ((r = cgroups_open(pods->options->cgroup_root, &pods->cgroups, err)) < 0)
                return r;
        pods->node.world.cgroups = pods->cgroups;
        eviction_pods_limits(pods->options, pods->node.world.memory_bytes, &root.pids_max, &root.memory_max);
        if ((r = pod_files_make_root(pods->cgroups, pods->options, &root, err)) < 0)
                return err_wrap(err, r, "cannot make the cgroup of all pods");
        return 0;
}

static int make_parts(struct pods *pods, struct err **err) {
        struct events *events = events_new(pods->options->node_name);
        int r;

        pods_set_world(pods, events);
        pods->settle = handle_timer(pods->loop, pods);
        pods->retry = handle_timer(pods->loop, pods);
        pods->look = handle_timer(pods->loop, pods);
        if (!events || !pods->settle || !pods->retry || !pods->look)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = make_cgroups(pods, err)) < 0 || (r = make_eviction(pods, err)) < 0)
                return r;
        if ((r = cri_subscribe(pods->cri, pods_heard, pods, &pods->subscription)) < 0)
                return err_errno(err, -r, "cannot hear cri's events");
        return 0;
}

int pods_new(uv_loop_t *loop, struct pool *pool, struct cri *cri, const struct options *options, struct pods **ret_pods,
             struct err **err) {
        struct pods *pods = calloc(1, sizeof(*pods));
        _cleanup_err_ struct err *missing = NULL;
        struct timespec wall;
        int r;

        if (!pods)
                return err_set(err, ENOMEM, "out of memory");
        clock_gettime(CLOCK_REALTIME, &wall);
        pods->loop = loop;
        pods->pool = pool;
        pods->cri = cri;
        pods->options = options;
        pods->clock_base = wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - (int64_t)(uv_hrtime() / 1000000);
        pods->told = (struct cri_node){ pods_tell, pods };
        node_facts_read(options->node_ip, options->root_dir, &pods->facts);
        if ((r = make_parts(pods, err)) < 0) {
                pods_free(pods);
                return r;
        }
        if ((r = pods_join(pods, err)) < 0) {
                pods_free(pods);
                return r;
        }
        take_reserved(pods);
        if (log_links_prepare(options->pod_logs_dir, &missing) < 0)
                log_warning("%s; there will be no links to containers' logs", err_text(missing));
        if ((r = found_pods_read(cri, options, &pods->found)) < 0) {
                pods_free(pods);
                return err_set(err, -r, "cannot read what there is of pods from before: out of memory");
        }
        if ((r = pods_begin_grants(pods, err)) < 0) {
                pods_free(pods);
                return r;
        }
        found_pods_sweep_cgroups(cri, pods->cgroups, options->cgroup_root, &pods->found);
        *ret_pods = pods;
        return 0;
}

void pods_start(struct pods *pods) {
        _cleanup_err_ struct err *unwatched = NULL, *unwaited = NULL;

        cri_set_node(pods->cri, &pods->told);
        pods_keep_joined(pods);
        if (pods_watch(pods, &unwatched) < 0)
                log_error("%s", err_text(unwatched));
        eviction_start(pods->eviction);
        if (pods_await_shutdown(pods, &unwaited) < 0)
                log_error("shutdown: %s", err_text(unwaited));
        if (pods->objects)
                objects_start(pods->objects);
        if (pods->cluster && cluster_start(pods->cluster) < 0)
                log_error("the node does not join the cluster: out of memory");
}

void pods_stop(struct pods *pods) {
        if (!pods || pods->leaving)
                return;
        pods->leaving = true;
        eviction_stop(pods->eviction);
        shutdown_free(pods->shutdown);
        pods->shutdown = NULL;
        cri_set_node(pods->cri, NULL);
        if (pods->settle)
                uv_timer_stop(pods->settle);
        if (pods->retry)
                uv_timer_stop(pods->retry);
        if (pods->look)
                uv_timer_stop(pods->look);
        objects_free(pods->objects);
        pods->objects = NULL;
        cluster_free(pods->cluster);
        pods->cluster = NULL;
        source_free(pods->source);
        pods_end_grants(pods);
        cri_unsubscribe(pods->subscription);
        LIST_EACH (pods_slots, slot, &pods->slots)
                pods_slot_drop(slot);
}

void pods_free(struct pods *pods) {
        if (!pods)
                return;
        pods_stop(pods);
        table_clear(&pods->slots_by_uid);
        eviction_free(pods->eviction);
        desired_clear(&pods->desired);
        manifest_broken_clear(&pods->broken);
        handle_free(pods->settle);
        handle_free(pods->retry);
        handle_free(pods->look);
        found_pods_clear(&pods->found);
        events_free(pods->node.world.events);
        arena_free(pods->runtime.images_arena);
        arena_free(pods->runtime.handlers_arena);
        cgroups_free(pods->cgroups);
        free(pods);
}
