/* Pods and templates of them (k8s.io/kubernetes/pkg/api/pod/warnings.go). */
#include <string.h>

#include "kube/validate/pod_rules.h"
#include "kube/validate/warnings.h"
#include "lib/cleanup.h"

#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define APPARMOR_LOCAL "localhost/"
#define SECCOMP_POD "seccomp.security.alpha.kubernetes.io/pod"
#define SECCOMP_CONTAINER "container.seccomp.security.alpha.kubernetes.io/"
#define SECCOMP_TEXT "non-functional in v1.27+; use the \"seccompProfile\" field instead"
#define NO_SELECTOR "a null labelSelector results in matching no pod"

struct pod {
        const struct place *at, *spec; /* @at NULL: not a template's */
        const struct kube_object_meta *meta;
        const struct kube_pod_spec *s;
};

static const struct place *annotations(struct place places[2], const struct place *at) {
        places[0] = (struct place){ .up = at, .name = "metadata" };
        places[1] = (struct place){ .up = &places[0], .name = "annotations" };
        return &places[1];
}

/* --- where it is to run --- */

static void warn_node_affinity(struct validation *v, const struct place *at, const struct kube_node_affinity *a) {
        const struct kube_node_selector *required = a->required_during_scheduling_ignored_during_execution;
        const struct place *preferred = FIELD(at, "preferredDuringSchedulingIgnoredDuringExecution");

        for (uint32_t i = 0; required && i < required->node_selector_terms.count; i++)
                validate_warn_term(
                        v,
                        ITEM(FIELD(FIELD(at, "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms"),
                             i),
                        &required->node_selector_terms.items[i], false);
        for (uint32_t i = 0; i < a->preferred_during_scheduling_ignored_during_execution.count; i++)
                validate_warn_term(v, FIELD(ITEM(preferred, i), "preference"),
                                   &a->preferred_during_scheduling_ignored_during_execution.items[i].preference, true);
}

static void warn_spread(struct validation *v, const struct place *at,
                        const struct kube_topology_spread_constraint *constraint) {
        const char *text = validate_old_label(constraint->topology_key);

        if (text)
                validate_warn(v, FIELD(at, "topologyKey"), "%s is %s", constraint->topology_key, text);
        if (!constraint->label_selector)
                validate_warn(v, FIELD(at, "labelSelector"), NO_SELECTOR);
}

static void warn_places(struct validation *v, const struct pod *p) {
        const string_map *nodes = &p->s->node_selector;

        for (uint32_t i = 0; i < nodes->count; i++) {
                const char *text = validate_old_label(nodes->items[i].key);

                if (text)
                        validate_warn(v, ENTRY(FIELD(p->spec, "nodeSelector"), nodes->items[i].key), "%s", text);
        }
        if (p->s->affinity && p->s->affinity->node_affinity)
                warn_node_affinity(v, FIELD(FIELD(p->spec, "affinity"), "nodeAffinity"), p->s->affinity->node_affinity);
        for (uint32_t i = 0; i < p->s->topology_spread_constraints.count; i++)
                warn_spread(v, ITEM(FIELD(p->spec, "topologySpreadConstraints"), i),
                            &p->s->topology_spread_constraints.items[i]);
}

static void warn_terms(struct validation *v, const struct place *at, const kube_pod_affinity_term_items *required,
                       const kube_weighted_pod_affinity_term_items *preferred) {
        for (uint32_t i = 0; i < required->count; i++)
                if (!required->items[i].label_selector)
                        validate_warn(v,
                                      FIELD(ITEM(FIELD(at, "requiredDuringSchedulingIgnoredDuringExecution"), i),
                                            "labelSelector"),
                                      NO_SELECTOR);
        for (uint32_t i = 0; i < preferred->count; i++)
                if (!preferred->items[i].pod_affinity_term.label_selector)
                        validate_warn(v,
                                      FIELD(FIELD(ITEM(FIELD(at, "preferredDuringSchedulingIgnoredDuringExecution"), i),
                                                  "podAffinityTerm"),
                                            "labelSelector"),
                                      NO_SELECTOR);
}

static void warn_company(struct validation *v, const struct pod *p) {
        const struct kube_pod_affinity *with = p->s->affinity ? p->s->affinity->pod_affinity : NULL;
        const struct kube_pod_anti_affinity *without = p->s->affinity ? p->s->affinity->pod_anti_affinity : NULL;
        const struct place *at = FIELD(p->spec, "affinity");

        if (with)
                warn_terms(v, FIELD(at, "podAffinity"), &with->required_during_scheduling_ignored_during_execution,
                           &with->preferred_during_scheduling_ignored_during_execution);
        if (without)
                warn_terms(v, FIELD(at, "podAntiAffinity"),
                           &without->required_during_scheduling_ignored_during_execution,
                           &without->preferred_during_scheduling_ignored_during_execution);
}

/* --- what it is --- */

static void warn_annotations(struct validation *v, const struct pod *p) {
        static const struct {
                const char *key, *text;
        } old[] = {
                { "scheduler.alpha.kubernetes.io/critical-pod",
                  "non-functional in v1.16+; use the \"priorityClassName\" field instead" },
                { "security.alpha.kubernetes.io/sysctls",
                  "non-functional in v1.11+; use the \"sysctls\" field instead" },
                { "security.alpha.kubernetes.io/unsafe-sysctls",
                  "non-functional in v1.11+; use the \"sysctls\" field instead" },
        };
        struct place places[2];

        for (size_t i = 0; i < ELEMENTS(old); i++)
                if (string_map_get(&p->meta->annotations, old[i].key))
                        validate_warn(v, ENTRY(annotations(places, p->at), old[i].key), "%s", old[i].text);
}

static void warn_volumes(struct validation *v, const struct pod *p) {
        const kube_volume_items *volumes = &p->s->volumes;

        for (uint32_t i = 0; i < volumes->count; i++) {
                const struct place *at = ITEM(FIELD(p->spec, "volumes"), i);
                const struct kube_ephemeral_volume_source *ephemeral = volumes->items[i].ephemeral;

                validate_warn_old_sources(v, at, &kube_volume_type, &volumes->items[i]);
                if (ephemeral && ephemeral->volume_claim_template)
                        validate_warn_claim_spec(v, FIELD(FIELD(FIELD(at, "ephemeral"), "volumeClaimTemplate"), "spec"),
                                                 &ephemeral->volume_claim_template->spec);
        }
        for (uint32_t i = 0; i < volumes->count; i++)
                validate_warn_paths(v, &volumes->items[i]);
}

static void warn_lists(struct validation *v, const struct pod *p) {
        _cleanup_validate_set_ struct validate_set ips = { 0 }, names = { 0 };
        const struct place *secrets = FIELD(p->spec, "imagePullSecrets");

        for (uint32_t i = 0; i < p->s->host_aliases.count; i++)
                if (!validate_set_add(v, &ips, p->s->host_aliases.items[i].ip))
                        validate_warn(v, FIELD(ITEM(FIELD(p->spec, "hostAliases"), i), "ip"), "duplicate ip %s",
                                      validate_quoted(v, p->s->host_aliases.items[i].ip));
        for (uint32_t i = 0; i < p->s->image_pull_secrets.count; i++)
                if (!validate_set_add(v, &names, p->s->image_pull_secrets.items[i].name))
                        validate_warn(v, FIELD(ITEM(secrets, i), "name"), "duplicate name %s",
                                      validate_quoted(v, p->s->image_pull_secrets.items[i].name));
        for (uint32_t i = 0; i < p->s->image_pull_secrets.count; i++)
                if (!*(p->s->image_pull_secrets.items[i].name ?: ""))
                        validate_warn(v, FIELD(ITEM(secrets, i), "name"), "invalid empty name \"\"");
}

/* --- containers --- */

/* The pod's profile says what the annotation does. */
static bool is_of_pod(const struct kube_app_armor_profile *pod, const char *annotation) {
        if (!pod)
                return false;
        if (strcmp(annotation, "unconfined") == 0)
                return kube_is(pod->type, "Unconfined") && !pod->localhost_profile;
        if (strcmp(annotation, "runtime/default") == 0)
                return kube_is(pod->type, "RuntimeDefault") && !pod->localhost_profile;
        return strncmp(annotation, APPARMOR_LOCAL, strlen(APPARMOR_LOCAL)) == 0 && kube_is(pod->type, "Localhost") &&
               kube_is(pod->localhost_profile, annotation + strlen(APPARMOR_LOCAL));
}

static void warn_profiles(struct validation *v, const struct pod *p, const struct kube_container *c) {
        const char *seccomp = validate_key(v, "%s%s", SECCOMP_CONTAINER, c->name ?: ""),
                   *apparmor = validate_key(v, "%s%s", APPARMOR, c->name ?: ""), *annotation;
        const struct kube_pod_security_context *of_pod = p->s->security_context;
        struct place places[2];

        if (!(c->security_context && c->security_context->seccomp_profile) &&
            string_map_get(&p->meta->annotations, seccomp))
                validate_warn(v, ENTRY(annotations(places, p->at), seccomp), SECCOMP_TEXT);
        annotation = string_map_get(&p->meta->annotations, apparmor);
        if (p->at && annotation && !(c->security_context && c->security_context->app_armor_profile) &&
            !is_of_pod(of_pod ? of_pod->app_armor_profile : NULL, annotation))
                validate_warn(v, ENTRY(annotations(places, p->at), apparmor),
                              "deprecated since v1.30; use the \"appArmorProfile\" field instead");
}

static void warn_amounts(struct validation *v, const struct place *at, const struct kube_resource_requirements *r) {
        static const char *const names[] = { "memory", "ephemeral-storage" };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                validate_warn_fraction(v, FIELD(at, "limits"), &r->limits, names[i]);
                validate_warn_fraction(v, FIELD(at, "requests"), &r->requests, names[i]);
        }
}

