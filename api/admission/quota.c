#include "api/admission/quota.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/builtin.h"
#include "api/admission/internal.h"
#include "api/admission/quota_batch.h"
#include "api/cache/collection.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

struct admission_quota {
        pthread_mutex_t lock;
        struct table rooms;
};

struct admission_quota *admission_quota_new(void) {
        struct admission_quota *quota = calloc(1, sizeof(*quota));

        if (quota)
                pthread_mutex_init(&quota->lock, NULL);
        return quota;
}

void admission_quota_free(struct admission_quota *quota) {
        if (!quota)
                return;
        table_clear(&quota->rooms);
        pthread_mutex_destroy(&quota->lock);
        free(quota);
}

bool admission_quota_waits(const struct api_request *r) {
        return r->charge && r->charge->state != QUOTA_SETTLED;
}

/* --- rooms --- */

static struct quota_room *find_room(struct admission_quota *quota, const char *namespace) {
        struct quota_room *room = table_object(table_find(&quota->rooms, namespace), struct quota_room, node);

        if (room)
                return room;
        room = calloc(1, sizeof(*room) + strlen(namespace) + 1);
        if (!room)
                return NULL;
        strcpy(room->namespace, namespace);
        room->quota = quota;
        if (table_add(&quota->rooms, &room->node, room->namespace) < 0) {
                free(room);
                return NULL;
        }
        return room;
}

/* With the lock held. */
static void close_room(struct quota_room *room) {
        if (room->busy || room->charges > 0)
                return;
        table_remove(&room->quota->rooms, &room->node);
        free(room);
}

static void on_charge_ended(struct admission_charge *charge) {
        struct admission_quota *quota = charge->room->quota;

        pthread_mutex_lock(&quota->lock);
        charge->room->charges--;
        close_room(charge->room);
        pthread_mutex_unlock(&quota->lock);
}

/* Whoever finds nothing under decision leads; all others wait for the next batch. Who waits may be told of it by then.
 */
static int enter(struct admission_quota *quota, struct admission_charge *charge, const char *namespace,
                 bool *ret_leads) {
        struct quota_room *room;

        pthread_mutex_lock(&quota->lock);
        room = find_room(quota, namespace);
        if (room) {
                charge->room = room;
                *ret_leads = !room->busy; /* others may change the state from here on */
                charge->state = room->busy ? QUOTA_WAITS : QUOTA_LEADS;
                if (room->busy)
                        quota_charges_append(&room->waiting, charge);
                room->busy = true;
                room->charges++;
                charge->r->charge = charge;
                charge->r->charge_ended = on_charge_ended;
        }
        pthread_mutex_unlock(&quota->lock);
        return room ? 0 : -ENOMEM;
}

bool charge_tell(struct admission_charge *charge, enum quota_charge_state state) {
        charge->state = state;
        if (api_post(charge->r))
                return true;
        charge->state = QUOTA_SETTLED;
        return false;
}

bool admission_quota_is_charged(struct admission_quota *quota, const char *namespace) {
        bool charged;

        pthread_mutex_lock(&quota->lock);
        charged = table_find(&quota->rooms, namespace);
        pthread_mutex_unlock(&quota->lock);
        return charged;
}

/* The first who waits leads the next batch. */
static void leave(struct quota_room *room) {
        struct admission_quota *quota = room->quota;
        struct admission_charge *next;

        do {
                pthread_mutex_lock(&quota->lock);
                next = quota_charges_pop(&room->waiting);
                if (!next) {
                        room->busy = false;
                        close_room(room);
                }
                pthread_mutex_unlock(&quota->lock);
        } while (next && !charge_tell(next, QUOTA_LEADS));
}

/* Whether somebody of the batch has it decided anew. */
static bool lead_again(struct quota_room *room) {
        struct admission_charge *charge;

        while ((charge = quota_charges_pop(&room->batch.charges)))
                if (charge_tell(charge, QUOTA_LEADS))
                        return true;
        return false;
}

void admission_quota_forget(struct api_request *r) {
        struct admission_charge *charge = r->charge;

        if (!charge || charge->state != QUOTA_LEADS)
                return;
        charge->state = QUOTA_SETTLED;
        if (lead_again(charge->room))
                return;
        charge_batch_clear(&charge->room->batch);
        leave(charge->room);
}

