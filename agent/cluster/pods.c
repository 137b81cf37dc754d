/* Which pods the service has for this node: one watch, of which nothing is kept but names and what was told. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "agent/node/world.h"
#include "client/backend.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/hash.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

struct cluster_pod *cluster_pod_find(const struct cluster *c, const char *uid) {
        return table_object(table_find(&c->pods_by_uid, uid), struct cluster_pod, by_uid);
}

static void forget(struct cluster_pod *pod) {
        struct cluster *c = pod->cluster;

        cluster_mirror_lost(pod);
        client_cancel(pod->call);
        if (cluster_due_contains(pod))
                cluster_due_remove(pod);
        cluster_all_remove(pod);
        table_remove(&c->pods_by_uid, &pod->by_uid);
        free(pod->mirror_hash);
        free(pod);
}

/* A uid is a directory's name here, and an object's own is never anything else. */
static bool is_uid(const char *uid) {
        size_t n = strlen(uid);

        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)uid[i]) && uid[i] != '-')
                        return false;
        return n > 0 && n <= POD_UID_MAX;
}

static struct cluster_pod *add(struct cluster *c, const char *uid, const struct client_object *object) {
        size_t n = strlen(uid) + 1, n_namespace = strlen(object->namespace) + 1, n_name = strlen(object->name) + 1;
        struct cluster_pod *pod;

        if (c->pods_by_uid.n >= CLUSTER_PODS_MAX || !(pod = calloc(1, sizeof(*pod) + n + n_namespace + n_name)))
                return NULL;
        pod->cluster = c;
        pod->seen = time(NULL);
        memcpy(pod->uid, uid, n);
        pod->namespace = memcpy(pod->uid + n, object->namespace, n_namespace);
        pod->name = memcpy(pod->namespace + n_namespace, object->name, n_name);
        if (table_add(&c->pods_by_uid, &pod->by_uid, pod->uid) < 0) {
                free(pod);
                return NULL;
        }
        cluster_all_append(&c->pods, pod);
        return pod;
}