/* It takes the place of one of the same name, and does not speak of it. */
static bool hides(struct validation *v, const struct kube_env_var *env) {
        const char *before = validate_key(v, "$(%s)", env->name ?: ""), *value = env->value ?: "";

        return env->value_from || strcmp(value, before) == 0 || !strstr(value, before);
}

static void warn_env(struct validation *v, const struct place *at, const kube_env_var_items *env) {
        _cleanup_validate_set_ struct validate_set names = { 0 };

        for (uint32_t i = 0; i < env->count; i++)
                if (!validate_set_add(v, &names, env->items[i].name) && !validate_has_warned(v) &&
                    hides(v, &env->items[i]))
                        validate_warn(v, ITEM(at, i),
                                      "hides previous definition of %s, which may be dropped when using apply",
                                      validate_quoted(v, env->items[i].name));
}

static void warn_containers(struct validation *v, const struct pod *p) {
        for (struct container_visit visit = { 0 }; validate_next_container(p->s, &visit);) {
                const struct place *at = VISIT_PLACE(p->spec, &visit);

                warn_profiles(v, p, visit.container);
                warn_amounts(v, FIELD(at, "resources"), &visit.container->resources);
                warn_env(v, FIELD(at, "env"), &visit.container->env);
        }
        validate_warn_ports(v, p->spec, p->s);
}

