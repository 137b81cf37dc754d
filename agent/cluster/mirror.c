/* Mirror pods: what the service shows of the pods that it does not know of, those of the node's directory
 * (pkg/kubelet/pod/mirror_client.go). Each has one object of its namespace and name, annotated with its hash and owned
 * by the Node; the object is made, made anew when it was deleted or is another pod's, and goes when the pod does. It
 * never runs: its status is told as that of the pod. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "kube/codec/codec.h"
#include "kube/pod/pod.h"
#include "lib/cleanup.h"
#include "lib/handle.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"

#define MIRROR "kubernetes.io/config.mirror"
#define HASH "kubernetes.io/config.hash"

static void turn(struct cluster_mirror *m);

static const char *annotation(const struct pod *pod, const char *key) {
        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, key) == 0)
                        return a->value;
        return "";
}

/* -- the pairs ---------------------------------------------------------------------------------------------- */

static struct cluster_mirror *find(const struct cluster *c, const char *namespace, const char *name) {
        _cleanup_free_ char *key = NULL;

        if (asprintf(&key, "%s/%s", namespace, name) < 0) {
                key = NULL;
                return NULL;
        }
        return table_object(table_find(&c->mirrors_by_key, key), struct cluster_mirror, by_key);
}

static struct cluster_mirror *get(struct cluster *c, const char *namespace, const char *name) {
        struct cluster_mirror *m = find(c, namespace, name);
        size_t n = strlen(namespace) + strlen(name) + 2;

        if (m || !(m = calloc(1, sizeof(*m) + n)))
                return m;
        m->cluster = c;
        snprintf(m->key, n, "%s/%s", namespace, name);
        if (table_add(&c->mirrors_by_key, &m->by_key, m->key) < 0) {
                free(m);
                return NULL;
        }
        cluster_mirrors_append(&c->mirrors, m);
        return m;
}

static int set_pod(struct cluster_mirror *m, struct pod *pod) {
        struct cluster *c = m->cluster;

        if (m->pod)
                table_remove(&c->mirrors_by_uid, &m->by_uid);
        m->pod = pod_unref(m->pod);
        if (!pod)
                return 0;
        if (table_add(&c->mirrors_by_uid, &m->by_uid, pod->metadata.uid) < 0)
                return -ENOMEM;
        m->pod = pod_ref(pod);
        return 0;
}

static void drop(struct cluster_mirror *m) {
        struct cluster *c = m->cluster;

        client_cancel(m->call);
        set_pod(m, NULL);
        if (m->object)
                m->object->mirror = NULL;
        cluster_mirrors_remove(m);
        table_remove(&c->mirrors_by_key, &m->by_key);
        free(m);
}

struct cluster_mirror *cluster_mirror_of(const struct cluster *c, const char *uid) {
        return table_object(table_find(&c->mirrors_by_uid, uid), struct cluster_mirror, by_uid);
}

static void turn_all(struct cluster *c) {
        LIST_EACH (cluster_mirrors, m, &c->mirrors)
                turn(m);
}

static void on_timer(uv_timer_t *timer) {
        turn_all(timer->data);
}

static void again_later(struct cluster *c) {
        if (!uv_is_active((uv_handle_t *)c->mirror_timer))
                uv_timer_start(c->mirror_timer, on_timer, cluster_back_off(&c->mirror_patience), 0);
}

/* -- requests ----------------------------------------------------------------------------------------------- */

/* The pod as its mirror. NULL without memory. */
static char *mirror_text(const struct cluster_mirror *m, size_t *ret_length) {
        const struct pod *pod = m->pod;
        struct kube_owner_reference owner = { .api_version = "v1",
                                              .kind = "Node",
                                              .name = m->cluster->options->node_name,
                                              .uid = m->cluster->own.uid,
                                              .controller = TRI_TRUE };
        _cleanup_free_ struct string_pair *notes = calloc(pod->metadata.annotations.count + 1, sizeof(*notes));
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct pod copy = *pod;
        char *text = NULL;
        uint32_t n = 0;

        if (!notes)
                return NULL;
        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, MIRROR) != 0)
                        notes[n++] = *a;
        notes[n++] = (struct string_pair){ MIRROR, annotation(pod, HASH) };
        copy.metadata.annotations = (string_map){ .items = notes, .count = n };
        copy.metadata.owner_references = (kube_owner_reference_items){ .items = &owner, .count = 1 };
        copy.metadata.uid = NULL;
        if (pod_write(&copy, NULL, &w) < 0)
                return NULL;
        return json_writer_finish(&w, &text, ret_length) < 0 ? NULL : text;
}