/* One that has ended, and of which nothing is here, is never started again (pod_workers.go). */
static bool has_ended(const struct value *object) {
        const char *phase = value_string_or(value_get(value_get(object, "status"), "phase"), "");

        return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

/* Of what counts for its run: all but the status, versions and who set what. 0: out of memory. */
static uint64_t hash_wanted(const struct value *object) {
        static const char *const parts[] = { "labels", "annotations", "generation" };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        const struct value *metadata = value_get(object, "metadata");
        _cleanup_free_ char *text = NULL;
        size_t length;

        json_begin_list(&w);
        for (size_t i = 0; i < ELEMENTS(parts); i++)
                if (value_get(metadata, parts[i]))
                        json_value(&w, value_get(metadata, parts[i]));
        json_value(&w, value_get(object, "spec"));
        json_end_list(&w);
        return json_writer_finish(&w, &text, &length) < 0 ? 0 : hash_bytes(text, length);
}

/* From before the agent's start. */
static bool has_resize(const struct value *object) {
        const struct value *list = value_get(value_get(object, "status"), "conditions");

        for (uint32_t i = 0; i < value_count(list); i++)
                if (strncmp(value_string_or(value_get(value_at(list, i), "type"), ""), "PodResize", 9) == 0)
                        return true;
        return false;
}

static void want(struct cluster_pod *pod, const struct value *object) {
        struct cluster *c = pod->cluster;
        _cleanup_err_ struct err *err = NULL;
        uint64_t wanted = hash_wanted(object);
        struct pod *read = NULL;

        if (wanted == pod->wanted && wanted)
                return;
        pod->resized |= has_resize(object);
        pod->wanted = wanted;
        if (has_ended(object) && !c->events.has(c->events.data, pod->uid))
                return;
        if (cluster_pod_read(pod->seen, object, &read, &err) < 0)
                log_error("pod %s/%s: %s; it does not run", pod->namespace, pod->name, err_text(err));
        else
                c->events.pod(c->events.data, read);
}

static void end(struct cluster_pod *pod, const struct value *metadata) {
        struct cluster *c = pod->cluster;
        int64_t grace = 0;

        value_integer(value_get(metadata, "deletionGracePeriodSeconds"), &grace);
        if (pod->ends && grace >= pod->grace)
                return;
        pod->ends = true;
        pod->grace = grace;
        c->events.end(c->events.data, pod->uid, grace);
        if (!c->events.has(c->events.data, pod->uid))
                cluster_pod_gone(c, pod->uid);
}

static void drop(struct cluster *c, struct cluster_pod *pod) {
        bool runs = !pod->mirror;
        char uid[POD_UID_MAX + 1];

        strcpy(uid, pod->uid);
        forget(pod);
        if (runs)
                c->events.end(c->events.data, uid, NODE_NEVER);
}

static void take_mirror(struct cluster_pod *pod, const struct value *metadata) {
        const char *hash = cluster_mirror_hash(metadata);

        if (!pod->mirror_hash && !(pod->mirror_hash = strdup(hash)))
                return log_error("mirror pod %s/%s: out of memory", pod->namespace, pod->name);
        pod->ends = value_get(metadata, "deletionTimestamp");
        cluster_mirror_seen(pod);
}

static void take(struct cluster *c, const struct client_object *object, const struct value *tree) {
        const struct value *metadata = value_get(tree, "metadata");
        const char *uid = value_string_or(value_get(metadata, "uid"), "");
        struct cluster_pod *pod = cluster_pod_find(c, uid);

        if (!pod && (!is_uid(uid) || !(pod = add(c, uid, object)))) {
                log_error("pod %s/%s of the API service is passed over: %s", object->namespace, object->name,
                          is_uid(uid) ? "too many of them, or out of memory" : "its uid is none");
                return;
        }
        pod->listed = true;
        if (cluster_mirror_hash(metadata))
                take_mirror(pod, metadata);
        else if (value_get(metadata, "deletionTimestamp"))
                end(pod, metadata);
        else
                want(pod, tree);
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        struct cluster_pod *pod;

        if (!arena || client_object_tree(arena, object, &tree) < 0) {
                log_error("pod %s/%s of the API service cannot be read", object->namespace, object->name);
                return;
        }
        if (change != CLIENT_DELETED)
                return take(c, object, tree);
        pod = cluster_pod_find(c, value_string_or(value_get(value_get(tree, "metadata"), "uid"), ""));
        if (pod)
                drop(c, pod);
}

static void on_list_begins(struct informer_handler *handler) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));

        LIST_EACH (cluster_all, pod, &c->pods)
                pod->listed = false;
}

static void on_list_ends(struct informer_handler *handler) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));

        LIST_EACH (cluster_all, pod, &c->pods)
                if (!pod->listed)
                        drop(c, pod);
        c->listed = true;
        cluster_mirrors_listed(c);
        c->events.listed(c->events.data);
        cluster_report_now(c);
}

bool cluster_wants(const struct cluster *c, const char *uid) {
        const struct cluster_pod *pod = cluster_pod_find(c, uid);

        return pod && !pod->ends && !pod->mirror;
}

/* -- from its beginning to its end ------------------------------------------------------------------------- */

static void on_synced(void *data) {
}

int cluster_pods_start(struct cluster *c) {
        struct informer *informer;
        char *fields = NULL;

        c->heard = (struct informer_handler){ .changed = on_changed,
                                              .list_begins = on_list_begins,
                                              .list_ends = on_list_ends };
        if (asprintf(&fields, "spec.nodeName=%s", c->options->node_name) < 0)
                return -ENOMEM;
        c->fields = fields;
        c->report = handle_timer(c->loop, c);
        c->informers = informers_new(c->client, on_synced, c);
        informer = c->informers ? informers_get(c->informers, &cluster_pods, c->fields, false) : NULL;
        if (!c->report || !informer)
                return -ENOMEM;
        informer_add(informer, &c->heard);
        return cluster_own_start(c);
}

void cluster_pods_stop(struct cluster *c) {
        informers_free(c->informers);
        c->informers = NULL;
        LIST_EACH (cluster_all, pod, &c->pods)
                forget(pod);
        table_clear(&c->pods_by_uid);
        handle_free(c->report);
        c->report = NULL;
        free(c->fields);
        c->fields = NULL;
}
