#include "api/controllers/claim.h"

#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"

struct claiming {
        struct claim claim;
        const char *uid; /* the owner's */
};

bool claim_has(const struct known_object *owner, const struct known_object *dependent) {
        return strcmp(dependent->owner, owner->uid) == 0 && known_selects(&owner->selector, dependent);
}

bool claim_reference(struct arena *arena, const struct kube_kind *kind, const struct known_object *owner,
                     struct kube_owner_reference *ret_reference) {
        *ret_reference = (struct kube_owner_reference){ .api_version = kube_api_version(arena, kind),
                                                        .kind = kind->kind,
                                                        .name = arena_strdup(arena, owner->name),
                                                        .uid = arena_strdup(arena, owner->uid),
                                                        .controller = TRI_TRUE,
                                                        .block_owner_deletion = TRI_TRUE };
        return ret_reference->api_version && ret_reference->name && ret_reference->uid;
}

/* --- patches --- */

static int send_patch(struct task *task, const struct claiming *c, const struct known_object *of, const char *text) {
        const struct task_change change = { .known = c->claim.dependents,
                                            .verb = KUBE_VERB_PATCH,
                                            .namespace = task_namespace(task),
                                            .name = of->name,
                                            .text = text,
                                            .fine = TASK_GONE_IS_FINE };

        if (!text)
                return -ENOMEM;
        if (task_has_room(task))
                task_change(task, &change);
        else
                task_again(task, 0);
        return 0;
}

/* The uid has it fail where another of that name has come. */
static int release(struct task *task, const struct claiming *c, const struct known_object *of) {
        return send_patch(task, c, of,
                          arena_printf(task_arena(task),
                                       "{\"metadata\":{\"ownerReferences\":[{\"$patch\":\"delete\",\"uid\":\"%s\"}],"
                                       "\"uid\":\"%s\"}}",
                                       c->uid, of->uid));
}

static int adopt(struct task *task, const struct claiming *c, const struct known_object *of) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *json = NULL;
        struct kube_owner_reference reference;
        int r;

        if (!claim_reference(task_arena(task), c->claim.kind, c->claim.owner, &reference))
                return -ENOMEM;
        kube_json_write(&w, &kube_owner_reference_type, &reference);
        r = json_writer_finish(&w, &json, NULL);
        return r     ?:
                       send_patch(task, c, of,
                                  arena_printf(task_arena(task),
                                               "{\"metadata\":{\"ownerReferences\":[%s],\"uid\":\"%s\"}}", json,
                                               of->uid));
}

/* --- which --- */

/* Pods that have ended, or are going, stay whose they are. */
static bool is_settled(const struct known_object *of) {
        return of->pod && !known_is_active(of);
}

static bool is_released(const struct known_object *owner, const struct known_object *of) {
        return !owner->deleting && !is_settled(of) && !known_selects(&owner->selector, of);
}

static bool is_adopted(const struct known_object *owner, const struct known_object *of) {
        return !owner->deleting && !of->deleting && !is_settled(of) && known_selects(&owner->selector, of);
}

static bool any(const struct task *task, const struct claiming *c, const char *owner_uid,
                bool (*is)(const struct known_object *owner, const struct known_object *of)) {
        for (struct known_walk w = known_first_owned(c->claim.dependents, owner_uid, task_namespace(task)); w.object;
             known_next(&w))
                if (is(c->claim.owner, w.object))
                        return true;
        return false;
}

/* The owner as it is known now; NULL: it is gone, or another has its name. */
static const struct known_object *owner_again(struct task *task, const struct claiming *c) {
        const struct known *owners = controller_known(task_controller(task), 0);
        const struct known_object *owner = known_find(owners, task_namespace(task), task_name(task));

        return owner && strcmp(owner->uid, c->uid) == 0 ? owner : NULL;
}

static int adopt_all(struct task *task, struct claiming *c) {
        int r = 0;

        for (struct known_walk w = known_first_owned(c->claim.dependents, "", task_namespace(task)); r == 0 && w.object;
             known_next(&w))
                if (is_adopted(c->claim.owner, w.object))
                        r = adopt(task, c, w.object);
        return r;
}

/* An owner that has gone meanwhile, orphaning what it had, must not take it back. */
static int on_owner(struct task *task, const struct client_answer *answer, void *data) {
        struct claiming *c = data;
        const struct value *tree, *meta;
        int r;

        if (!client_succeeded(answer) || !answer->body || !(c->claim.owner = owner_again(task, c)))
                return 0;
        r = json_parse(task_arena(task), (const char *)answer->body->data, answer->body->size, NULL, &tree, NULL);
        if (r < 0)
                return r;
        meta = value_get(tree, "metadata");
        if (strcmp(value_string_or(value_get(meta, "uid"), ""), c->uid) != 0 || value_get(meta, "deletionTimestamp"))
                return 0;
        return adopt_all(task, c);
}

int claim_settle(struct task *task, const struct claim *claim) {
        struct claiming *c = arena_new_of(task_arena(task), struct claiming);
        const struct client_request get = {
                .verb = KUBE_VERB_GET, .kind = claim->kind, .namespace = task_namespace(task), .name = task_name(task)
        };
        bool adopts, releases;
        int r;

        if (!c)
                return -ENOMEM;
        *c = (struct claiming){ .claim = *claim, .uid = arena_strdup(task_arena(task), claim->owner->uid) };
        if (!c->uid)
                return -ENOMEM;
        adopts = any(task, c, "", is_adopted);
        releases = any(task, c, c->uid, is_released);
        if (!adopts && !releases)
                return claim->next(task);
        for (struct known_walk w = known_first_owned(claim->dependents, c->uid, task_namespace(task)); w.object;
             known_next(&w))
                if (is_released(claim->owner, w.object) && (r = release(task, c, w.object)) < 0)
                        return r;
        if (adopts)
                task_send(task, &get, TASK_GONE_IS_FINE, on_owner, c);
        task_then(task, claim->next);
        return 0;
}

/* --- what makes one due --- */

static void add_owner(struct controller *c, const struct known *owners, const struct known_object *dependent,
                      uint64_t ns) {
        const struct known_object *owner =
                *dependent->owner ? known_find(owners, dependent->namespace, dependent->owner_name) : NULL;

        if (owner && strcmp(owner->uid, dependent->owner) == 0)
                controller_add_named(c, owner->namespace, owner->name, ns);
}

static void add_who_selects(struct controller *c, const struct known *owners, const struct known_object *dependent,
                            uint64_t ns) {
        for (struct known_walk w = known_first(owners, dependent->namespace); w.object; known_next(&w))
                if (known_selects(&w.object->selector, dependent))
                        controller_add_named(c, w.object->namespace, w.object->name, ns);
}

void claim_add(struct controller *controller, const struct known *owners, const struct known_change *change,
               uint64_t ns) {
        const struct known_object *before = change->before, *now = change->now;

        if (before && (!now || strcmp(before->owner, now->owner) != 0))
                add_owner(controller, owners, before, ns);
        if (now)
                add_owner(controller, owners, now, ns);
        if (now && !*now->owner && !now->deleting)
                add_who_selects(controller, owners, now, ns);
}
