/* Annotations of a pod that mean something: profiles as they were said before there were fields, and others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "kube/validate/pod_rules.h"
#include "lib/json.h"
#include "lib/value.h"

#define MIRROR "kubernetes.io/config.mirror"
#define TOLERATIONS "scheduler.alpha.kubernetes.io/tolerations"
#define DELETION_COST "controller.kubernetes.io/pod-deletion-cost"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define LOCALHOST "localhost/"

static bool begins(const char *text, const char *prefix) {
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool validate_is_deletion_cost(const string_map *annotations) {
        const char *cost = string_map_get(annotations, DELETION_COST);
        char *end;
        long long number;

        if (!cost)
                return true;
        if (*cost != '-' && strcmp(cost, "0") != 0 && !(*cost >= '1' && *cost <= '9'))
                return false;
        errno = 0;
        number = strtoll(cost, &end, 10);
        return errno == 0 && *end == '\0' && end[-1] != '-' && number >= INT32_MIN && number <= INT32_MAX;
}

/* --- tolerations, as JSON --- */

static void check_tolerations(struct validation *v, const struct place *at, const char *text) {
        const struct value *list;
        kube_toleration_items tolerations = { 0 };
        struct problems problems;

        problems_init(&problems, v->arena, NULL, NULL);
        if (json_parse(v->arena, text, strlen(text), NULL, &list, NULL) < 0 ||
            (!value_is(list, VALUE_LIST) && !value_is(list, VALUE_NULL))) {
                validate_invalid(v, at, TOLERATIONS, validate_list_problem(v, text));
                return;
        }
        tolerations.items = validate_alloc(v, value_count(list) + 1, sizeof(*tolerations.items));
        for (uint32_t i = 0; tolerations.items && i < value_count(list); i++)
                if (kube_value_read(v->arena, &kube_toleration_type, value_at(list, i), "", &problems,
                                    &tolerations.items[tolerations.count]) == 0)
                        tolerations.count++;
        validate_tolerations(v, FIELD(at, TOLERATIONS), &tolerations);
}

/* --- profiles --- */

static void check_seccomp_text(struct validation *v, const struct place *at, const char *profile) {
        static const char *const known[] = { "docker/default", "runtime/default", "unconfined", NULL };

        if (validate_is_one(profile, known))
                return;
        if (begins(profile, LOCALHOST))
                validate_relative(v, at, profile + strlen(LOCALHOST));
        else
                validate_invalid(v, at, profile, "must be a valid seccomp profile");
}

static bool has_container(const struct kube_pod_spec *spec, const char *name) {
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                if (kube_is(visit.container->name ?: "", name))
                        return true;
        return false;
}

static void check_apparmor(struct validation *v, const struct place *at, const char *container, const char *profile,
                           const struct kube_pod_spec *spec) {
        if (!validate_is_full(v) && !has_container(spec, container))
                validate_invalid(v, at, container, "container not found");
        if (*profile && strcmp(profile, "runtime/default") != 0 && strcmp(profile, "unconfined") != 0 &&
            !begins(profile, LOCALHOST))
                validate_invalid(v, at, profile,
                                 validate_text(v, "invalid AppArmor profile name: %s", validate_quoted(v, profile)));
}

void validate_pod_annotations(struct validation *v, const struct place *at, const string_map *annotations,
                              const struct pod_case *c) {
        const char *mirror = string_map_get(annotations, MIRROR),
                   *tolerations = string_map_get(annotations, TOLERATIONS),
                   *seccomp = string_map_get(annotations, SECCOMP_POD);

        if (mirror && (!c->spec->node_name || !*c->spec->node_name))
                validate_invalid(v, ENTRY(at, MIRROR), mirror,
                                 "must set spec.nodeName if mirror pod annotation is set");
        if (tolerations && *tolerations)
                check_tolerations(v, at, tolerations);
        if (!c->options.any_deletion_cost && !validate_is_deletion_cost(annotations))
                validate_invalid(v, ENTRY(at, DELETION_COST), string_map_get(annotations, DELETION_COST),
                                 "must be a 32bit integer");
        if (seccomp)
                check_seccomp_text(v, FIELD(at, SECCOMP_POD), seccomp);
        list_for_each (a, annotations)
                if (begins(a->key, SECCOMP_CONTAINER))
                        check_seccomp_text(v, FIELD(at, a->key), a->value ?: "");
        list_for_each (a, annotations)
                if (begins(a->key, APPARMOR))
                        check_apparmor(v, ENTRY(at, a->key), a->key + strlen(APPARMOR), a->value ?: "", c->spec);
}

