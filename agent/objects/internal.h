/* What the files of this room share. Nobody else includes it. */
#pragma once

#include "agent/objects/objects.h"
#include "client/client.h"
#include "client/informer.h"
#include "lib/index.h"
#include "lib/list.h"
#include "lib/table.h"

#define OBJECTS_RETRY_MIN_MS 200 /* until a token is asked for again; doubled each time, and up to as much again */
#define OBJECTS_RETRY_MAX_MS 30000
#define OBJECTS_MEMORY_MS 1000 /* until what there was no memory for is tried again */

/* An object that pods name. */
struct watched {
        struct objects *objects;
        struct table_node by_key;
        struct list_node in_due;
        enum pod_object_kind kind;
        enum pod_source_state state;
        unsigned n_holders;          /* 0: it is to be freed */
        struct informers *informers; /* of this one alone; NULL: it is immutable, or its watch could not begin */
        struct informer_handler heard;
        struct pod_object *object; /* of one that is there */
        int64_t revision;
        bool listed;           /* by the list under way */
        bool changed;          /* its holders are to be told */
        bool lost;             /* there was no memory for what was told of it: it is listed anew */
        const char *namespace; /* behind @key, as are: */
        const char *name, *fields;
        char key[]; /* kind, namespace, name */
};

LIST_DEFINE(watched_due, struct watched, in_due)

struct token {
        struct holder *holder;
        const char *audience; /* the pod's; "": the API's */
        int64_t seconds;      /* that are asked for; 0: as the service has it */
        char *text;           /* NULL: none yet */
        char *why;            /* it was not given; NULL: no answer */
        struct client_call *call;
        bool aged;    /* since it was asked for the clock was set */
        uint64_t due; /* the loop's clock: then it is asked for again */
        unsigned retry_ms;
};

/* A pod, and what it names. */
struct holder {
        struct objects *objects;
        struct table_node by_uid;
        struct list_node in_all, in_due;
        struct pod *pod;
        struct watched **watched;
        struct token *tokens;
        size_t n_watched, n_tokens;
        uv_timer_t *timer;        /* of tokens; NULL: it wants none */
        struct pod_sources *kept; /* from before the agent's start; NULL */
        const char *uid;          /* the pod's */
};

LIST_DEFINE(holders, struct holder, in_all)
LIST_DEFINE(holders_due, struct holder, in_due)

/* What variables are made of. */
struct objects_port {
        const char *name, *protocol;
        int64_t port;
};

struct objects_service {
        const char *namespace, *name, *ip;
        struct objects_port *ports;
        size_t n_ports;
        bool listed;
        struct arena *arena; /* of all this */
};

struct objects {
        uv_loop_t *loop;
        struct client *client;
        struct objects_events events;
        struct holders holders;
        struct holders_due due;
        struct table by_uid, watched;
        struct watched_due watched_due; /* to be told of, freed, or rid of their watches */
        uv_timer_t *turn;               /* then it is done */

        struct informers *informers; /* of Services */
        struct informer_handler heard;
        struct index services;
        bool have_services;

        uv_timer_t *patience; /* until what was kept stands in */
        bool away;            /* it does */
        bool asks;            /* objects_ask() was called */
};

/* objects.c */
void objects_turn_in(struct objects *objects, unsigned ms); /* or sooner */
void objects_turn(struct objects *objects);                 /* soon, from the loop */
void objects_tell_later(struct holder *holder);             /* that something of it changed */
void objects_tell_all_later(struct objects *objects);

/* What stands in for the service's answer; NULL: nothing does. */
const struct pod_sources *objects_stand_in(const struct holder *holder);
struct holder *objects_find(const struct objects *objects, const char *uid);

/* watched.c */
struct watched *watched_get(struct objects *objects, enum pod_object_kind kind, const char *namespace,
                            const char *name); /* with one holder more; NULL without memory */
int watched_ask(struct watched *watched);      /* begins its watch, if there is none and one is wanted; -ENOMEM */
void watched_put(struct watched *watched);
void watched_turn(struct objects *objects); /* what was put off */
void watched_free_all(struct objects *objects);

/* tokens.c */
int tokens_begin(struct holder *holder); /* -ENOMEM */
void tokens_ask(struct holder *holder);  /* for those that there are none of yet */
void tokens_age(struct holder *holder);  /* those that there are may be over */
void tokens_end(struct holder *holder);
/* From when it was given until it is asked for anew, in ms; @random is any number. */
uint64_t tokens_refresh_ms(int64_t seconds, unsigned random);

/* services.c, variables.c: those that a pod of @namespace sees, with @links all of its own. -ENOMEM. */
int services_write(const struct objects *objects, const char *namespace, bool links, struct arena *arena,
                   string_map *ret_variables);
int services_begin(struct objects *objects);
void services_end(struct objects *objects);
INDEX_PAIR_ORDER(service, struct objects_service, namespace, name)
