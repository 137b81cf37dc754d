/* What the files of this folder share. Nobody else includes it. */
#pragma once

#include <stdint.h>

#include "client/client.h"
#include "client/informer.h"
#include "cni/balancer.h"
#include "cni/network.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/list.h"
#include "lib/table.h"
#include "services/job.h"
#include "services/services.h"

extern const struct kube_kind services_nodes, services_services, services_slices;

/* --- nodes.c: other nodes, and what the cluster says of this one --- */

struct node {
        struct table_node by_name;
        struct list_node in_all;
        struct ip_cidr cidrs[SERVICES_CIDRS_MAX];
        struct ip addresses[2]; /* one a family */
        size_t n_cidrs, n_addresses;
        bool listed;
        char name[];
};
LIST_DEFINE(nodes_all, struct node, in_all)

struct nodes {
        struct informers *informers;
        struct informer_handler heard;
        struct nodes_all all;
        struct table by_name;
        struct services_cidrs own; /* what the network has, or is to have */
        uv_timer_t *timer;         /* then the kernel is brought to it */
        struct services_job *job;
        bool changed; /* since the job began */
        bool synced;
        bool warned; /* of CIDRs that the user has given */
        /* The job's: what it works on, and what came of it. */
        struct arena *arena;
        struct network_cluster cluster;
        struct services_cidrs wanted;
        struct err *unready, *failure;
        char *kept; /* what is in the file, or is to be; NULL: it is not known */
        bool keeps; /* the job is to write it */
        /* What was told of it. */
        char why[ERR_TEXT_MAX]; /* why the network is not ready; "": it is */
        char said[ERR_TEXT_MAX];
};

/* --- model.c: Services and their EndpointSlices --- */

struct model_port {
        const char *name; /* "": it has none */
        uint16_t port;
        uint8_t protocol;
};

/* Who is behind a front, by their numbers. */
struct front_ends {
        struct balancer_back *backs;
        size_t n;
        uint32_t keep; /* seconds that a sender stays with one of them after it came last; 0: it does not */
};

/* Of one that was found: it keeps senders, for a time that nobody knows. */
#define FRONT_KEEPS UINT32_MAX

#define FRONT_KEY_MAX 40

/* What the kernel has of an address and port, or is about to. */
struct service_front {
        struct table_node by_key;
        struct list_node in_list;      /* its Service's; or of those that are found */
        struct model_service *service; /* NULL: it was found in the kernel, and nobody has asked for it yet */
        struct balancer_front at;
        struct front_ends has;
        size_t beyond;   /* of its backs, beyond its Service's share */
        uint32_t count;  /* of one that was found: what is drawn below */
        uint32_t update; /* the last that asked for it */
        char key[];
};
LIST_DEFINE(front_list, struct service_front, in_list)

struct slice_end {
        struct ip ip;
        bool ready, ends; /* @ends: it serves until it has ended */
        bool local;
};

struct slice {
        struct table_node by_key;
        struct list_node in_service;
        struct model_service *service;
        struct arena *arena;            /* with all of it */
        const struct model_port *ports; /* in the order of model_compare_ports() */
        const struct slice_end *ends;
        size_t n_ports, n_ends;
        bool listed;
        const char *key;
};
LIST_DEFINE(slices, struct slice, in_service)

struct model_service {
        struct table_node by_key;
        struct list_node in_all, in_due;
        struct slices slices;
        bool there, listed;
        /* What the Service says, while it is there. */
        struct arena *arena;
        const struct ip *ips;
        const struct model_port *ports;
        size_t n_ips, n_ports;
        bool local_only;
        uint32_t keep; /* of its fronts */
        /* What the kernel has, or is about to. */
        struct front_list fronts;
        struct ip *addresses;
        size_t n_addresses;
        bool lacks, told; /* other Services have what it asks for; that was told of */
        bool cut;         /* it asks for more than a Service may; it was told */
        char key[];
};
LIST_DEFINE(services_all, struct model_service, in_all)
LIST_DEFINE(services_due, struct model_service, in_due)

/* Addresses of which the kernel knows each once, and @uses times it is asked for. */
struct counted_ip {
        struct table_node by_ip;
        struct list_node in_all;
        unsigned uses; /* 0: it was found in the kernel, and nobody has asked for it yet */
        struct ip ip;
        char text[];
};
LIST_DEFINE(counted_all, struct counted_ip, in_all)

struct counted {
        enum balancer_kind kind;
        struct counted_all all;
        struct table by_ip;
};

/* What is known of the kernel's table. */
enum balance_state {
        BALANCE_UNREAD, /* nothing: it is to be read */
        BALANCE_READ,   /* what there is; not yet what it is to be, nor its rules */
        BALANCE_ABSENT, /* that it is no use: it is to be begun anew */
        BALANCE_KNOWN,
};

