/* The node's own Node as the service has it: what it is called by others, labels above all (kubelet's nodeLister). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "lib/arena.h"
#include "lib/log.h"

static void clear(struct cluster_own *own) {
        arena_free(own->arena);
        own->arena = NULL;
        own->uid = NULL;
        own->labels = (string_map){ 0 };
        own->capacity = own->allocatable = (resource_list){ 0 };
}

static void on_changed(struct informer_handler *handler, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct cluster *c = (struct cluster *)((char *)handler - offsetof(struct cluster, own.heard));
        struct arena *arena = arena_new();
        struct kube_node node = { 0 };
        bool replaced, differs;

        if (!arena || client_object_read(arena, object, &kube_node_type, &node) < 0) {
                log_error("node %s: what the API service has of it cannot be read", object->name);
                arena_free(arena);
                return;
        }
        replaced = c->own.gone || (c->own.uid && strcmp(c->own.uid, node.metadata.uid ?: "") != 0);
        differs = cluster_declares_other(&c->own.capacity, &node.status.capacity);
        clear(&c->own);
        c->own.gone = change == CLIENT_DELETED;
        if (change == CLIENT_DELETED) {
                arena_free(arena);
                return;
        }
        c->own.arena = arena;
        c->own.uid = node.metadata.uid;
        c->own.labels = node.metadata.labels;
        c->own.capacity = node.status.capacity;
        c->own.allocatable = node.status.allocatable;
        cluster_mirrors_owned(c);
        if (replaced)
                cluster_node_replaced(c);
        else if (differs)
                cluster_node_changed(c);
        cluster_node_heard(c, &node.status);
}

/* What it is called is known before the first pod asks whether it may run on a node that is called so. */
static void on_synced(void *data) {
        struct cluster *c = data;

        if (informers_start(c->informers) < 0)
                log_error("the API service's pods are not heard of: out of memory");
}

int cluster_own_start(struct cluster *c) {
        struct informer *informer;

        c->own.heard = (struct informer_handler){ .changed = on_changed };
        if (asprintf(&c->own.fields, "metadata.name=%s", c->options->node_name) < 0) {
                c->own.fields = NULL;
                return -ENOMEM;
        }
        c->own.informers = informers_new(c->client, on_synced, c);
        informer = c->own.informers ? informers_get(c->own.informers, &cluster_nodes, c->own.fields, false) : NULL;
        if (!informer)
                return -ENOMEM;
        informer_add(informer, &c->own.heard);
        return informers_start(c->own.informers);
}

void cluster_own_stop(struct cluster *c) {
        informers_free(c->own.informers);
        c->own.informers = NULL;
        clear(&c->own);
        free(c->own.fields);
        c->own.fields = NULL;
}

const string_map *cluster_node_labels(const struct cluster *c) {
        return c->own.arena ? &c->own.labels : NULL;
}
