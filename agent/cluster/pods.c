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
#include "client/recorder.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/hash.h"
#include "lib/json.h"
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
        free(pod->last);
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

        if (!(pod = calloc(1, sizeof(*pod) + n + n_namespace + n_name)))
                return NULL;
        pod->cluster = c;
        pod->seen = time(NULL);
        pod->quiet_until = c->listed ? uv_now(c->loop) + CLUSTER_STARTING_MS : 0;
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

/* The conditions that its readiness gates name, as others have set them. */
static void write_gates(const struct value *object, struct json_writer *w) {
        const struct value *gates = value_get(value_get(object, "spec"), "readinessGates"),
                           *list = value_get(value_get(object, "status"), "conditions");

        for (uint32_t i = 0; i < value_count(gates); i++) {
                const char *gate = value_string_or(value_get(value_at(gates, i), "conditionType"), "");

                for (uint32_t k = 0; k < value_count(list); k++)
                        if (strcmp(value_string_or(value_get(value_at(list, k), "type"), ""), gate) == 0) {
                                json_string(w, gate);
                                json_string(w, value_string_or(value_get(value_at(list, k), "status"), ""));
                        }
        }
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
        write_gates(object, &w);
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
                log_error("pod %s/%s: %s; %s", pod->namespace, pod->name, err_text(err),
                          c->events.has(c->events.data, pod->uid) ? "it goes on as it was" : "it does not run");
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
        if (c->turned_away)
                informer_list_again(c->wanted, CLUSTER_LIST_AGAIN_MS);
}

static void take_mirror(struct cluster_pod *pod, const struct value *metadata) {
        const char *hash = cluster_mirror_hash(metadata);

        if (!pod->mirror_hash && !(pod->mirror_hash = strdup(hash)))
                return log_error("mirror pod %s/%s: out of memory", pod->namespace, pod->name);
        pod->ends = value_get(metadata, "deletionTimestamp");
        cluster_mirror_seen(pod);
}

/* One of many is told, so that they do not fill the log. */
static void pass_over(struct cluster *c, const struct client_object *object, const char *why) {
        log_write(c->passed_over ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
                  "pod %s/%s of the API service is passed over: %s; no more are named until its next list",
                  object->namespace, object->name, why);
        c->passed_over = true;
}

/* What is here of it stays as it is, and a list with such a one in it is no proof that anything has gone. */
static void leave_unread(struct cluster *c, const struct client_object *object, const char *why) {
        log_write(c->unread_said ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
                  "pod %s/%s of the API service cannot be read: %s; nothing that runs is ended for it, and the service "
                  "is asked again every %d s",
                  object->namespace, object->name, why, CLUSTER_LIST_AGAIN_MS / 1000);
        c->unread = c->unread_said = true;
        if (!c->listing)
                informer_list_again(c->wanted, CLUSTER_LIST_AGAIN_MS);
}

/* It waits for a place: the service lists it again when one of those that are known has gone. */
static void turn_away(struct cluster *c, const struct client_object *object, const char *uid) {
        const struct recorder_object about = { "v1", "Pod", object->namespace, object->name, uid };
        char text[128];

        snprintf(text, sizeof(text),
                 "The node knows %d pods of the API service, its maximum: delete some that have ended",
                 CLUSTER_PODS_MAX);
        pass_over(c, object, text);
        c->turned_away = true;
        if (c->node.timer)
                recorder_tell(c->recorder, &about, &(struct recorder_note){ "Warning", "OutOfpods", text }, time(NULL));
}

/* NULL: nothing is to be done about it, or not now. */
static struct cluster_pod *add_known(struct cluster *c, const struct client_object *object, const struct value *tree) {
        const struct value *metadata = value_get(tree, "metadata");
        const char *uid = value_string_or(value_get(metadata, "uid"), "");
        struct cluster_pod *pod = NULL;

        if (!is_uid(uid))
                pass_over(c, object, "its uid is none");
        else if (c->events.has(c->events.data, uid) || c->pods_by_uid.n < CLUSTER_PODS_MAX) {
                if (!(pod = add(c, uid, object)))
                        leave_unread(c, object, "out of memory");
        } else
                turn_away(c, object, uid);
        return pod;
}

/* One that has ended before the node heard of it holds no place. */
static bool is_over(const struct cluster *c, const struct value *tree) {
        const struct value *metadata = value_get(tree, "metadata");

        return has_ended(tree) && !value_get(metadata, "deletionTimestamp") && !cluster_mirror_hash(metadata) &&
               !c->events.has(c->events.data, value_string_or(value_get(metadata, "uid"), ""));
}

static void take(struct cluster *c, const struct client_object *object, const struct value *tree) {
        const struct value *metadata = value_get(tree, "metadata");
        struct cluster_pod *pod = cluster_pod_find(c, value_string_or(value_get(metadata, "uid"), ""));

        if (!pod && (is_over(c, tree) || !(pod = add_known(c, object, tree))))
                return;
        pod->listed = true;
        if (cluster_mirror_hash(metadata))
                take_mirror(pod, metadata);
        else if (value_get(metadata, "deletionTimestamp"))
                end(pod, metadata);
        else
                want(pod, tree);
        cluster_pod_heard(pod, object->revision, value_get(tree, "status"));
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *tree = NULL;
        _cleanup_err_ struct err *err = NULL;
        struct cluster_pod *pod;

        if (!arena)
                return leave_unread(c, object, "out of memory");
        if (json_parse(arena, (const char *)object->json->data, object->json->size, NULL, &tree, &err) < 0)
                return leave_unread(c, object, err_text(err));
        if (change != CLIENT_DELETED)
                return take(c, object, tree);
        pod = cluster_pod_find(c, value_string_or(value_get(value_get(tree, "metadata"), "uid"), ""));
        if (pod)
                drop(c, pod);
}

static void on_list_begins(struct informer_handler *handler) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));

        c->passed_over = c->turned_away = c->unread = false;
        c->listing = true;
        LIST_EACH (cluster_all, pod, &c->pods)
                pod->listed = false;
}

/* A list of which all was read: what it had not is gone. */
static void take_whole(struct cluster *c) {
        LIST_EACH (cluster_all, pod, &c->pods)
                if (!pod->listed)
                        drop(c, pod);
        c->unread_said = false;
        cluster_mirrors_listed(c);
        c->events.listed(c->events.data);
}

static void on_list_ends(struct informer_handler *handler) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, heard));

        c->listing = false;
        c->listed = true;
        if (c->unread)
                informer_list_again(c->wanted, CLUSTER_LIST_AGAIN_MS);
        else
                take_whole(c);
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
        c->hold = handle_timer(c->loop, c);
        c->informers = informers_new(c->client, on_synced, c);
        informer = c->informers ? informers_get(c->informers, &cluster_pods, c->fields, false) : NULL;
        if (!c->report || !c->hold || !informer)
                return -ENOMEM;
        c->wanted = informer;
        informer_add(informer, &c->heard);
        return cluster_own_start(c);
}

void cluster_pods_stop(struct cluster *c) {
        informers_free(c->informers);
        c->informers = NULL;
        c->wanted = NULL;
        LIST_EACH (cluster_all, pod, &c->pods)
                forget(pod);
        table_clear(&c->pods_by_uid);
        handle_free(c->report);
        handle_free(c->hold);
        c->report = c->hold = NULL;
        free(c->fields);
        c->fields = NULL;
}