struct balance {
        enum balance_state state;
        struct counted addresses, selfs; /* Services'; those of this node's pods that are behind some */
        struct table fronts_by_key;
        struct front_list found; /* of no Service yet */
        struct informers *informers;
        struct informer_handler heard_services, heard_slices;
        struct services_all all;
        struct services_due due;
        struct table by_key, slices_by_key;
        struct balancer *balancer;
        uv_timer_t *timer, *unheard;
        struct services_job *job;
        size_t n_there;   /* Services */
        size_t n_beyond;  /* backs, of all */
        unsigned listing; /* lists that are under way: what is known then is not what there is */
        bool synced;
        uint32_t updates;
        bool looks;   /* whether the kernel still has what is known */
        bool renew;   /* what is known is of no use any more */
        bool sweeps;  /* what was found is to go where nobody has asked for it */
        bool lacking; /* what a Service had others may ask for now */
        bool lackers; /* some have begun to lack something */
        /* The job's. */
        struct balancer_change *changes; /* that are to be made, or have made what is found */
        size_t n_changes, size, weight;
        struct balancer_options options;
        struct services_cidrs cidrs;
        struct err *failure;
        enum balance_state was; /* when it began */
        char said[ERR_TEXT_MAX];
};

struct services {
        struct services_config config;
        struct nodes nodes;
        struct balance balance;
        struct netlink *host; /* events of addresses and routes */
        uv_poll_t *poll;
        uv_timer_t *moved;
};

int nodes_init(struct services *s, const struct services_cidrs *own);
int nodes_start(struct services *s);
void nodes_done(struct services *s);
void nodes_later(struct services *s, unsigned ms); /* the kernel is brought to what is known */

int model_init(struct services *s);
int model_compare_ports(const struct model_port *a, const struct model_port *b); /* by name and protocol */
int model_start(struct services *s);
void model_done(struct services *s);

/* stored.c: DIRECTORY/network */
char *stored_text(const struct services_cidrs *own, const struct network_cluster *cluster); /* NULL without memory */
int stored_read(struct services *s); /* the nodes of before. -ENOMEM or 0 */
int stored_write(const char *directory, const char *text, struct err **err);
struct node *nodes_add(struct services *s, const char *name); /* one that is not there; NULL: no room, no memory */

/* read.c: objects to what is kept of them. -EINVAL, -ENOMEM. */
int read_node(const struct client_object *object, struct node *ret_node);
int read_service(const struct client_object *object, struct model_service *ret_service);
/* @ret_owner: the key of its Service, in the slice's arena; NULL: it has none. */
int read_slice(const struct client_object *object, const char *node, struct slice **ret_slice, const char **ret_owner);

/* fronts.c: what the kernel needs of a service, as changes of what it has. -ENOMEM: what is known is of no use any
 * more. */
int fronts_update(struct services *s, struct model_service *service);
/* What a table that was read has becomes what is known of the kernel. -EINVAL: nothing of this program's is so. */
int fronts_find(struct balance *b, const struct balancer_change *changes, size_t n);
int fronts_sweep(struct services *s); /* what was found goes where nobody has asked for it */
void fronts_done(struct balance *b, struct model_service *service);
void fronts_forget(struct balance *b); /* nothing is known any more */
size_t fronts_cap(
        const struct model_service *service); /* how many may be behind each of its fronts, of which there are some */

/* ends.c: who is behind a port of a service, and the changes that lead to them */
int ends_find(const struct model_service *service, const struct model_port *port, uint8_t family,
              struct balancer_back **ret_wanted, size_t *ret_n); /* in order, each once. -ENOMEM */
/* @now has no backs yet, which are @wanted's, @now->n: they get their numbers. -ENOMEM. */
int ends_change(struct balance *b, const struct balancer_front *at, const struct front_ends *old,
                const struct balancer_back *wanted, struct front_ends *now);

/* counted.c: changes of addresses. -ENOMEM. */
int counted_use(struct balance *b, struct counted *counted, const struct ip *ip, bool more);
int counted_find(struct counted *counted, const struct ip *ip); /* it is in the kernel */
int counted_sweep(struct balance *b, struct counted *counted);
void counted_forget(struct counted *counted);

/* balance.c: the kernel is brought to it */
void balance_later(struct services *s, unsigned ms);
int balance_init(struct services *s);
void balance_done(struct services *s);
void balance_look(struct services *s);                                       /* whether the table is there still */
void balance_renew(struct services *s);                                      /* the pod CIDRs are others */
int balance_append(struct balance *b, const struct balancer_change *change); /* one more to be made. -ENOMEM */
void model_drop(struct services *s, struct model_service *service);          /* nothing says a word of it any more */

/* host.c */
int host_watch(struct services *s, struct err **err);
void host_done(struct services *s);