static void warn_addresses(struct validation *v, const struct pod *p) {
        const struct place *servers = FIELD(FIELD(p->spec, "dnsConfig"), "nameservers");

        for (uint32_t i = 0; p->s->dns_config && i < p->s->dns_config->nameservers.count; i++)
                validate_warn_ip(v, ITEM(servers, i), p->s->dns_config->nameservers.items[i]);
        for (uint32_t i = 0; i < p->s->host_aliases.count; i++)
                validate_warn_ip(v, FIELD(ITEM(FIELD(p->spec, "hostAliases"), i), "ip"),
                                 p->s->host_aliases.items[i].ip);
}

void validate_warn_pod(struct validation *v, const struct place *at, const struct kube_object_meta *meta,
                       const struct kube_pod_spec *spec) {
        const struct pod p = { at, FIELD(at, "spec"), meta, spec };
        const struct opt_int *grace = &spec->termination_grace_period_seconds;
        struct place places[2];

        warn_places(v, &p);
        warn_annotations(v, &p);
        warn_volumes(v, &p);
        warn_lists(v, &p);
        validate_warn_fraction(v, FIELD(p.spec, "overhead"), &spec->overhead, "memory");
        validate_warn_fraction(v, FIELD(p.spec, "overhead"), &spec->overhead, "ephemeral-storage");
        if (!(spec->security_context && spec->security_context->seccomp_profile) &&
            string_map_get(&meta->annotations, SECCOMP_POD))
                validate_warn(v, ENTRY(annotations(places, at), SECCOMP_POD), SECCOMP_TEXT);
        warn_containers(v, &p);
        if (grace->set && grace->value < 0)
                validate_warn(v, FIELD(p.spec, "terminationGracePeriodSeconds"),
                              "must be >= 0; negative values are invalid and will be treated as 1");
        warn_company(v, &p);
        warn_addresses(v, &p);
}

void validate_warn_new_pod(struct validation *v, const void *object, const void *old) {
        const struct kube_pod *pod = object;

        (void)old;
        validate_warn_name(v, &pod->metadata, "the Pod's hostname");
        validate_warn_pod(v, NULL, &pod->metadata, &pod->spec);
}

void validate_warn_pod_status(struct validation *v, const void *object, const void *old) {
        const struct kube_pod_status *status = &((const struct kube_pod *)object)->status;
        const struct place *at = FIELD(NULL, "status");

        (void)old;
        for (uint32_t i = 0; i < status->pod_ips.count; i++)
                validate_warn_ip(v, FIELD(ITEM(FIELD(at, "podIPs"), i), "ip"), status->pod_ips.items[i].ip);
        for (uint32_t i = 0; i < status->host_ips.count; i++)
                validate_warn_ip(v, FIELD(ITEM(FIELD(at, "hostIPs"), i), "ip"), status->host_ips.items[i].ip);
}
