#include "agent/pod/pods.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admission/admission.h"
#include "agent/directory/desired.h"
#include "agent/node/endpoint.h"
#include "agent/node/events.h"
#include "agent/eviction/eviction.h"
#include "agent/pod/log_links.h"
#include "agent/directory/manifest_files.h"
#include "agent/node/metrics.h"
#include "agent/node/facts.h"
#include "agent/pod/files.h"
#include "agent/pod/found.h"
#include "agent/directory/source.h"
#include "agent/volumes/tree.h"
#include "agent/pod/worker.h"
#include "cgroups/cgroup.h"
#include "cri/cri.h"
#include "cri/state/events.h"
#include "cri/node.h"
#include "kube/pod.h"
#include "kube/problem.h"
#include "kube/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/pool.h"

/* How long a second file for a pod may be there without a word, and a file away before its pod is another's. */
#define SETTLE_MS 300

/* A pod that has a worker. */
struct slot {
        struct pods *pods;
        struct slot *next;
        struct worker *worker;
        uv_timer_t timer;
        bool gone;
};

struct pods {
        uv_loop_t *loop;
        struct pool *pool;
        struct cri *cri;
        const struct options *options;
        struct cgroups *cgroups;
        struct worker_ops ops;
        struct worker_node node;
        struct node_facts facts;
        int64_t clock_base; /* wall minus monotonic time at the start, ms */
        struct cri_subscription *subscription;
        struct eviction *eviction;
        struct source *source;
        struct endpoint *endpoint;
        struct desired_pods desired;
        struct broken_files broken;
        struct cri_node told; /* to the command */
        uv_timer_t *settle;   /* until duplicates are told */
        struct slot *slots;
        struct found_pods found;
        bool synced, leaving;
};

static void reconcile(struct pods *pods);

/* -- what workers reach ------------------------------------------------------------------------------------ */

static void op_call_cri(void *data, enum cri_method method, const ProtobufCMessage *request,
                        const struct trace_parent *parent, cri_done_fn done, void *done_data) {
        cri_call_traced(((struct pods *)data)->cri, method, request, SPAN_INTERNAL, parent, done, done_data);
}

static int op_sandbox_get(void *data, const char *id, struct cri_sandbox_info *ret_info) {
        return cri_sandbox_get(((struct pods *)data)->cri, id, ret_info);
}

static int op_container_get(void *data, const char *id, struct cri_container_info *ret_info) {
        return cri_container_get(((struct pods *)data)->cri, id, ret_info);
}

static void op_submit(void *data, struct pool_job *job) {
        pool_submit(((struct pods *)data)->pool, job);
}

/* Wall time as it was at the start, carried on by the monotonic clock: a clock that is set does not end a pod. */
static int64_t op_now(void *data) {
        return ((struct pods *)data)->clock_base + (int64_t)(uv_hrtime() / 1000000);
}

static void on_slot_closed(uv_handle_t *handle) {
        free(handle->data);
}

static void drop_slot(struct slot *slot) {
        struct slot **at = &slot->pods->slots;

        while (*at != slot)
                at = &(*at)->next;
        *at = slot->next;
        worker_free(slot->worker);
        uv_close((uv_handle_t *)&slot->timer, on_slot_closed);
}

static void on_timer(uv_timer_t *timer) {
        struct slot *slot = timer->data;
        struct pods *pods = slot->pods;

        if (!slot->gone) {
                worker_tick(slot->worker);
                return;
        }
        log_info("pod %s/%s: gone", worker_pod(slot->worker)->metadata.namespace,
                 worker_pod(slot->worker)->metadata.name);
        drop_slot(slot);
        reconcile(pods);
}

static void op_set_timer(void *data, struct worker *worker, int64_t at) {
        struct slot *slot = worker_owner(worker);
        int64_t now = op_now(data);

        if (slot->gone)
                return;
        if (at == WORKER_NEVER) {
                uv_timer_stop(&slot->timer);
                return;
        }
        uv_update_time(slot->pods->loop);
        uv_timer_start(&slot->timer, on_timer, at > now ? (uint64_t)(at - now) : 0, 0);
}

static int op_probe_start(void *data, const struct probe_target *target, probe_done done, void *done_data,
                          struct probe **ret_probe, struct err **err) {
        return probe_start(((struct pods *)data)->loop, target, done, done_data, ret_probe, err);
}

