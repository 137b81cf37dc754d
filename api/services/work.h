/* What the files of this room share: one Service that is made or changed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/services/cluster_ip.h"
#include "kube/core_v1.h"
#include "kube/problem.h"

struct api_state;
struct err;
struct addresses;
struct ports;
struct value;

struct api_services {
        struct api_state *state;
        const char *ranges; /* of the command line */
        struct addresses *addresses;
        struct ports *ports;
        bool six, both;                       /* the family of those that name none; whether both are there */
        bool loaded;                          /* all is read that was there */
        char advertised[CLUSTER_IP_TEXT_MAX]; /* "": to nobody */
        unsigned port;
        struct services_follow *follow;
};

struct arena;
struct object;

/* A follower of Services, IPAddresses and ServiceCIDRs; reads what is there. @services outlives it. */
int services_follow_new(struct api_services *services, struct services_follow **ret_follow);
struct services_follow *services_follow_free(struct services_follow *follow); /* NULL is fine */

/* Brings the IPAddress of @address in line with who has it: made, or gone, a moment later. On the writer's thread or
 * before anything is served. */
int services_record(struct api_services *services, const struct cluster_ip *address);

/* Whether @object is an IPAddress that services_record() has made. */
bool services_is_record(const struct value *object);

/* The Endpoints of @object, a Service that has gone, go as well. */
int services_forget_endpoints(struct api_services *services, const struct object *object);

/* The Service that leads to this server, the Endpoints or EndpointSlice that it leads by, or the ServiceCIDR of the
 * command line has gone: it comes back. As services_record(). */
int services_restore_own(struct api_services *services, const char *group, const char *resource);

/* What is there from the first start on. Block. */
int services_make_range(struct api_services *services, struct err **err);
int services_make_own(struct api_services *services, struct err **err);

/* What a request has claimed; its own. */
struct service_claims {
        struct api_services *services;
        struct cluster_ip addresses[2];
        unsigned n_addresses;
        int32_t *ports;
        uint32_t n_ports;
};

struct service_work {
        struct arena *arena;
        struct api_services *services;
        struct kube_service *service;
        const struct kube_service *old; /* NULL: it is made */
        struct service_claims *claims;
        struct problems problems;
        bool dry;
        const char *internal; /* what has failed, where nothing of the Service is wrong */
};

/* Functions that work on one give 0; -EINVAL, with errors in @problems; -EIO, with @internal; or -ENOMEM. */

/* What clusterIP and clusterIPs say of each other (normalize), and what was given before and is not said again. */
int service_families_normalize(struct service_work *w);
int service_families_keep(struct service_work *w);

/* ipFamilyPolicy and ipFamilies, of what is said and what there is. */
int service_families_choose(struct service_work *w);
bool service_families_settled(const struct service_work *w);

/* Addresses of the families that have none yet. */
int service_addresses_give(struct service_work *w);

int service_ports_give(struct service_work *w);

/* What a new type does not have any more goes, where nobody has asked for it to stay. */
int service_types_drop(struct service_work *w);

/* --- of Services --- */

bool service_has_addresses(const struct kube_service *service); /* all but ExternalName */
bool service_has_node_ports(const struct kube_service *service);
bool service_has_health_port(const struct kube_service *service);
bool service_is_headless(const struct kube_service *service);
bool service_same_list(const string_list *a, const string_list *b);

/* A list's JSON, for errors; in the arena, "" without memory. */
const char *service_list_text(struct arena *arena, const string_list *list);
int service_list_add(struct arena *arena, string_list *list, const char *text);
