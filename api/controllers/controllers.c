#include "api/controllers/controllers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/controllers/internal.h"
#include "api/controllers/known.h"
#include "api/controllers/node_config.h"
#include "client/backend.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/handle.h"
#include "lib/log.h"

#define NS_OF_MS UINT64_C(1000000)

/* --- what controllers ask --- */

const struct controllers_config *controller_config(const struct controller *controller) {
        return &controller->all->config;
}

struct informer *controller_informer(const struct controller *controller, unsigned watch) {
        return controller->informers[watch];
}

struct known *controller_known(const struct controller *controller, unsigned watch) {
        return controller->known[watch];
}

bool controller_is_synced(const struct controller *controller) {
        return informers_synced(controller->all->informers);
}

void controller_set_data(struct controller *controller, void *data) {
        controller->data = data;
}

void *controller_data(const struct controller *controller) {
        return controller->data;
}

uint64_t controller_now(const struct controller *controller) {
        const struct controllers_config *c = &controller->all->config;

        return c->now ? c->now(c->clock) : uv_hrtime();
}

int64_t controller_wall(const struct controller *controller) {
        const struct controllers_config *c = &controller->all->config;

        return c->wall ? c->wall(c->clock) : time(NULL);
}

/* A key that cannot be kept is due with the next change of its object, or at the next start. */
static void added(struct controller *controller, const char *key, int error) {
        if (error < 0 && error != -ESHUTDOWN)
                log_error("%s: %s: cannot be queued: %s", controller->kind->name, key, strerror(-error));
        controllers_wake(controller->all);
}

void controller_tell(struct controller *controller, const struct recorder_object *object,
                     const struct recorder_note *note) {
        recorder_tell(controller->recorder, object, note, controller_wall(controller));
}

void controller_add(struct controller *controller, const char *key) {
        added(controller, key, work_add(controller->queue, key));
}

void controller_add_after(struct controller *controller, const char *key, uint64_t ns) {
        added(controller, key, work_add_after(controller->queue, key, controller_now(controller), ns));
}

void controller_add_named(struct controller *controller, const char *namespace, const char *name, uint64_t ns) {
        char key[CONTROLLER_KEY_MAX];
        int n = snprintf(key, sizeof(key), "%s%s%s", namespace, *namespace ? "/" : "", name);

        if (n < (int)sizeof(key) && ns > 0)
                controller_add_after(controller, key, ns);
        else if (n < (int)sizeof(key))
                controller_add(controller, key);
}

void controller_add_object(struct controller *controller, const struct client_object *object,
                           const struct client_object *old) {
        controller_add_named(controller, object->namespace, object->name, 0);
}

/* --- a turn: what is due is begun --- */

static void on_timer(uv_timer_t *timer) {
        controllers_turn(timer->data);
}

void controllers_wake(struct controllers *controllers) {
        if (!controllers->turning && !controllers->stopped && controllers->timer)
                uv_timer_start(controllers->timer, on_timer, 0, 0);
}

static bool has_room(const struct controller *c) {
        return c->n_tasks < (c->kind->at_once ?: CONTROLLER_AT_ONCE);
}

static void turn_one(struct controller *c) {
        struct work_item *item;

        while (has_room(c) && (item = work_get(c->queue, controller_now(c))))
                controller_work(c, item);
}

static void set_timer(struct controllers *all) {
        uint64_t due = WORK_NEVER, now;

        for (unsigned i = 0; i < all->n; i++) {
                uint64_t own = has_room(&all->each[i]) ? work_due(all->each[i].queue) : WORK_NEVER;

                due = own < due ? own : due;
        }
        if (due == WORK_NEVER) {
                uv_timer_stop(all->timer);
                return;
        }
        now = controller_now(&all->each[0]);
        uv_timer_start(all->timer, on_timer, due <= now ? 0 : (due - now + NS_OF_MS - 1) / NS_OF_MS, 0);
}

/* Nothing is decided before all is known. */
void controllers_turn(struct controllers *controllers) {
        if (controllers->stopped || !informers_synced(controllers->informers))
                return;
        controllers->turning = true;
        for (unsigned i = 0; i < controllers->n; i++)
                turn_one(&controllers->each[i]);
        controllers->turning = false;
        set_timer(controllers);
}

/* --- a controller --- */

static struct watch_handler *handler_of(struct informer_handler *base) {
        return (struct watch_handler *)((char *)base - offsetof(struct watch_handler, base));
}

static void on_changed(struct informer_handler *base, enum client_change change, struct client_object *object,
                       struct client_object *old) {
        struct watch_handler *h = handler_of(base);

        h->controller->kind->watches[h->watch].keys(h->controller, object, old);
}

static void on_synced(void *data) {
        const struct controllers *all = data;

        if (all->config.synced)
                all->config.synced(all->config.data);
        controllers_wake(data);
}

/* It joins the informer before those who ask for it. */
static struct known *known_of(struct controllers *all, struct informer *informer) {
        for (unsigned i = 0; i < all->n_known; i++)
                if (known_informer(all->known[i]) == informer)
                        return all->known[i];
        if (all->n_known == CONTROLLER_KNOWN_MAX || !(all->known[all->n_known] = known_new(informer)))
                return NULL;
        return all->known[all->n_known++];
}

static int watch(struct controller *c, unsigned i) {
        const struct controller_watch *watch = &c->kind->watches[i];
        const struct kube_kind *kind = controller_kind_of(c, watch->group, watch->resource);

        c->informers[i] = kind ? informers_get(c->all->informers, kind, watch->fields, !watch->passes) : NULL;
        if (!c->informers[i])
                return kind ? -ENOMEM : -ENOENT;
        if (watch->known && !(c->known[i] = known_of(c->all, c->informers[i])))
                return -ENOMEM;
        c->handlers[i] = (struct watch_handler){ .base = { .changed = watch->keys ? on_changed : NULL },
                                                 .controller = c,
                                                 .watch = i };
        informer_add(c->informers[i], &c->handlers[i].base);
        return 0;
}