static void op_probe_cancel(void *data, struct probe *probe) {
        probe_cancel(probe);
}

static void op_changed(void *data, struct worker *worker) {
        eviction_changed(((struct pods *)data)->eviction, worker);
}

/* Called from inside the worker: it is freed on the loop's next turn. */
static void op_gone(void *data, struct worker *worker) {
        struct slot *slot = worker_owner(worker);

        slot->gone = true;
        uv_timer_start(&slot->timer, on_timer, 0, 0);
}

static const struct worker_ops real_ops = {
        .call = op_call_cri,
        .sandbox_get = op_sandbox_get,
        .container_get = op_container_get,
        .submit = op_submit,
        .now = op_now,
        .set_timer = op_set_timer,
        .probe_start = op_probe_start,
        .probe_cancel = op_probe_cancel,
        .changed = op_changed,
        .gone = op_gone,
};

static void on_cri_event(void *data, const struct cri_event *event) {
        struct pods *pods = data;
        struct cri_container_info info;
        bool known = event->container_id && cri_container_get(pods->cri, event->container_id, &info) == 0;
        struct slot *slot = pods->slots;

        for (; slot; slot = slot->next) {
                const char *sandbox = worker_sandbox(slot->worker);

                if (!slot->gone && sandbox && strcmp(sandbox, event->sandbox_id) == 0)
                        break;
        }
        log_links_heard(pods->pool, slot ? worker_pod(slot->worker) : NULL, event, known ? &info : NULL,
                        pods->options->pod_logs_dir);
        if (slot)
                worker_heard(slot->worker, event);
}

/* -- slots ------------------------------------------------------------------------------------------------- */

static struct slot *slot_by_uid(struct pods *pods, const char *uid) {
        for (struct slot *slot = pods->slots; slot; slot = slot->next)
                if (strcmp(worker_pod(slot->worker)->metadata.uid, uid) == 0)
                        return slot;
        return NULL;
}

static struct slot *slot_by_name(struct pods *pods, const struct pod *pod) {
        for (struct slot *slot = pods->slots; slot; slot = slot->next)
                if (pod_same_name(worker_pod(slot->worker), pod))
                        return slot;
        return NULL;
}

static size_t count_slots(const struct pods *pods) {
        size_t n = 0;

        for (const struct slot *slot = pods->slots; slot; slot = slot->next)
                n++;
        return n;
}

static struct slot *make_slot(struct pods *pods, struct pod *pod) {
        struct slot *slot = calloc(1, sizeof(*slot));

        if (!slot || !(slot->worker = worker_new(&pods->node, pod))) {
                log_error("pod %s/%s: out of memory", pod->metadata.namespace, pod->metadata.name);
                free(slot);
                return NULL;
        }
        slot->pods = pods;
        slot->timer.data = slot;
        uv_timer_init(pods->loop, &slot->timer);
        worker_set_owner(slot->worker, slot);
        slot->next = pods->slots;
        pods->slots = slot;
        if (pod_qos(pod) == QOS_BURSTABLE)
                pods->node.burstable_milli += quantity_milli(pod_request(pod, "cpu"));
        return slot;
}

static void take_up(struct pods *pods, struct found_pod *found, struct pod *pod, bool wanted) {
        struct slot *slot = make_slot(pods, pod);

        if (!slot)
                return;
        found->taken = true;
        if (found->found.sandbox_id || !wanted)
                log_info("pod %s/%s: taken up%s", pod->metadata.namespace, pod->metadata.name,
                         wanted ? "" : ", but no file wants it any more: it ends");
        if (found->found.sandbox_id || wanted)
                worker_take_up(slot->worker, found_pod_worker(found));
        if (!wanted)
                worker_delete(slot->worker);
}

/* -- what is wanted ---------------------------------------------------------------------------------------- */

static struct found_pod *found_by_name(struct pods *pods, const struct pod *pod) {
        for (size_t i = 0; i < pods->found.n; i++) {
                struct found_pod *f = &pods->found.items[i];

                if (!f->taken && f->pod && pod_same_name(f->pod, pod))
                        return f;
        }
        return NULL;
}

