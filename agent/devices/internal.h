/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/devices/devices.h"
#include "agent/devices/plugin.pb-c.h"
#include "lib/grpc/client.h"
#include "lib/grpc/server.h"
#include "lib/list.h"
#include "lib/table.h"

struct keeper;
struct finder;

/* Devices as their plugin has told them last, in the order of their names. */
struct device {
        const char *id;
        int64_t numa_node; /* the first; -1: none */
        uint32_t order;    /* in which it was told */
        bool healthy;
};

struct device_list {
        struct arena *arena; /* of all; NULL: none */
        struct device *items;
        size_t n, n_healthy;
};

/* Who is told, once, what became of a registration; the plugin is valid during the call alone. */
struct registrant {
        void (*done)(void *data, const struct err *err); /* NULL: he was told */
        void *data;
};

/* A plugin's connection. It goes on the loop's next turn after it was closed, when its calls have ended. */
struct plugin {
        struct list_node in_plugins;
        struct devices *devices;
        struct resource *resource; /* NULL: it has none yet, or it was closed */
        struct grpc_client *client;
        struct registrant registrant;
        char *name, *path; /* of the resource; of the socket */
        unsigned calls;    /* under way */
        bool pre_start, prefers;
        bool closed;
};

/* What plugins have of one name. */
struct resource {
        struct list_node in_resources;
        struct plugin *plugin; /* NULL: it is gone, or has not come back yet */
        struct device_list list;
        uint64_t gone_at;    /* ms, the loop's clock; without a plugin */
        uint64_t generation; /* of the record that will name it; 0: it is on the disk */
        bool recorded;       /* it is named there, or will be */
        char name[];
};

/* What a container has of one resource. */
struct grant {
        struct list_node in_grants;
        char *container, *resource;
        char **ids;
        int64_t *numa_nodes;
        size_t n;
        uint8_t *given; /* a Devices__Given */
        size_t given_size;
        size_t weight; /* bytes, of the record and of memory while it is read */
        bool pre_start;
};

LIST_DEFINE(plugins, struct plugin, in_plugins)
LIST_DEFINE(resources, struct resource, in_resources)
LIST_DEFINE(grants, struct grant, in_grants)

struct device_holder {
        struct table_node by_uid;
        struct list_node in_holders;
        struct grants grants;
        char uid[];
};

LIST_DEFINE(holders, struct device_holder, in_holders)
LIST_TYPE(requests);
LIST_TYPE(starts);

struct devices {
        struct devices_world world;
        char *dir, *record, *socket;
        struct keeper *keeper;
        struct grpc_server *server;
        struct finder *finder; /* NULL: no sockets are looked for */
        uv_timer_t *sweep;     /* closed plugins are freed */
        uv_timer_t *gone;      /* capacity of those that are gone ends */
        struct plugins plugins;
        struct resources resources;
        struct holders holders;
        struct table by_uid;
        struct requests requests;
        struct starts starts;
        size_t n_resources;
        size_t granted;     /* bytes of all grants */
        bool is_new, bound; /* no record was there; the socket is this one's */
};

/* A pod that is being given what it asks for. */
struct devices_request {
        struct list_node in_requests;
        struct devices *devices;
        struct pod *pod; /* a reference */
        void (*done)(void *data, const struct err *err);
        void *data;
        size_t container, limit;       /* where it is: of init containers, then containers; of that one's limits */
        const char *resource;          /* of the pod's: what is asked for now */
        struct grpc_client_call *call; /* under way, of @plugin */
        struct plugin *plugin;
        struct arena *arena; /* of what follows: made anew for each resource */
        const char **ids;    /* chosen so far; nobody else gets them */
        size_t n_ids, needed;
        const char **preferred; /* by the plugin */
        size_t n_preferred;
        uint8_t *given; /* by it: a Devices__Given */
        size_t given_size;
        uint64_t generation; /* of the record, when all is given; 0: not yet */
        struct err *failure; /* told on the loop's next turn */
        uv_timer_t *timer;
        bool cancelled;
};
LIST_FUNCTIONS(requests, struct devices_request, in_requests)

/* resource.c */
struct resource *resource_find(const struct devices *devices, const char *name);
struct resource *resource_make(struct devices *devices, const char *name, struct err **err); /* made if need be */
/* What a plugin says it has; what is no good in it is left out and told in the log. -E2BIG, -ENOMEM. */
int resource_set(struct resource *resource, struct devices *devices, const Devices__DeviceList *told, struct err **err);
void resource_lost(struct resource *resource, struct devices *devices); /* its plugin has gone */
const struct device *resource_device(const struct resource *resource, const char *id);
void resource_free(struct resource *resource);
void resource_watch_gone(struct devices *devices);
void resource_take(struct resource *resource, struct plugin *plugin); /* which has it: the record is to name it */
void resource_written(struct devices *devices, uint64_t generation);

/* plugin.c */
int plugin_open(struct devices *devices, const struct registrant *registrant, const char *name, const char *path,
                struct err **err);
void plugin_leave(struct devices *devices, const char *path); /* whoever is at that socket */
void plugin_free_all(struct devices *devices);

/* A call of a plugin: done() follows, not from within this, unless it returns a negative errno. */
int plugin_call(struct plugin *plugin, const struct grpc_client_request *request,
                const struct grpc_client_handlers *handlers, void *data, struct grpc_client_call **ret_call);
void plugin_call_ended(struct plugin *plugin);

/* "rpc error: code = NAME desc = TEXT", as Go's gRPC shows what ended a call. */
int plugin_error(struct err **err, enum grpc_code code, const char *text);

/* registration.c */
int registration_listen(struct devices *devices, struct err **err);
void registration_stop(struct devices *devices);

int registration_check(const char *version, const char *name, struct err **err); /* -EINVAL */

/* finder.c: plugins that are found by their sockets in @dir, which is made */
int finder_new(struct devices *devices, const char *dir, struct finder **ret_finder, struct err **err);
void finder_free(struct finder *finder); /* NULL is fine */

/* holder.c */
struct device_holder *holder_find(const struct devices *devices, const char *uid);
struct grant *grant_find(const struct devices *devices, const char *uid, const char *container, const char *resource);
int grant_add(struct devices *devices, const char *uid, const Devices__Grant *grant, struct err **err); /* copied */
void holder_free(struct devices *devices, struct device_holder *holder);

/* choose.c: the devices for a request's container. 1: they are chosen; 0: the plugin is to be asked which it prefers
 * of @ret_available, in the request's arena; a negative errno with *err. */
struct device_names {
        const char **ids;
        size_t n;
};
int choose_devices(struct devices_request *request, struct device_names *ret_available, struct err **err);
int choose_rest(struct devices_request *request, struct err **err); /* after that. 0, or a negative errno */

/* grant.c */
int grant_check(const Devices__Given *given, struct err **err); /* -E2BIG */

/* record.c */
int devices_record_read(struct devices *devices, struct err **err);
int devices_record_pack(void *data, void **ret_bytes, size_t *ret_size);

/* request.c */
void devices_requests_written(struct devices *devices, uint64_t generation, const struct err *err);
void devices_requests_drop(struct devices *devices);

/* start.c */
void devices_starts_drop(struct devices *devices);
