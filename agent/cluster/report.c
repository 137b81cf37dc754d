/* What the service is told of pods: their status when it is another one, and that nothing of them is left. Of each pod
 * one request is under way at a time; what is not taken is sent again, as it is by then. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "kube/codec/codec.h"
#include "kube/pod/pod.h"
#include "kube/project.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/hash.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

static void on_timer(uv_timer_t *timer);

void cluster_report_later(struct cluster_pod *pod) {
        struct cluster *c = pod->cluster;

        if (pod->held)
                cluster_due_remove(pod);
        pod->held = false;
        if (cluster_due_contains(pod) || pod->call)
                return;
        cluster_due_append(&c->due, pod);
        if (!uv_is_active((uv_handle_t *)c->report))
                uv_timer_start(c->report, on_timer, 0, 0);
}

void cluster_report_soon(struct cluster_pod *pod) {
        pod->quiet_until = 0;
        if (pod->held)
                cluster_report_later(pod);
}

void cluster_report_now(struct cluster *c) {
        c->patience.ms = 0;
        if (!cluster_due_is_empty(&c->due))
                uv_timer_start(c->report, on_timer, 0, 0);
}

/* -- a pod's status ---------------------------------------------------------------------------------------- */

/* Addresses are merged by address, and these are all: the others go. */
static void write_addresses(struct json_writer *w, const char *key, const struct kube_pod_status *status, bool host) {
        uint32_t n = host ? status->host_ips.count : status->pod_ips.count;

        if (n == 0)
                return;
        json_key(w, key);
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "$patch", "replace");
        json_end_map(w);
        for (uint32_t i = 0; i < n; i++) {
                json_begin_map(w);
                json_add_string(w, "ip", host ? status->host_ips.items[i].ip : status->pod_ips.items[i].ip);
                json_end_map(w);
        }
        json_end_list(w);
}

/* What @text, an object, has, into one that is begun. */
static void write_inner(struct json_writer *w, const char *text, size_t length) {
        if (length <= 2)
                return;
        json_raw(w, text + 1, length - 2);
        w->comma = true;
}

static int write_object(struct json_writer *w, const struct kube_type *type, const void *object) {
        _cleanup_json_writer_ struct json_writer own = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;
        size_t length;

        kube_json_write(&own, type, object);
        if (json_writer_finish(&own, &text, &length) < 0)
                return -ENOMEM;
        write_inner(w, text, length);
        return 0;
}

static void write_null(struct json_writer *w, const char *key) {
        json_key(w, key);
        json_null(w);
}

/* Those of the node's own that come and go. */
static const char *const passing[] = { "PodResizePending", "PodResizeInProgress" };

static bool has_condition(const kube_pod_condition_items *conditions, const char *type) {
        list_for_each (c, conditions)
                if (strcmp(c->type, type) == 0)
                        return true;
        return false;
}

static void write_deleted(struct json_writer *w, const char *type) {
        json_begin_map(w);
        json_add_string(w, "$patch", "delete");
        json_add_string(w, "type", type);
        json_end_map(w);
}

/* Once the service may have them it is told that they are gone. A pod of a file may be there again after an end that
 * was told, perhaps by an agent before this one. */
static void write_gone(struct json_writer *w, struct cluster_pod *pod, const kube_pod_condition_items *conditions) {
        for (size_t i = 0; i < ELEMENTS(passing); i++) {
                bool there = has_condition(conditions, passing[i]);

                pod->resized |= there;
                if (!there && pod->resized)
                        write_deleted(w, passing[i]);
        }
        if (pod->mirror && !has_condition(conditions, "DisruptionTarget"))
                write_deleted(w, "DisruptionTarget");
}

/* Likewise, why it had ended. */
static void write_no_reason(struct json_writer *w, const struct kube_pod_status *status) {
        if (!status->reason || !status->reason[0])
                write_null(w, "reason");
        if (!status->message || !status->message[0])
                write_null(w, "message");
}

/* Conditions are merged by type, and so those of others stay; a reason that is there no more has to be said. */
static int write_conditions(struct json_writer *w, struct cluster_pod *pod,
                            const kube_pod_condition_items *conditions) {
        json_key(w, "conditions");
        json_begin_list(w);
        list_for_each (c, conditions) {
                json_begin_map(w);
                if (write_object(w, &kube_pod_condition_type, c) < 0)
                        return -ENOMEM;
                if (!c->reason || !c->reason[0])
                        write_null(w, "reason");
                if (!c->message || !c->message[0])
                        write_null(w, "message");
                json_end_map(w);
        }
        write_gone(w, pod, conditions);
        json_end_list(w);
        return 0;
}

