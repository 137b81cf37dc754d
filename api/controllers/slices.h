/* What the files of the EndpointSlices' controller share. */
#pragma once

#include "api/controllers/backends.h"
#include "kube/discovery_v1.h"

#define SLICES_ENDPOINTS_MAX 100 /* kube-controller-manager's --max-endpoints-per-slice */
#define SLICES_PORTS_MAX 64      /* of a Service; those beyond have no end points by name */
#define SLICES_MANAGER "endpointslice-controller.k8s.io"
#define SLICES_MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define SLICES_SERVICE "kubernetes.io/service-name"

enum { SLICES_SLICES = BACKENDS_OTHERS, SLICES_NODES };

typedef struct kube_discovery_v1_endpoint_slice slice;

/* An end point with what it points to. */
struct slices_endpoint {
        struct kube_discovery_v1_endpoint endpoint;
        const char *addresses[KNOWN_IPS_MAX];
        struct kube_object_reference target;
};

/* A pod behind the Service. */
struct slices_member {
        struct known_object *pod;
        const char *zone; /* NULL: none */
        uint32_t group;
        bool placed;
};

/* Pods with the same ports. */
struct slices_group {
        const int32_t *numbers; /* of each of the Service's ports; -1: none */
        kube_discovery_v1_endpoint_port_items ports;
        uint32_t n, n_placed; /* its members */
};

/* A slice as it is to be. */
struct slices_wanted {
        const struct known_object *there; /* NULL: it is to be made */
        const slice *before;
        kube_discovery_v1_endpoint_port_items ports;
        struct kube_discovery_v1_endpoint *endpoints; /* SLICES_ENDPOINTS_MAX */
        uint32_t n, group;
        bool changed, removed;
};

/* The slices of one Service and one family of addresses. All is in the task's arena. */
struct slices_plan {
        struct arena *arena;
        const struct known_object *service;
        const struct kube_service *typed;
        bool ipv6;
        const struct known *pods, *nodes, *slices;
        struct slices_member *members; /* whose pods are marked with their place */
        struct slices_group *groups;
        struct slices_wanted *wanted;
        uint32_t n_members, n_groups, n_wanted;
};

/* What there is: members, groups, slices. -ENOMEM. */
int slices_gather(struct slices_plan *plan);

/* What is to be: an end point that is placed stays in its slice, and as few slices as possible change. -ENOMEM. */
int slices_place(struct slices_plan *plan);

/* --- slices_write.c: for whoever puts slices together --- */

/* Of what: a Service, or Endpoints. */
struct slices_owner {
        const struct known_object *object;
        const struct known *kind; /* those of its kind */
        struct known *slices;
        unsigned fine;               /* TASK_..._IS_FINE, of both; */
        task_answered made, written; /* behind that; NULL: nothing */
};

/* Writes @content's type, end points, ports, labels and annotations: over @there, which was @before, or, where that is
 * NULL, into a slice that is made for @owner. -ENOMEM or 0. */
int slices_write(struct task *task, const struct slices_owner *owner, const struct known_object *there,
                 const slice *before, const slice *content);
void slices_remove(struct task *task, struct known *slices, const struct known_object *object);

/* A handler of @watch's slices: those of @manager make their Service due. */
void slices_on_slice(struct controller *controller, unsigned watch, const char *manager);

/* --- the pods' --- */

/* Makes the end point of @member. */
void slices_make(const struct slices_plan *plan, const struct slices_member *member,
                 struct slices_endpoint *ret_endpoint);
bool slices_same(const struct kube_discovery_v1_endpoint *a, const struct kube_discovery_v1_endpoint *b);
bool slices_same_ports(const kube_discovery_v1_endpoint_port_items *a, const kube_discovery_v1_endpoint_port_items *b);