void charge_batch_done(struct quota_room *room) {
        struct quota_batch *batch = &room->batch;
        struct admission_charge *charge;

        if (batch->code == -ESTALE && ++batch->tries < API_CHANGE_TRIES && lead_again(room))
                return;
        while ((charge = quota_charges_pop(&batch->charges))) {
                charge->code = batch->code;
                charge_tell(charge, QUOTA_DECIDED);
        }
        charge_batch_clear(batch);
        leave(room);
}

/* With all who wait, unless it is a batch that is decided anew. */
static enum api_step lead(struct admission_charge *charge) {
        struct quota_room *room = charge->room;
        struct api_request *r = charge->r;

        quota_charges_prepend(&room->batch.charges, charge);
        charge->state = QUOTA_WAITS;
        if (room->batch.tries == 0) {
                pthread_mutex_lock(&room->quota->lock);
                quota_charges_take(&room->batch.charges, &room->waiting);
                pthread_mutex_unlock(&room->quota->lock);
        }
        charge_batch_decide(room, r->server->config.state);
        return api_wait_again(r);
}

/* --- the request's part --- */

static enum api_step settle(struct admission *a, struct admission_charge *charge) {
        charge->state = QUOTA_SETTLED;
        if (charge->refused || charge->code < 0) {
                on_charge_ended(charge);
                a->r->charge_ended = NULL;
        }
        if (charge->refused)
                return admission_forbid(a, "%s", a->r->told ?: "");
        if (charge->code == -ESTALE)
                return api_refuse(a->r, API_CONFLICT,
                                  "Operation cannot be fulfilled on resourcequotas: the object has been modified; "
                                  "please apply your changes to the latest version and try again");
        return charge->code < 0 ? api_fail(a->r, charge->code, NULL) : API_NEXT;
}

enum api_step admission_quota_resume(struct admission *a) {
        struct admission_charge *charge = a->r->charge;

        return charge->state == QUOTA_LEADS ? lead(charge) : settle(a, charge);
}

static bool has_quotas(const struct admission *a, int *ret_error) {
        struct api_resource *quotas = api_state_find(a->r->server->config.state, "", "resourcequotas");
        const struct collection_query query = { .filter = { .namespace = a->namespace }, .limit = 1 };
        struct collection_page page;
        bool has;

        if (collection_count(quotas->collection) == 0)
                return false;
        *ret_error = collection_list(quotas->collection, &query, &page);
        if (*ret_error < 0)
                return false;
        has = page.n > 0;
        collection_page_clear(&page);
        return has;
}

/* What is there already is refused anyway. */
static bool is_there(const struct admission *a) {
        _cleanup_object_ struct object *object =
                collection_get(a->r->resource->collection, a->namespace, a->r->name ?: "");

        return object;
}

static enum api_step begin(struct admission *a, struct admission_charge *charge) {
        int error = charge_measure(a->arena, &charge->change);
        bool leads = false;

        if (error == -E2BIG)
                return admission_forbid(a, "the pod names more resources than a quota can count");
        error = error ?: enter(a->config->quota, charge, a->namespace, &leads);
        if (error < 0)
                return api_fail(a->r, error, NULL);
        return leads ? lead(charge) : api_wait_again(a->r);
}

enum api_step admission_charge_quota(struct admission *a) {
        const struct kube_kind *kind = a->r->kind;
        struct quota_item item = { quota_kind_of(kind->group, kind->resource), kind->group, kind->resource, NULL };
        const char *sub = a->r->sub ? a->r->sub->name : "";
        bool update = a->operation == ADMISSION_UPDATE;
        struct admission_charge *charge;
        int error = 0;

        /* A second try of the same request was charged for already. */
        if (!kind->namespaced || !item.kind || a->r->charge || !has_quotas(a, &error))
                return error < 0 ? api_fail(a->r, error, NULL) : API_NEXT;
        if (quota_reads(&item) && (!(item.object = admission_object(a)) || (update && !admission_old(a))))
                return API_END;
        if (!quota_reads(&item) && update)
                return API_NEXT;
        if (!quota_counts(&item, sub, a->old) || (!update && is_there(a)))
                return API_NEXT;
        charge = arena_new_of(a->arena, struct admission_charge);
        if (!charge)
                return api_fail(a->r, -ENOMEM, NULL);
        charge->r = a->r;
        charge->dry = a->r->options.dry;
        charge->change.item = charge->change.old = item;
        charge->change.old.object = a->old;
        charge->change.reports = strcmp(sub, "status") == 0;
        return begin(a, charge);
}