/* The members of @status, to be written into an object that is begun. */
static int write_members(struct json_writer *w, struct cluster_pod *pod, const struct kube_pod_status *status) {
        struct kube_pod_status rest = *status;

        rest.host_ips.count = rest.pod_ips.count = rest.conditions.count = 0;
        if (write_object(w, &kube_pod_status_type, &rest) < 0 ||
            (status->conditions.count > 0 && write_conditions(w, pod, &status->conditions) < 0))
                return -ENOMEM;
        if (pod->mirror)
                write_no_reason(w, status);
        write_addresses(w, "hostIPs", status, true);
        write_addresses(w, "podIPs", status, false);
        return 0;
}

const char *cluster_node_uid(const struct cluster_pod *pod) {
        return pod->mirror && pod->mirror->pod ? pod->mirror->pod->metadata.uid : pod->uid;
}

/* The pod's status as the node has it. -ENOENT: there is none; -ENOMEM. */
static int read_status(struct cluster_pod *pod, struct arena *arena, struct kube_pod_status *ret_status) {
        struct cluster *c = pod->cluster;

        *ret_status = (struct kube_pod_status){ 0 };
        return arena ? c->events.pod_status(c->events.data, cluster_node_uid(pod), arena, ret_status) : -ENOMEM;
}

/* The patch in *@ret_text; the uid is a precondition. -ENOMEM. */
static int status_patch(struct cluster_pod *pod, const struct kube_pod_status *status, char **ret_text,
                        size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        json_begin_map(&w);
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string(&w, "uid", pod->uid);
        json_end_map(&w);
        json_key(&w, "status");
        json_begin_map(&w);
        if (write_members(&w, pod, status) < 0)
                return -ENOMEM;
        json_end_map(&w);
        json_end_map(&w);
        return json_writer_finish(&w, ret_text, ret_length);
}

/* -- requests ---------------------------------------------------------------------------------------------- */

/* Not said again before a while: that the service is away is no news for each pod. */
static void retry(struct cluster_pod *pod) {
        struct cluster *c = pod->cluster;

        if (!cluster_due_contains(pod))
                cluster_due_append(&c->due, pod);
        if (!uv_is_active((uv_handle_t *)c->report))
                uv_timer_start(c->report, on_timer, cluster_back_off(&c->patience), 0);
}

#define REFUSES "refuses what it is told"
#define KEEPS "does not delete it"

/* Rights may come back: those of a Node that is made anew, of a service that has not read its roles yet. As often as
 * the Lease is renewed, and without holding up what is told of others. */
static bool is_denied(const struct client_answer *answer) {
        return answer->code == 401 || answer->code == 403;
}

static void deny(struct cluster_pod *pod, const char *what, const struct client_answer *answer) {
        log_write(pod->denied_before ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "pod %s/%s: the API service %s: %s",
                  pod->namespace, pod->name, what, answer->message);
        pod->denied = pod->denied_before = pod->cluster->denied = true;
}

/* Who says that there is no such pod may be somebody in front of a service that is away: whether it has gone is heard
 * by the watch. Until then it is told again, as what was denied is. */
static bool is_missing(const struct client_answer *answer) {
        return answer->code == 404;
}

static void heard(const struct cluster *c) {
        if (c->events.told)
                c->events.told(c->events.data);
}

static void wait_for_watch(struct cluster_pod *pod) {
        pod->denied = pod->cluster->denied = true;
        heard(pod->cluster);
}

void cluster_report_denied(struct cluster *c) {
        if (!c->denied)
                return;
        c->denied = false;
        LIST_EACH (cluster_all, pod, &c->pods)
                if (pod->denied) {
                        pod->denied = false;
                        cluster_report_later(pod);
                }
}

/* What is wrong with the request itself is not mended by time: those of conflict and size are told. */
static bool is_final(const struct client_answer *answer) {
        return answer->code >= 400 && answer->code < 500 && answer->code != 408 && answer->code != 429;
}

bool cluster_has_told(const struct cluster *c) {
        LIST_EACH (cluster_all, pod, &((struct cluster *)c)->pods)
                if (pod->call || cluster_due_contains(pod))
                        return false;
        return cluster_node_has_told(c);
}

/* The object's revision in the answer; 0: not known. */
static int64_t revision_of(const struct client_answer *answer) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_wanted *wanted = arena ? kube_wanted_new(arena) : NULL;
        struct value object;

        if (!wanted || !answer->body || kube_wanted_add(arena, wanted, "metadata.resourceVersion") < 0 ||
            kube_project(arena, wanted, (const char *)answer->body->data, answer->body->size, &object) < 0)
                return 0;
        return strtoll(value_string_or(value_find(&object, "metadata.resourceVersion"), "0"), NULL, 10);
}