int controller_follow(struct controller *controller, const struct kube_kind *kind, struct informer_handler *handler) {
        struct informer *informer = informers_get(controller->all->informers, kind, NULL, false);

        if (informer)
                informer_add(informer, handler);
        return informer ? 0 : -ENOMEM;
}

static int begin(struct controllers *all, struct controller *c, const struct controller_kind *kind) {
        int r;

        c->all = all;
        c->kind = kind;
        c->client = all->config.client_of && kind->account ? all->config.client_of(all->config.data, kind->account) :
                                                             all->config.client;
        c->queue = work_new(NULL);
        c->recorder = c->client ? recorder_new(c->client, controller_kind_of(c, "", "events"),
                                               kind->component ?: kind->name, NULL) :
                                  NULL;
        if (!c->recorder || !c->queue)
                return -ENOMEM;
        for (unsigned i = 0; i < CONTROLLER_WATCHES_MAX && kind->watches[i].resource; i++)
                if ((r = watch(c, i)) < 0)
                        return r;
        return kind->start ? kind->start(c) : 0;
}

/* --- kinds --- */

static bool is_same(const struct kube_kind *a, const char *group, const char *resource) {
        return strcmp(a->resource, resource) == 0 && strcmp(a->group, group) == 0;
}

static void add_kind(void *data, const struct kube_kind *kind) {
        static const uint16_t wanted = KUBE_VERB_LIST | KUBE_VERB_WATCH | KUBE_VERB_DELETE;
        struct controllers *all = data;

        if (!kind->resource || (kind->verbs & wanted) != wanted)
                return;
        for (unsigned i = 0; i < all->n_kinds; i++)
                if (is_same(all->kinds[i], kind->group, kind->resource))
                        return;
        if (all->n_kinds < CONTROLLER_KINDS_MAX)
                all->kinds[all->n_kinds++] = kind;
}

const struct kube_kind *const *controller_all_kinds(const struct controller *controller, unsigned *ret_n) {
        *ret_n = controller->all->n_kinds;
        return controller->all->kinds;
}

const struct kube_kind *controller_kind_of(const struct controller *controller, const char *group,
                                           const char *resource) {
        for (unsigned i = 0; i < controller->all->n_kinds; i++)
                if (is_same(controller->all->kinds[i], group, resource))
                        return controller->all->kinds[i];
        return NULL;
}

const struct kube_kind *controller_kind_named(const struct controller *controller, const char *api_version,
                                              const char *kind) {
        char group[KUBE_NAME_BYTES_MAX];
        const struct kube_kind *named;
        const char *version;

        if (kube_split_api_version(api_version, group, sizeof(group), &version) < 0)
                return NULL;
        named = kube_registry_kind(controller->all->config.kinds, group, version, kind);
        return named && named->resource ? controller_kind_of(controller, group, named->resource) : NULL;
}

/* --- all of them --- */

static int begin_all(struct controllers *all) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < controller_kinds_count; i++)
                if (controllers_want(all->config.which, controller_kinds[i]))
                        r = begin(all, &all->each[all->n++], controller_kinds[i]);
        return r;
}

int controllers_new(const struct controllers_config *config, struct controllers **ret_controllers, struct err **err) {
        static const struct node_config nodes = NODE_CONFIG_INIT;
        struct controllers *all;
        int r = controllers_check(config->which, err);

        if (r < 0)
                return r;
        all = calloc(1, sizeof(*all));
        if (!all)
                return err_set(err, ENOMEM, "no memory for the controllers");
        all->config = *config;
        all->config.nodes = config->nodes ?: &nodes;
        kube_registry_each(config->kinds, add_kind, all);
        all->each = calloc(controller_kinds_count, sizeof(*all->each));
        all->informers = informers_new(config->client, on_synced, all);
        all->timer = handle_timer(config->client->loop, all);
        if (all->informers)
                informers_do_without(all->informers);
        r = all->each && all->informers && all->timer ? begin_all(all) : -ENOMEM;
        if (r < 0) {
                controllers_stop(all);
                controllers_free(all);
                return err_errno(err, -r, "cannot begin the controllers");
        }
        *ret_controllers = all;
        return 0;
}

int controllers_start(struct controllers *controllers) {
        int r = informers_start(controllers->informers);

        if (r == 0 && informers_synced(controllers->informers)) /* nobody looks at anything */
                on_synced(controllers);
        return r;
}

void controllers_stop(struct controllers *controllers) {
        controllers->stopped = true;
        for (unsigned i = 0; i < controllers->n; i++) {
                controller_end_tasks(&controllers->each[i]);
                recorder_free(controllers->each[i].recorder);
        }
        informers_free(controllers->informers);
        controllers->informers = NULL;
        for (unsigned i = 0; i < controllers->n; i++)
                if (controllers->each[i].kind->stop)
                        controllers->each[i].kind->stop(&controllers->each[i]);
        while (controllers->n_known > 0)
                known_free(controllers->known[--controllers->n_known]);
        handle_free(controllers->timer);
        controllers->timer = NULL;
}

void controllers_free(struct controllers *controllers) {
        if (!controllers)
                return;
        for (unsigned i = 0; i < controllers->n; i++)
                work_free(controllers->each[i].queue);
        free(controllers->each);
        free(controllers);
}