static void count_burstable(struct pods *pods) {
        pods->node.burstable_milli = 0;
        for (struct slot *slot = pods->slots; slot; slot = slot->next)
                if (worker_holds(slot->worker) && pod_qos(worker_pod(slot->worker)) == QOS_BURSTABLE)
                        pods->node.burstable_milli += quantity_milli(pod_request(worker_pod(slot->worker), "cpu"));
}

/* Starts the pod, if the node takes it. */
static void start(struct pods *pods, struct pod *pod) {
        _cleanup_free_ const struct pod **others = calloc(count_slots(pods) + 1, sizeof(*others));
        struct admission_node node = { .name = pods->options->node_name,
                                       .unsafe_sysctls = pods->options->unsafe_sysctls,
                                       .facts = &pods->facts,
                                       .pods = others };
        char pressure[EVICTION_MESSAGE_MAX];
        struct rejection rejection;
        struct slot *made;

        for (const struct slot *slot = pods->slots; slot && others; slot = slot->next)
                if (worker_holds(slot->worker))
                        others[node.n_pods++] = worker_pod(slot->worker);
        made = others ? make_slot(pods, pod) : NULL;
        if (!made)
                return;
        if (!eviction_admit(pods->eviction, pod, pressure)) {
                worker_reject(made->worker, "Evicted", pressure);
        } else if (admission_ask(&node, pod, &rejection)) {
                worker_start(made->worker);
                return;
        } else
                worker_reject(made->worker, rejection.reason, rejection.message);
        count_burstable(pods);
}

/* Brings one wanted pod forward: it runs, or what stands in its way is ended first. */
static void want(struct pods *pods, struct desired *d) {
        struct slot *slot = slot_by_uid(pods, d->pod->metadata.uid);
        struct found_pod *found;

        if (slot)
                return;
        if ((slot = slot_by_name(pods, d->pod))) {
                worker_delete(slot->worker);
                return;
        }
        found = found_pods_get(&pods->found, d->pod->metadata.uid);
        if (found && !found->taken) {
                take_up(pods, found, d->pod, true);
                return;
        }
        if ((found = found_by_name(pods, d->pod))) {
                take_up(pods, found, found->pod, false);
                return;
        }
        if (count_slots(pods) >= (size_t)pods->options->max_pods) {
                if (!d->refused_said)
                        log_error("pod %s/%s (%s): OutOfpods: the node runs %d pods, its maximum",
                                  d->pod->metadata.namespace, d->pod->metadata.name, d->file, pods->options->max_pods);
                d->refused_said = true;
                return;
        }
        d->refused_said = false;
        start(pods, d->pod);
}

/* A sandbox that no worker has: RemovePodSandbox ends what runs in it. */
struct leftover {
        struct arena *arena;
        char *id;
};

static void on_leftover_removed(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct leftover *l = data;

        if (err)
                log_warning("sandbox %s, left from before, was not removed: %s", l->id, err_text(err));
        arena_free(l->arena);
}

static void remove_leftover(struct pods *pods, const char *id) {
        struct arena *arena = arena_new();
        struct leftover *l = arena ? arena_new_of(arena, struct leftover) : NULL;
        Cri__RemovePodSandboxRequest *request = arena ? arena_new_of(arena, Cri__RemovePodSandboxRequest) : NULL;

        if (!l || !request || !(l->id = arena_strdup(arena, id))) {
                arena_free(arena);
                return;
        }
        log_info("sandbox %s, left from before, is removed", id);
        l->arena = arena;
        cri__remove_pod_sandbox_request__init(request);
        request->pod_sandbox_id = l->id;
        cri_call(pods->cri, CRI_REMOVE_POD_SANDBOX, &request->base, on_leftover_removed, l);
}

/* What was found from before and nobody wants: ended as the pod said it should be. */
static void end_orphans(struct pods *pods) {
        for (size_t i = 0; i < pods->found.n; i++) {
                struct found_pod *found = &pods->found.items[i];
                _cleanup_free_ char *path = NULL;

                for (size_t k = 0; k < found->n_older; k++)
                        remove_leftover(pods, found->older_sandboxes[k]);
                if (found->taken)
                        continue;
                if (found->pod) {
                        take_up(pods, found, found->pod, false);
                        continue;
                }
                found->taken = true;
                if (found->found.sandbox_id)
                        remove_leftover(pods, found->found.sandbox_id);
                else if (asprintf(&path, "%s/pods/%s", pods->options->root_dir, found->uid) > 0)
                        pod_tree_remove(path, NULL);
        }
}