static void on_answer(void *data, const struct client_answer *answer) {
        struct cluster_pod *pod = data;

        pod->call = NULL;
        if (is_denied(answer))
                return deny(pod, REFUSES, answer);
        if (is_missing(answer))
                return wait_for_watch(pod);
        if (!client_succeeded(answer) && !is_final(answer))
                return retry(pod);
        if (is_final(answer) && answer->code != 409)
                log_warning("pod %s/%s: the API service " REFUSES ": %s", pod->namespace, pod->name, answer->message);
        pod->cluster->patience.ms = 0;
        pod->told = pod->sent;
        pod->told_at = client_succeeded(answer) ? revision_of(answer) : 0;
        cluster_report_later(pod); /* it may be another one by now */
        heard(pod->cluster);
}

static void on_buried(void *data, const struct client_answer *answer) {
        struct cluster_pod *pod = data;

        pod->call = NULL;
        if (is_denied(answer))
                return deny(pod, KEEPS, answer);
        if (is_missing(answer))
                return wait_for_watch(pod);
        if (!client_succeeded(answer) && !is_final(answer))
                return retry(pod);
        if (is_final(answer) && answer->code != 409)
                log_warning("pod %s/%s: the API service " KEEPS ": %s", pod->namespace, pod->name, answer->message);
        pod->buried = true;
        heard(pod->cluster);
}

static void ask(struct cluster_pod *pod, struct client_request *q, client_done done) {
        q->kind = &cluster_pods;
        q->namespace = pod->namespace;
        q->name = pod->name;
        if (client_ask(pod->cluster->client, q, done, pod, &pod->call) < 0)
                retry(pod);
}

static void tell_text(struct cluster_pod *pod, const char *text, size_t length) {
        struct client_request q = { .verb = KUBE_VERB_PATCH,
                                    .sub = "status",
                                    .patch = CLIENT_PATCH_STRATEGIC,
                                    .body = text,
                                    .length = length };

        pod->sent = hash_bytes(text, length);
        if (pod->sent == pod->told) {
                cluster_pod_told(pod);
                return heard(pod->cluster);
        }
        ask(pod, &q, on_answer);
}

static void tell(struct cluster_pod *pod) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        struct kube_pod_status status;
        size_t length;
        int r = read_status(pod, arena, &status);

        if (r == -ENOENT || (r == 0 && cluster_hold(pod, &status)))
                return;
        if (r < 0 || status_patch(pod, &status, &text, &length) < 0)
                return retry(pod);
        tell_text(pod, text, length);
}

/* -- a pod of which nothing is left ------------------------------------------------------------------------ */

/* The last status, when the service has not taken what says that the pod has ended: once the node forgets the pod there
 * is no other. */
static void keep_last(struct cluster_pod *pod) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct kube_pod_status status;

        if (read_status(pod, arena, &status) < 0 || (!pod->call && pod->told && cluster_has_ended(pod, &status) &&
                                                     cluster_has_ended(pod, &status) == pod->ended))
                return;
        if (status_patch(pod, &status, &pod->last, &pod->last_length) < 0)
                log_error("pod %s/%s: out of memory: its last status is not told", pod->namespace, pod->name);
}

static void drop_last(struct cluster_pod *pod) {
        free(pod->last);
        pod->last = NULL;
}

size_t cluster_delete_now(const char *uid, char ret_options[CLUSTER_DELETE_MAX]) {
        return (size_t)snprintf(ret_options, CLUSTER_DELETE_MAX,
                                "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"%s\"}}", uid);
}

static void bury(struct cluster_pod *pod) {
        struct client_request q = { .verb = KUBE_VERB_DELETE };
        char options[CLUSTER_DELETE_MAX];

        q.length = cluster_delete_now(pod->uid, options);
        q.body = options;
        ask(pod, &q, on_buried);
}

/* What is under way when the pod has gone may be the last status already. */
static void tell_last(struct cluster_pod *pod) {
        if (pod->last && hash_bytes(pod->last, pod->last_length) == pod->told)
                drop_last(pod);
        if (pod->last)
                tell_text(pod, pod->last, pod->last_length);
        else
                bury(pod);
}

static void on_timer(uv_timer_t *timer) {
        struct cluster *c = timer->data;
        struct cluster_due due = { 0 };
        struct cluster_pod *pod;

        cluster_due_take(&due, &c->due);
        while ((pod = cluster_due_pop(&due))) {
                if (pod->gone && !pod->buried)
                        tell_last(pod);
                else if (!pod->gone)
                        tell(pod);
        }
}

void cluster_pod_changed(struct cluster *c, const char *uid) {
        struct cluster_mirror *mirror = cluster_mirror_of(c, uid);
        struct cluster_pod *pod = mirror ? mirror->object : cluster_pod_find(c, uid);

        if (pod)
                cluster_report_later(pod);
}

void cluster_pod_gone(struct cluster *c, const char *uid) {
        struct cluster_pod *pod = cluster_pod_find(c, uid);

        if (!pod || !pod->ends)
                return;
        if (!pod->gone)
                keep_last(pod);
        pod->gone = true;
        cluster_report_later(pod);
}
