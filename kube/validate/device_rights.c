/* What needs rights of its own in claims for devices: access beside those who use a device, and parts of a claim's
 * status (k8s.io/kubernetes/pkg/registry/resource). */
#include <stdlib.h>
#include <string.h>

#include "kube/type.h"
#include "kube/validate/device.h"
#include "kube/validate/validate.h"
#include "lib/texts.h"

#define ADMIN_LABEL "resource.kubernetes.io/admin-access"

void validate_device_admin(struct validation *v, const struct place *asked, const char *namespace) {
        const char *label = v->asks ? v->asks->label(v->asker, namespace ?: "", ADMIN_LABEL) : "true";

        if (!kube_is(label, "true"))
                validate_forbidden(v, asked,
                                   "admin access to devices requires the `" ADMIN_LABEL
                                   ": true` label on the containing namespace");
}

/* --- access beside those who use a device --- */

/* Which of the results has it first; -1: none. */
static int64_t find_admin(const struct kube_resource_v1_allocation_result *allocation) {
        for (uint32_t i = 0; allocation && i < allocation->devices.results.count; i++)
                if (allocation->devices.results.items[i].admin_access == TRI_TRUE)
                        return i;
        return -1;
}

static void check_admin(struct validation *v, const struct place *status,
                        const struct kube_resource_v1_resource_claim *new,
                        const struct kube_resource_v1_resource_claim *old) {
        const struct place *results = FIELD(FIELD(FIELD(status, "allocation"), "devices"), "results");
        int64_t at = find_admin(old->status.allocation) < 0 ? find_admin(new->status.allocation) : -1;

        if (at >= 0)
                validate_device_admin(v, FIELD(ITEM(results, at), "adminAccess"), new->metadata.namespace);
}

/* --- allocation and reservations: who schedules --- */

static void check_binding(struct validation *v, const struct place *status,
                          const struct kube_resource_v1_resource_claim_status *new,
                          const struct kube_resource_v1_resource_claim_status *old) {
        const struct kube_type *type = &kube_resource_v1_resource_claim_status_type;
        const struct validate_right right = { v->asks->verb(v->asker), "binding", "", "" };
        const char *refusal;

        if (validate_equal_field(type, "allocation", new, old) && validate_equal_field(type, "reservedFor", new, old))
                return;
        refusal = v->asks->refuses(v->asker, &right);
        if (refusal)
                validate_forbidden(v, FIELD(status, "allocation"),
                                   validate_text(v,
                                                 "changing status.allocation or status.reservedFor requires "
                                                 "resource=\"resourceclaims/binding\", verb=\"%s\" permission: %s",
                                                 right.verb, refusal));
}

/* --- devices: their drivers, on the node where they are or from anywhere --- */

/* The node of the allocation, where it is bound to one by its name alone; NULL: it is not. */
static const char *node_of(const struct kube_resource_v1_allocation_result *allocation) {
        const struct kube_node_selector *selector = allocation ? allocation->node_selector : NULL;
        const struct kube_node_selector_term *term;
        const struct kube_node_selector_requirement *r;

        if (!selector || selector->node_selector_terms.count != 1)
                return NULL;
        term = &selector->node_selector_terms.items[0];
        if (term->match_expressions.count != 0 || term->match_fields.count != 1)
                return NULL;
        r = &term->match_fields.items[0];
        return kube_is(r->key, "metadata.name") && kube_is(r->operator, "In") && r->values.count == 1 ?
                       r->values.items[0] :
                       NULL;
}

/* Adds the drivers of what is in @these and is not, or is another, in @others. */
static void add_drivers(struct validation *v, const kube_resource_v1_allocated_device_status_items *these,
                        const kube_resource_v1_allocated_device_status_items *others, struct validate_set *seen,
                        string_list *drivers) {
        _cleanup_validate_set_ struct validate_set there = { 0 };

        list_for_each (d, others)
                validate_set_add(v, &there, validate_device_id(v, d->driver, d->pool, d->device, d->share_id));
        list_for_each (d, these) {
                int64_t at =
                        validate_set_find(&there, validate_device_id(v, d->driver, d->pool, d->device, d->share_id));

                if (at >= 0 && validate_equal(&kube_resource_v1_allocated_device_status_type, d, &others->items[at]))
                        continue;
                if (validate_set_add(v, seen, d->driver))
                        drivers->items[drivers->count++] = d->driver ?: "";
        }
}

static void check_driver(struct validation *v, const struct place *at, const char *namespace, const char *driver,
                         const char *const verbs[2]) {
        const char *refusal = NULL;

        for (int i = 0; i < 2 && verbs[i]; i++) {
                const struct validate_right right = { verbs[i], "driver", namespace ?: "", driver };
                const char *why = v->asks->refuses(v->asker, &right);

                if (!why)
                        return;
                refusal = refusal ?: why;
        }
        validate_forbidden(v, at,
                           validate_text(v,
                                         "changing status.devices requires resource=\"resourceclaims/driver\", "
                                         "verb=\"[%s%s%s]\" permission: %s",
                                         verbs[0], verbs[1] ? " " : "", verbs[1] ?: "", refusal ?: ""));
}

static void check_drivers(struct validation *v, const struct place *status,
                          const struct kube_resource_v1_resource_claim *new,
                          const struct kube_resource_v1_resource_claim *old) {
        const kube_resource_v1_allocated_device_status_items *now = &new->status.devices, *was = &old->status.devices;
        _cleanup_validate_set_ struct validate_set seen = { 0 };
        string_list drivers = { validate_alloc(v, (size_t)now->count + was->count + 1, sizeof(*drivers.items)), 0 };
        const char *own = v->asks->account_node(v->asker), *node = node_of(new->status.allocation),
                   *verb = v->asks->verb(v->asker), *anywhere = validate_key(v, "arbitrary-node:%s", verb);
        bool here = own && node && *own && strcmp(own, node) == 0;
        const char *const verbs[2] = { here ? validate_key(v, "associated-node:%s", verb) : anywhere,
                                       here ? anywhere : NULL };

        if (!drivers.items)
                return;
        add_drivers(v, now, was, &seen, &drivers);
        add_drivers(v, was, now, &seen, &drivers);
        if (drivers.count > 1)
                qsort(drivers.items, drivers.count, sizeof(*drivers.items), texts_order);
        list_for_each (driver, &drivers)
                check_driver(v, FIELD(status, "devices"), new->metadata.namespace, *driver, verbs);
}

void validate_device_rights(struct validation *v, const struct kube_resource_v1_resource_claim *new,
                            const struct kube_resource_v1_resource_claim *old) {
        const struct place *status = FIELD(NULL, "status");

        check_admin(v, status, new, old);
        if (!v->asks)
                return;
        check_binding(v, status, &new->status, &old->status);
        /* A claim that gives its devices back loses what is told of them. */
        if (new->status.allocation)
                check_drivers(v, status, new, old);
}