static void tell_duplicate(const struct pods *pods, const struct desired *d) {
        const struct object_meta *own = &d->pod->metadata, *held = &d->holder->pod->metadata;

        if (pod_same_name(d->pod, d->holder->pod))
                log_error("%s/%s: pod %s/%s is wanted by %s already; this file has no effect",
                          pods->options->manifest_dir, d->file, own->namespace, own->name, d->holder->file);
        else
                log_error("%s/%s: pod %s/%s has the uid of pod %s/%s of %s; this file has no effect",
                          pods->options->manifest_dir, d->file, own->namespace, own->name, held->namespace, held->name,
                          d->holder->file);
}

/* Files are told of, and gone ones give their pods to others, only when they stay so: an editor's copy becomes the file
 * itself in a moment, and one that is written by renames is away for a moment. */
static void on_settled(uv_timer_t *timer) {
        struct pods *pods = timer->data;

        desired_bury(&pods->desired);
        reconcile(pods);
        for (size_t i = 0; i < pods->desired.n; i++) {
                struct desired *d = &pods->desired.items[i];

                if (d->duplicate && !d->duplicate_said)
                        tell_duplicate(pods, d);
                d->duplicate_said |= d->duplicate;
        }
}

static void reconcile(struct pods *pods) {
        if (pods->leaving)
                return;
        desired_resolve(&pods->desired);
        count_burstable(pods);
        for (struct slot *slot = pods->slots, *next; slot; slot = next) {
                next = slot->next;
                if (pods->synced && !desired_has(&pods->desired, worker_pod(slot->worker)->metadata.uid))
                        worker_delete(slot->worker);
        }
        for (size_t i = 0; i < pods->desired.n; i++) {
                struct desired *d = &pods->desired.items[i];

                if (!d->duplicate && !d->gone)
                        want(pods, d);
                else if ((d->gone || !d->duplicate_said) && !uv_is_active((uv_handle_t *)pods->settle))
                        uv_timer_start(pods->settle, on_settled, SETTLE_MS, 0);
        }
}

/* -- the source -------------------------------------------------------------------------------------------- */

static int decode(const char *file, const char *text, size_t length, const void *data, struct pod **ret_pod,
                  struct err **err) {
        const struct options *options = data;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *path = NULL;
        struct problems problems;
        char line[1024];
        int r;

        if (!arena || asprintf(&path, "%s/%s", options->manifest_dir, file) < 0)
                return err_set(err, ENOMEM, "out of memory");

        struct pod_static_options how = { .file = path, .node_name = options->node_name };
        problems_init(&problems, arena, path, NULL);
        r = pod_read_static(text, length, &how, &problems, ret_pod, err);
        for (uint32_t i = 0; i < problems.count; i++)
                if (problems.items[i].warning)
                        log_warning("%s", problem_format(&problems, &problems.items[i], line, sizeof(line)));
        return r;
}

static void on_pod(void *data, const char *file, struct pod *pod) {
        struct pods *pods = data;

        broken_files_drop(&pods->broken, file);
        desired_set(&pods->desired, file, pod, found_pods_claim(&pods->found, file, pod));
}

/* A pod that the file held before goes on, also when that was before the agent's start. */
static void on_unread(void *data, const char *file) {
        struct pods *pods = data;
        const struct found_pod *found =
                desired_find(&pods->desired, file) ? NULL : found_pods_of_file(&pods->found, file);

        if (found)
                desired_set(&pods->desired, file, pod_ref(found->pod), CLAIM_POD);
}

static void on_broken(void *data, const char *file, const char *text) {
        struct pods *pods = data;
        const struct desired *d;

        on_unread(data, file);
        d = desired_find(&pods->desired, file);
        broken_files_set(&pods->broken, file, text);
        log_error("%s%s%s", text, d ? "; going on with the pod that it held before: " : "",
                  d ? d->pod->metadata.name : "");
}

