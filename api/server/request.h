/* A request on its way through the pipeline: what it asks, who asks, and what has come of it so far.
 *
 * A stage (api/server/pipeline.h) reads what stages before it have found out and writes its own part. A request belongs
 * to one loop; it outlives its exchange while a change of it is under way (@x is NULL then: nobody is there to be
 * answered).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/auth/user.h"
#include "api/server/flow.h"
#include "api/server/negotiate.h"
#include "api/server/path.h"
#include "api/server/pipeline.h"
#include "api/state/state.h"
#include "api/state/turn.h"
#include "kube/print/table.h"
#include "lib/list.h"

struct account_wait;
struct admission_charge;
struct api_loop;
struct audit_entry;
struct api_series;
struct collection_page;
struct api_server;
struct http_exchange;
struct kube_subresource;

#define API_BODY_MAX ((size_t)3 << 20) /* as kube-apiserver's */
#define API_CHANGE_TRIES 5             /* of a patch whose object others change meanwhile, as kube-apiserver's */
#define API_NAME_TRIES 8               /* of a name that is made up and taken already, as kube-apiserver's */
#define API_WARNINGS_MAX 100
#define API_WARNINGS_LONG 4096
#define API_WARNING_BRIEF 256
#define API_NOTES_MAX 16 /* annotations for audit */

/* The query's options (meta/v1 ListOptions and its siblings). Texts are NULL where they are not given. */
struct api_options {
        const char *label_selector, *field_selector;
        const char *resource_version, *resource_version_match, *continue_;
        const char *field_manager, *field_validation, *dry_run, *propagation;
        const char *include_object; /* what its text says is in @include */
        const char *uid, *version;  /* DeleteOptions' preconditions */
        enum print_include include; /* of a table's rows */
        int64_t limit, timeout_s, grace_s;
        bool watch, bookmarks, initial_events, initial_events_set, dry, force, force_set, pretty, grace_set, orphan,
                orphan_set;
};

/* A tree, and the struct of the kept kind's type that it is (api/rest/typed.h). */
struct api_typed {
        const struct value *tree;
        void *object;
};

struct api_request {
        struct api_server *server;
        struct api_loop *loop;
        struct http_exchange *x;
        struct arena *arena;
        unsigned stage;
        bool running, resumed; /* a stage is at work; it was told to go on meanwhile */
        bool taken;            /* who answers in his own time has the exchange and frees the request */

        const char *page;          /* which of the pages that are no resources, in the words of metrics; NULL: none */
        struct api_series *series; /* of a long-running one: where it is counted */
        enum api_load load;
        bool entered;              /* it is counted as under way */
        bool receives;             /* http_collect() is at work */
        uint64_t began_ns;         /* of uv_hrtime() */
        uint64_t submitted_ns;     /* when its change went to the store */
        uint64_t timeout_ns;       /* from then on; 0: it may take as long as it takes */
        int code;                  /* of its answer; 0: there is none yet */
        size_t answer_size;        /* bytes of its body, before gzip */
        struct audit_entry *audit; /* NULL: nothing of it is written down */
        string_map notes;          /* annotations of its audit events, sorted */
        bool keeps_answer;         /* for audit: in @answer, JSON whatever the client gets */
        struct bytes *answer;
        const char *status_text;     /* the answer, where it is a Status that audit wants */
        const char *audit_id;        /* of the head; NULL: not known yet */
        struct list_node in_waiting; /* of its loop's that wait, and whose time ends */

        struct api_path path;
        const struct kube_kind *kind;       /* NULL: no resource is asked for */
        const struct kube_subresource *sub; /* NULL: the object itself */
        const struct kube_type *type;       /* of what comes and goes: @kind's or @sub's */
        struct api_resource *resource;      /* NULL: not kept */
        uint16_t verb;                      /* KUBE_VERB_GET ... */
        struct auth_user user;
        const char *flow_uid, *level_uid; /* of its FlowSchema, of that one's priority level; NULL: of none */
        struct auth_user *impersonator;   /* who acts as @user; NULL: @user himself */
        const char *agent;                /* User-Agent; NULL: not given */
        struct api_options options;
        struct api_media media; /* of the answer */
        bool no_shape;          /* @no_media: of a form of ours it wants what is none */
        bool no_media;          /* what the client takes is none of it: 406 where there is something to be given */

        const void *body;
        size_t body_size;
        int body_error;
        enum api_form body_form;
        const struct value *sent; /* the body's tree */
        bool sent_twice;          /* some of its keys stand twice */

        unsigned tries;
        struct api_turn *turn; /* at changing the object; NULL: not had */
        struct api_turn_waiter waiter;
        bool settles;               /* it has to be a settled one */
        bool pending;               /* @current is not in the store yet: only its JSON may be looked at */
        struct object *current;     /* what a change begins from; NULL: nothing is there */
        struct bytes *current_json; /* of it */
        const struct value *current_tree;
        const struct value *next; /* what it is to be */
        struct api_typed current_typed, next_typed;
        const char *name; /* of the object: the path's, or a new one's own */
        bool removes, creates, unconditional, unchanged, lets_go, forgets;
        bool no_sniff; /* browsers are not to guess what its answer is */
        struct api_change change;
        struct collection_page *cleared; /* of a collection's deletion: all that are to go */
        size_t n_cleared;
        struct admission_charge *charge; /* of quotas (api/admission); NULL: none */
        /* Its change is made, or will not be; NULL: that was told. */
        void (*charge_ended)(struct admission_charge *charge);
        struct account_wait *account_wait; /* for its service account; NULL: it does not wait */
        uint64_t account_until_ms;         /* that it waits or has waited for it; 0: not at all */
        const char *clear_next;            /* the token behind them; NULL: there are no others */
        int change_code;
        char *told; /* why not, where another thread says so; the arena is the loop's, where a deadline may use it */

        /* A creation that changes something else (api/pods): it begins here, again where what it began from has
         * changed; and goes on here once the store has decided. */
        enum api_step (*act)(struct api_request *r), (*decided)(struct api_request *r);
        void *acting; /* its own */

        void *held; /* what a stage holds for the request until it ends; NULL: nothing */
        void (*release)(void *held);

        int64_t retry_after_s;       /* told the client; 0: not */
        unsigned public_s;           /* seconds for which anybody may keep the answer; 0: nobody */
        const char **warnings;       /* API_WARNINGS_MAX of them, where there are any */
        uint32_t n_warnings, warned; /* warned: characters of all */
        bool warns_briefly;          /* each has API_WARNING_BRIEF characters at most */

        struct list_node in_loop; /* of those whose changes were made */
};

LIST_DEFINE(api_waiting, struct api_request, in_waiting)

/* The verb's name: "get". */
const char *api_verb_name(uint16_t verb);

/* What Audit-Id says: the client's own, or a UUID. "" without memory. */
const char *api_audit_id(struct api_request *r);

/* A warning for the client, once; @text is copied. Past API_WARNINGS_LONG characters of all each is cut, and then past
 * that no more come; nor one with control characters (both as kube-apiserver). */
void api_warn(struct api_request *r, const char *text);

/* An annotation of its audit events, where there are any: the first of a key stays. Both texts live as long as the
 * request. */
void api_annotate(struct api_request *r, const char *key, const char *value);

/* Frees it when nothing of it is under way. */
void api_request_free(struct api_request *r);
