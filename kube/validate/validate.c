#include "kube/validate/validate.h"

#include <errno.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/warnings.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"

/* The version whose structs the rules take. */
static const struct {
        const struct validate_rules *rows;
        const char *version;
} tables[] = {
        { validate_core_rules, "v1" },
        { validate_deployment_rules, "v1" },
        { validate_stateful_set_rules, "v1" },
        { validate_daemon_set_rules, "v1" },
        { validate_job_rules, "v1" },
        { validate_cron_job_rules, "v1" },
        { validate_ingress_rules, "v1" },
        { validate_network_policy_rules, "v1" },
        { validate_endpoint_slice_rules, "v1" },
        { validate_policy_rules, "v1" },
        { validate_rbac_rules, "v1" },
        { validate_storage_class_rules, "v1" },
        { validate_volume_attachment_rules, "v1" },
        { validate_csi_rules, "v1" },
        { validate_autoscaler_rules, "v2" },
        { validate_small_group_rules, "v1" },
        { validate_flow_schema_rules, "v1" },
        { validate_priority_level_rules, "v1" },
        { validate_webhook_rules, "v1" },
        { validate_admission_policy_rules, "v1" },
        { validate_admission_binding_rules, "v1" },
        { validate_api_service_rules, "v1" },
        { validate_certificate_rules, "v1" },
        { validate_device_claim_rules, "v1" },
        { validate_device_class_rules, "v1" },
        { validate_device_slice_rules, "v1" },
};

static bool is_of(const struct validate_rules *row, const char *version, const struct kube_kind *kind) {
        return strcmp(row->kind, kind->kind) == 0 && strcmp(row->group, kind->group) == 0 &&
               strcmp(version, kind->version) == 0;
}

static const struct validate_rules *rules_of(const struct kube_kind *kind) {
        static const struct validate_rules usual = { .name = NAME_SUBDOMAIN };

        for (size_t i = 0; i < ELEMENTS(tables); i++)
                for (const struct validate_rules *row = tables[i].rows; row->kind; row++)
                        if (is_of(row, tables[i].version, kind))
                                return row;
        return &usual;
}

static const struct kube_object_meta *meta_of(const struct kube_type *type, const void *object) {
        const struct kube_field *field = kube_type_field(type, "metadata", strlen("metadata"));

        return field && object ? (const void *)((const char *)object + field->offset) : NULL;
}

static validate_rule rule_of(const struct validate_rules *rules, const char *sub, bool update) {
        if (!sub)
                return update ? rules->update : rules->create;
        for (const struct validate_sub *row = rules->subs; row && row->name; row++)
                if (strcmp(row->name, sub) == 0)
                        return row->rule;
        return NULL;
}

/* rest.BeforeCreate(): what is common comes last, and only when nothing else is wrong. */
static void check_new(struct validation *v, const struct validate_rules *rules, validate_rule rule,
                      const struct kube_object_meta *meta, const void *object) {
        unsigned before = validate_errors(v);

        if (rule)
                rule(v, object, NULL);
        else
                validate_meta(v, meta, rules->name);
        if (validate_errors(v) == before)
                validate_plain_meta(v, meta, NAME_SEGMENT);
}

/* What both versions of an object are. */
struct pair {
        const void *object, *old;
        const struct kube_object_meta *meta, *old_meta;
};

/* rest.BeforeUpdate(): what is common comes first. */
static void check_change(struct validation *v, validate_rule rule, const struct pair *p) {
        validate_plain_meta(v, p->meta, NAME_SEGMENT);
        validate_plain_meta_update(v, p->meta, p->old_meta);
        if (rule)
                rule(v, p->object, p->old);
        else
                validate_meta_update(v, p->meta, p->old_meta);
}

static int check_object(struct arena *arena, const struct validate_case *c, const void *object, const void *old,
                        struct problems *problems) {
        const struct validate_rules *rules = rules_of(c->kind);
        struct validation v = { .problems = problems,
                                .arena = arena,
                                .warnings = c->warnings,
                                .asks = c->asks,
                                .asker = c->asker,
                                .namespaced = c->kind->namespaced,
                                .update = old != NULL };
        struct pair p = { object, old, meta_of(c->kind->type, object), meta_of(c->kind->type, old) };

        if (!p.meta)
                return 0;
        if (old)
                check_change(&v, rule_of(rules, c->sub, true), &p);
        else
                check_new(&v, rules, rule_of(rules, c->sub, false), p.meta, object);
        if (c->warnings && validate_errors(&v) == 0)
                validate_warn_of(&v, c->kind, c->sub, object, old);
        return v.error;
}

/* The metadata alone, of kinds without a struct. */
static int read_meta(struct arena *arena, const struct value *object, struct problems *problems,
                     struct kube_object_meta *ret_meta) {
        const struct value *meta = object ? value_get(object, "metadata") : NULL;

        return meta ? kube_value_read(arena, &kube_object_meta_type, meta, "metadata", problems, ret_meta) : 0;
}

static int check_tree(struct arena *arena, const struct validate_case *c, struct problems *problems) {
        struct validation v = {
                .problems = problems, .arena = arena, .namespaced = c->kind->namespaced, .update = c->old != NULL
        };
        struct kube_object_meta meta = { 0 }, old = { 0 };
        int error = read_meta(arena, c->object, problems, &meta) ?: read_meta(arena, c->old, problems, &old);

        if (error < 0 || problems->errors > 0)
                return error;
        if (c->old)
                check_change(&v, NULL, &(struct pair){ NULL, NULL, &meta, &old });
        else
                check_new(&v, rules_of(c->kind), NULL, &meta, NULL);
        return v.error;
}

static int read_struct(struct arena *arena, const struct kube_type *type, const struct value *value,
                       struct problems *problems, const void **ret_object) {
        void *object = arena_alloc(arena, type->size);

        *ret_object = object;
        return object ? kube_value_read(arena, type, value, "", problems, object) : -ENOMEM;
}

int validate_value(struct arena *arena, const struct validate_case *c, struct problems *problems) {
        const struct kube_type *type = c->kind->type;
        const void *object = c->typed, *old = c->old_typed;
        int error = 0;

        if (type->size == 0)
                return check_tree(arena, c, problems);
        if (!object)
                error = read_struct(arena, type, c->object, problems, &object);
        if (error == 0 && c->old && !old)
                error = read_struct(arena, type, c->old, problems, &old);
        if (error < 0 || problems->errors > 0)
                return error;
        return check_object(arena, c, object, old, problems);
}