static void on_gone(void *data, const char *file) {
        struct pods *pods = data;

        broken_files_drop(&pods->broken, file);
        if (desired_drop(&pods->desired, file))
                uv_timer_start(pods->settle, on_settled, SETTLE_MS, 0);
}

static void on_looked(void *data) {
        struct pods *pods = data;
        bool first = !pods->synced;

        pods->synced = true;
        reconcile(pods);
        if (first) {
                end_orphans(pods);
                reconcile(pods);
        }
}

static void discard(struct pod *pod) {
        pod_unref(pod);
}

/* -- the endpoint ------------------------------------------------------------------------------------------ */

static int write_pods(void *data, struct json_writer *w) {
        struct pods *pods = data;
        int r = 0;

        json_begin_map(w);
        json_add_string(w, "kind", "PodList");
        json_add_string(w, "apiVersion", "v1");
        json_key(w, "metadata");
        json_begin_map(w);
        json_end_map(w);
        json_key(w, "items");
        json_begin_list(w);
        for (struct slot *slot = pods->slots; slot && r == 0; slot = slot->next)
                if (!slot->gone)
                        r = worker_write(slot->worker, w);
        json_end_list(w);
        json_end_map(w);
        return r;
}

static int write_events(void *data, struct json_writer *w) {
        events_write(((struct pods *)data)->node.events, w);
        return 0;
}

static int write_files(void *data, struct json_writer *w) {
        struct pods *pods = data;

        manifest_files_write(pods->options, &pods->desired, &pods->broken, w);
        return 0;
}

static char *write_metrics(void *data) {
        struct eviction_counters evictions;
        struct pods *pods = data;

        eviction_get_counters(pods->eviction, &evictions);
        return metrics_text(pods->cri, (unsigned)count_slots(pods), &evictions);
}

static int write_node(void *data, struct json_writer *w) {
        return eviction_write_node(((struct pods *)data)->eviction, w);
}

static const struct endpoint_route routes[] = {
        { "/pods", write_pods, NULL }, { "/events", write_events, NULL },   { "/files", write_files, NULL },
        { "/node", write_node, NULL }, { "/metrics", NULL, write_metrics }, { NULL, NULL, NULL },
};

/* -- for the command --------------------------------------------------------------------------------------- */

struct telling {
        void (*part)(void *data, enum cri_node_part kind, const char *json);
        void *data;
};

static void tell_part(const struct telling *t, enum cri_node_part kind, int (*write)(void *data, struct json_writer *w),
                      void *data) {
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        int r = write(data, &w);

        if (json_writer_finish(&w, &text, NULL) == 0 && r == 0)
                t->part(t->data, kind, text);
}

static int write_slot(void *data, struct json_writer *w) {
        return worker_write(((struct slot *)data)->worker, w);
}

static void tell(void *data, void (*part)(void *data, enum cri_node_part kind, const char *json), void *part_data) {
        const struct telling telling = { part, part_data };
        struct pods *pods = data;

        tell_part(&telling, CRI_NODE_FILES, write_files, pods);
        for (struct slot *slot = pods->slots; slot; slot = slot->next)
                if (!slot->gone)
                        tell_part(&telling, CRI_NODE_POD, write_slot, slot);
        tell_part(&telling, CRI_NODE_EVENTS, write_events, pods);
}

/* -- eviction ---------------------------------------------------------------------------------------------- */

static void each_worker(void *data, bool (*each)(void *each_data, struct worker *worker), void *each_data) {
        for (struct slot *slot = ((struct pods *)data)->slots; slot; slot = slot->next)
                if (!slot->gone && !each(each_data, slot->worker))
                        return;
}

static int make_eviction(struct pods *pods, struct err **err) {
        const struct eviction_world world = {
                .loop = pods->loop,
                .pool = pods->pool,
                .cri = pods->cri,
                .options = pods->options,
                .cgroups = pods->cgroups,
                .events = pods->node.events,
                .data = pods,
                .now = op_now,
                .each_worker = each_worker,
        };

        return eviction_new(&world, &pods->eviction, err);
}

/* What pods may ask for: the node without what is reserved of it. */
static void take_reserved(struct pods *pods) {
        const struct eviction_settings *s = &pods->options->eviction;

        pods->facts.cpu_milli -= eviction_reserved(s, RESERVED_CPU);
        pods->facts.memory_bytes -= eviction_reserved(s, RESERVED_MEMORY);
        pods->facts.disk_bytes -= eviction_reserved(s, RESERVED_STORAGE);
}