/* --- annotations and fields say the same --- */

/* The types of both kinds of profiles have the same fields. */
struct profile {
        const char *type, *local;
};

static void check_agreement(struct validation *v, const struct place *at, const char *annotation,
                            const struct profile *p, const char *kind) {
        bool docker = strcmp(kind, "seccomp") == 0 && strcmp(annotation, "docker/default") == 0, local;

        local = kube_is(p->type, "Localhost");
        if ((kube_is(p->type, "Unconfined") && strcmp(annotation, "unconfined") != 0) ||
            (kube_is(p->type, "RuntimeDefault") && strcmp(annotation, "runtime/default") != 0 && !docker) ||
            (local && !begins(annotation, LOCALHOST)))
                validate_forbidden(v, FIELD(at, "type"),
                                   validate_text(v, "%s type in annotation and field must match", kind));
        else if (local && !kube_is(p->local, annotation + strlen(LOCALHOST)))
                validate_forbidden(v, FIELD(at, "localhostProfile"),
                                   validate_text(v, "%s profile in annotation and field must match", kind));
}

static const char *annotation_of(struct validation *v, const string_map *annotations, const char *prefix,
                                 const char *container) {
        const char *key = annotations->count > 0 ? validate_key(v, "%s%s", prefix, container ?: "") : NULL;

        return key ? string_map_get(annotations, key) : NULL;
}

static void check_seccomp(struct validation *v, const struct place *at, const string_map *annotations,
                          const struct kube_pod_spec *spec) {
        const struct kube_seccomp_profile *p = spec->security_context ? spec->security_context->seccomp_profile : NULL;
        const char *annotation = string_map_get(annotations, SECCOMP_POD);

        if (p && annotation)
                check_agreement(v, FIELD(FIELD(at, "securityContext"), "seccompProfile"), annotation,
                                &(struct profile){ p->type, p->localhost_profile }, "seccomp");
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);) {
                const struct kube_security_context *s = visit.container->security_context;

                p = s ? s->seccomp_profile : NULL;
                annotation = p ? annotation_of(v, annotations, SECCOMP_CONTAINER, visit.container->name) : NULL;
                if (annotation)
                        check_agreement(v, FIELD(FIELD(VISIT_PLACE(at, &visit), "securityContext"), "seccompProfile"),
                                        annotation, &(struct profile){ p->type, p->localhost_profile }, "seccomp");
        }
}

static void check_apparmors(struct validation *v, const struct place *at, const string_map *annotations,
                            const struct kube_pod_spec *spec) {
        const struct kube_app_armor_profile *of_pod =
                spec->security_context ? spec->security_context->app_armor_profile : NULL;

        if (spec->os && kube_is(spec->os->name, "windows"))
                return;
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);) {
                const struct kube_security_context *s = visit.container->security_context;
                const struct kube_app_armor_profile *p = s && s->app_armor_profile ? s->app_armor_profile : of_pod;
                const char *annotation = p ? annotation_of(v, annotations, APPARMOR, visit.container->name) : NULL;

                if (annotation)
                        check_agreement(v, FIELD(FIELD(VISIT_PLACE(at, &visit), "securityContext"), "appArmorProfile"),
                                        annotation, &(struct profile){ p->type, p->localhost_profile }, "apparmor");
        }
}

void validate_profiles_agree(struct validation *v, const struct place *at, const string_map *annotations,
                             const struct kube_pod_spec *spec) {
        check_seccomp(v, at, annotations, spec);
        check_apparmors(v, at, annotations, spec);
}
