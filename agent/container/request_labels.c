/* What a container is known by: labels and annotations, as kubelet sets them (kuberuntime/labels.go). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/request_internal.h"
#include "kube/codec/codec.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define REQUEST_ANNOTATIONS 8 /* of kubelet's own */

static const char *ports_json(struct arena *arena, const struct kube_container *c) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        json_begin_list(&w);
        list_for_each (port, &c->ports)
                kube_json_write(&w, &kube_container_port_type, port);
        json_end_list(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

static const char *handler_json(struct arena *arena, const struct kube_lifecycle_handler *handler) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;

        kube_json_write(&w, &kube_lifecycle_handler_type, handler);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

static uint32_t fnv1a(uint32_t hash, const char *text) {
        for (const char *p = text; *p; p++)
                hash = (hash ^ (unsigned char)*p) * 16777619u;
        return hash;
}

/* As kubelet's HashContainer(): FNV-1a of how Go prints the bytes of the JSON of image and name. */
static const char *hash_text(struct arena *arena, const struct member *m) {
        const char *json = arena_printf(arena, "{\"image\":\"%s\",\"name\":\"%s\"}", m->spec->image, m->spec->name);
        uint32_t hash = fnv1a(2166136261u, "([]uint8)[");
        char number[8];

        if (!json)
                return NULL;
        for (const char *p = json; *p; p++) {
                snprintf(number, sizeof(number), p == json ? "%u" : " %u", (unsigned char)*p);
                hash = fnv1a(hash, number);
        }
        return arena_printf(arena, "%x", fnv1a(hash, "]"));
}

/* What only some containers have. */
static void add_own(struct request_pairs *notes, const struct member *m) {
        const struct opt_int *grace = &m->host->pod->spec.termination_grace_period_seconds;

        if (m->spec->termination_message_path)
                request_pairs_add(notes, "io.kubernetes.container.terminationMessagePath",
                                  m->spec->termination_message_path);
        if (grace->set)
                request_pairs_add(notes, "io.kubernetes.pod.terminationGracePeriod",
                                  arena_printf(notes->arena, "%lld", (long long)grace->value));
        if (m->spec->lifecycle && m->spec->lifecycle->pre_stop)
                request_pairs_add(notes, "io.kubernetes.container.preStopHandler",
                                  handler_json(notes->arena, m->spec->lifecycle->pre_stop));
        if (m->spec->ports.count)
                request_pairs_add(notes, "io.kubernetes.container.ports", ports_json(notes->arena, m->spec));
}

bool member_request_labels(struct arena *arena, const struct member *m, const struct node_grant *grant,
                           Cri__ContainerConfig *config) {
        struct request_pairs labels =
                request_pairs_new(arena, &cri__container_config__labels_entry__descriptor, REQUEST_POD_LABELS + 1);
        struct request_pairs notes = request_pairs_new(arena, &cri__container_config__annotations_entry__descriptor,
                                                       REQUEST_ANNOTATIONS + grant->annotations.count);

        request_pairs_add(&labels, "io.kubernetes.container.name", m->spec->name);
        request_pairs_add_pod(&labels, m->host->pod);
        list_for_each (pair, &grant->annotations)
                request_pairs_add(&notes, pair->key, pair->value);
        request_pairs_add(&notes, "io.kubernetes.container.hash", hash_text(arena, m));
        request_pairs_add(&notes, "io.kubernetes.container.restartCount",
                          arena_printf(arena, "%u", member_next_attempt(m)));
        request_pairs_add(&notes, "io.kubernetes.container.terminationMessagePolicy",
                          m->spec->termination_message_policy);
        add_own(&notes, m);
        config->labels = labels.items;
        config->n_labels = labels.n;
        config->annotations = notes.items;
        config->n_annotations = notes.n;
        return !labels.failed && !notes.failed;
}