/* -- all --------------------------------------------------------------------------------------------------- */

int pods_new(uv_loop_t *loop, struct pool *pool, struct cri *cri, const struct options *options, struct pods **ret_pods,
             struct err **err) {
        struct pods *pods = calloc(1, sizeof(*pods));
        _cleanup_err_ struct err *missing = NULL;
        struct timespec wall;
        int r = 0;

        if (!pods)
                return err_set(err, ENOMEM, "out of memory");
        clock_gettime(CLOCK_REALTIME, &wall);
        pods->loop = loop;
        pods->pool = pool;
        pods->cri = cri;
        pods->options = options;
        pods->clock_base = wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - (int64_t)(uv_hrtime() / 1000000);
        pods->ops = real_ops;
        node_facts_read(options->node_ip, options->root_dir, &pods->facts);
        pods->node = (struct worker_node){
                .ops = &pods->ops,
                .data = pods,
                .options = options,
                .events = events_new(options->node_name),
                .tracer = cri_tracer(cri),
                .host_ip = pods->facts.ip[0] ? pods->facts.ip : NULL,
                .memory_bytes = pods->facts.memory_bytes,
                .cpu_milli = pods->facts.cpu_milli,
        };
        take_reserved(pods);
        pods->settle = handle_timer(loop, pods);
        if (!pods->node.events || !pods->settle)
                r = err_set(err, ENOMEM, "out of memory");
        if (r == 0)
                r = cgroups_open(options->cgroup_root, &pods->cgroups, err);
        pods->node.cgroups = pods->cgroups;
        if (r == 0 && (r = pod_files_make_root(pods->cgroups, options, pods->node.memory_bytes, err)) < 0)
                err_wrap(err, r, "cannot make the cgroup of all pods");
        if (r == 0)
                r = make_eviction(pods, err);
        pods->told = (struct cri_node){ tell, pods };
        if (r == 0 && (r = cri_subscribe(cri, on_cri_event, pods, &pods->subscription)) < 0)
                err_errno(err, -r, "cannot hear cri's events");
        if (r < 0) {
                pods_free(pods);
                return r;
        }
        if (log_links_prepare(options->pod_logs_dir, &missing) < 0)
                log_warning("%s; there will be no links to containers' logs", err_text(missing));
        found_pods_read(cri, options, &pods->found);
        found_pods_sweep_cgroups(cri, pods->cgroups, options->cgroup_root, &pods->found);
        *ret_pods = pods;
        return 0;
}

void pods_start(struct pods *pods) {
        struct source_events heard = {
                .decode = decode,
                .decode_data = pods->options,
                .pod = on_pod,
                .broken = on_broken,
                .unread = on_unread,
                .gone = on_gone,
                .looked = on_looked,
                .discard = discard,
                .data = pods,
        };
        _cleanup_err_ struct err *err = NULL;

        cri_set_node(pods->cri, &pods->told);
        if (source_new(pods->loop, pods->pool, pods->options->manifest_dir, &heard, &pods->source, &err) < 0)
                log_error("%s", err_text(err));
        err = err_free(err);
        eviction_start(pods->eviction);
        if (endpoint_new(pods->loop, pods->options, routes, pods, &pods->endpoint, &err) < 0)
                log_error("%s", err_text(err));
}

void pods_stop(struct pods *pods) {
        if (!pods || pods->leaving)
                return;
        pods->leaving = true;
        eviction_stop(pods->eviction);
        cri_set_node(pods->cri, NULL);
        if (pods->settle)
                uv_timer_stop(pods->settle);
        source_free(pods->source);
        endpoint_free(pods->endpoint);
        cri_unsubscribe(pods->subscription);
        while (pods->slots)
                drop_slot(pods->slots);
}

void pods_free(struct pods *pods) {
        if (!pods)
                return;
        pods_stop(pods);
        eviction_free(pods->eviction);
        desired_clear(&pods->desired);
        broken_files_clear(&pods->broken);
        handle_free(pods->settle);
        found_pods_clear(&pods->found);
        events_free(pods->node.events);
        cgroups_free(pods->cgroups);
        free(pods);
}