static void on_answer(void *data, const struct client_answer *answer) {
        struct cluster_mirror *m = data;
        struct cluster *c = m->cluster;
        bool creating = m->state == CLUSTER_MIRROR_CREATING;

        m->call = NULL;
        if (client_succeeded(answer) || (!creating && (answer->code == 404 || answer->code == 409))) {
                m->refused_said = false;
                c->mirror_patience.ms = 0;
                return; /* what came of it is heard by the watch */
        }
        m->state = CLUSTER_MIRROR_AT_REST;
        if (!m->refused_said && answer->code >= 400 && answer->code < 500 && answer->code != 429)
                log_warning("pod %s: the API service %s its mirror pod: %s", m->key,
                            creating ? "does not take" : "does not delete", answer->message);
        m->refused_said |= answer->code >= 400 && answer->code < 500;
        again_later(c);
}

static void ask(struct cluster_mirror *m, struct client_request *q, enum cluster_mirror_state state) {
        char namespace[CLIENT_NAME_MAX];

        snprintf(namespace, sizeof(namespace), "%.*s", (int)strcspn(m->key, "/"), m->key);
        q->kind = &cluster_pods;
        q->namespace = namespace;
        m->state = state;
        if (client_ask(m->cluster->client, q, on_answer, m, &m->call) < 0) {
                m->state = CLUSTER_MIRROR_AT_REST;
                again_later(m->cluster);
        }
}

static void create(struct cluster_mirror *m) {
        struct client_request q = { .verb = KUBE_VERB_CREATE };
        _cleanup_free_ char *text = NULL;

        if (!m->cluster->own.uid) /* it is heard of when there is a Node to own it */
                return;
        if (!(text = mirror_text(m, &q.length)))
                return again_later(m->cluster);
        q.body = text;
        ask(m, &q, CLUSTER_MIRROR_CREATING);
}

static void delete (struct cluster_mirror *m) {
        struct client_request q = { .verb = KUBE_VERB_DELETE, .name = strchr(m->key, '/') + 1 };
        char options[CLUSTER_DELETE_MAX];

        q.length = cluster_delete_now(m->object->uid, options);
        q.body = options;
        ask(m, &q, CLUSTER_MIRROR_DELETING);
}

static bool is_right(const struct cluster_mirror *m) {
        return m->pod && !m->object->ends && strcmp(m->object->mirror_hash, annotation(m->pod, HASH)) == 0;
}

static void turn(struct cluster_mirror *m) {
        struct cluster *c = m->cluster;

        if (!c->statics_known || !c->listed || m->state != CLUSTER_MIRROR_AT_REST)
                return;
        if (m->object && !is_right(m))
                delete (m);
        else if (m->object)
                cluster_report_later(m->object);
        else if (m->pod)
                create(m);
        else
                drop(m);
}

/* -- what is heard ------------------------------------------------------------------------------------------ */

const char *cluster_mirror_hash(const struct value *metadata) {
        return value_string(value_get(value_get(metadata, "annotations"), MIRROR));
}

void cluster_mirror_seen(struct cluster_pod *object) {
        struct cluster_mirror *m = get(object->cluster, object->namespace, object->name);

        if (!m) {
                log_error("mirror pod %s/%s: out of memory", object->namespace, object->name);
                return;
        }
        if (m->object != object)
                m->state = CLUSTER_MIRROR_AT_REST;
        m->object = object;
        object->mirror = m;
        turn(m);
}

void cluster_mirror_lost(struct cluster_pod *object) {
        struct cluster_mirror *m = object->mirror;

        if (!m || m->object != object)
                return;
        m->object = NULL;
        client_cancel(m->call);
        m->call = NULL;
        m->state = CLUSTER_MIRROR_AT_REST;
        turn(m);
}

void cluster_mirrors_listed(struct cluster *c) {
        LIST_EACH (cluster_mirrors, m, &c->mirrors)
                if (!m->object && !m->call)
                        m->state = CLUSTER_MIRROR_AT_REST;
        turn_all(c);
}

void cluster_mirrors_owned(struct cluster *c) {
        turn_all(c);
}

int cluster_static_pod(struct cluster *c, struct pod *pod) {
        struct cluster_mirror *m = get(c, pod->metadata.namespace, pod->metadata.name);

        if (!m)
                return -ENOMEM;
        if (set_pod(m, pod) < 0)
                return -ENOMEM;
        turn(m);
        return 0;
}

void cluster_static_gone(struct cluster *c, const char *uid) {
        struct cluster_mirror *m = cluster_mirror_of(c, uid);

        if (!m)
                return;
        set_pod(m, NULL);
        turn(m);
}

void cluster_statics_known(struct cluster *c) {
        c->statics_known = true;
        turn_all(c);
}

int cluster_mirrors_start(struct cluster *c) {
        return (c->mirror_timer = handle_timer(c->loop, c)) ? 0 : -ENOMEM;
}

void cluster_mirrors_stop(struct cluster *c) {
        LIST_EACH (cluster_mirrors, m, &c->mirrors)
                drop(m);
        table_clear(&c->mirrors_by_key);
        table_clear(&c->mirrors_by_uid);
        handle_free(c->mirror_timer);
        c->mirror_timer = NULL;
}
