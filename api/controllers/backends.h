/* Which pods stand behind a Service, and at which port: for the controllers of Endpoints and of EndpointSlices.
 */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/known.h"
#include "kube/core_v1.h"

#define BACKENDS_TRIGGER "endpoints.kubernetes.io/last-change-trigger-time"
#define BACKENDS_HEADLESS "service.kubernetes.io/headless"

/* What both of them watch first. */
enum { BACKENDS_SERVICES, BACKENDS_PODS, BACKENDS_OTHERS };

/* controller_kind.start and .stop of both. */
int backends_start(struct controller *controller);
void backends_stop(struct controller *controller);

/* Of a change of a pod, the Services that select it now or did before are due, @ns from now; of a Service, itself. */
void backends_on_pod(struct controller *controller, uint64_t ns);
void backends_on_service(struct controller *controller, const struct client_object *object,
                         const struct client_object *old);

/* When what has made @key due first came to be, s since 1970; 0: not known. Asked once for each time that it is due. */
int64_t backends_trigger(struct controller *controller, const char *key);

/* Whether it gets end points by its selector. */
bool backends_has(const struct known_object *service, const struct kube_service *typed);

/* Whether @pod is behind a Service that takes such as are going too, or does not. */
bool backends_takes(const struct known_object *pod, bool going);

/* The port of the pod at which @port ends; -1: it has none. */
int32_t backends_port(const struct known_object *pod, const struct kube_service_port *port);

/* The pod's name in the Service's domain; NULL: none. */
const char *backends_hostname(const struct known_object *pod, const struct known_object *service);

bool backends_is_ipv6(const char *address);
bool backends_is_headless(const struct kube_service *service);

/* @labels without the keys of @more, and with those of its @n pairs that have a value: sorted, in @arena. -ENOMEM. */
int backends_labels(struct arena *arena, const string_map *labels, const struct string_pair *more, uint32_t n,
                    string_map *ret_labels);

/* The annotations with the time of the trigger, or without where there is none. */
int backends_annotations(struct arena *arena, const string_map *there, int64_t trigger, string_map *ret_annotations);
