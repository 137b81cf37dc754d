/* Ingresses and their classes (k8s.io/kubernetes/pkg/apis/networking/validation, pkg/registry/networking). */
#include <string.h>

#include "kube/networking_v1.h"
#include "kube/problem.h"
#include "kube/validate/common.h"
#include "kube/validate/rules.h"
#include "kube/validate/workload.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define CLASS_ANNOTATION "kubernetes.io/ingress.class"
#define CONTROLLER_MAX 250

/* What an update still takes because the object had it before. */
struct leniency {
        bool secret_names, wildcard_rules;
};

static bool given(const char *text) {
        return text && *text;
}

/* A kind and a name that something else is found by. */
static void check_reference(struct validation *v, const struct place *at, const char *group, const char *kind,
                            const char *name) {
        if (group)
                validate_name(v, FIELD(at, "apiGroup"), NAME_SUBDOMAIN, group);
        validate_name_required(v, FIELD(at, "kind"), NAME_SEGMENT, kind);
        validate_name_required(v, FIELD(at, "name"), NAME_SEGMENT, name);
}

/* --- backends --- */

static void check_service(struct validation *v, const struct place *at,
                          const struct kube_networking_v1_ingress_service_backend *service) {
        const struct place *below = FIELD(at, "service"), *port = FIELD(below, "port");

        validate_name_required(v, FIELD(below, "name"), NAME_LABEL, service->name);
        if (given(service->port.name) && service->port.number != 0)
                validate_invalid(v, at, "", "cannot set both port name & port number");
        else if (given(service->port.name))
                validate_name(v, FIELD(port, "name"), NAME_PORT, service->port.name);
        else if (service->port.number != 0)
                validate_port(v, FIELD(port, "number"), service->port.number);
        else
                validate_required(v, at, "port name or number is required");
}

static void check_backend(struct validation *v, const struct place *at,
                          const struct kube_networking_v1_ingress_backend *backend) {
        const struct kube_typed_local_object_reference *resource = backend->resource;

        if (resource && backend->service)
                validate_invalid(v, at, "", "cannot set both resource and service backends");
        else if (resource)
                check_reference(v, FIELD(at, "resource"), resource->api_group, resource->kind, resource->name);
        else if (backend->service)
                check_service(v, at, backend->service);
        else
                validate_invalid(v, at, "", "resource or service backend is required");
}

/* --- rules --- */

static void check_path_text(struct validation *v, const struct place *at, const char *path) {
        static const char *const sequences[] = { "//", "/./", "/../", "%2f", "%2F" }, *const suffixes[] = { "/..",
                                                                                                            "/." };
        size_t n = strlen(path);

        for (size_t i = 0; i < ELEMENTS(sequences); i++)
                if (strstr(path, sequences[i]))
                        validate_invalid(v, at, path, validate_text(v, "must not contain '%s'", sequences[i]));
        for (size_t i = 0; i < ELEMENTS(suffixes); i++)
                if (n >= strlen(suffixes[i]) && strcmp(path + n - strlen(suffixes[i]), suffixes[i]) == 0)
                        validate_invalid(v, at, path, validate_text(v, "cannot end with '%s'", suffixes[i]));
}

static void check_path(struct validation *v, const struct place *at,
                       const struct kube_networking_v1_http_ingress_path *path) {
        static const char *const types[] = { "Exact", "ImplementationSpecific", "Prefix", NULL };
        const struct place *place = FIELD(at, "path");
        const char *text = path->path ?: "";
        bool own = kube_is(path->path_type, "ImplementationSpecific");

        if (!path->path_type) {
                validate_required(v, FIELD(at, "pathType"), "pathType must be specified");
                return;
        }
        if (!validate_is_one(path->path_type, types))
                validate_unsupported(v, FIELD(at, "pathType"), path->path_type, types);
        else if (*text != '/' && (!own || *text))
                validate_invalid(v, place, text, "must be an absolute path");
        if (!own && validate_is_one(path->path_type, types))
                check_path_text(v, place, text);
        check_backend(v, FIELD(at, "backend"), &path->backend);
}

static void check_rule_value(struct validation *v, const struct place *at,
                             const struct kube_networking_v1_ingress_rule *rule) {
        const struct place *paths = FIELD(FIELD(at, "http"), "paths");

        if (!rule->http)
                return;
        if (rule->http->paths.count == 0)
                validate_required(v, paths, "");
        for (uint32_t i = 0; i < rule->http->paths.count; i++)
                check_path(v, ITEM(paths, i), &rule->http->paths.items[i]);
}

static void check_host(struct validation *v, const struct place *at, const char *host) {
        if (validate_is_ip(host))
                validate_invalid(v, at, host, "must be a DNS name, not an IP address");
        validate_name(v, at, strchr(host, '*') ? NAME_WILDCARD : NAME_SUBDOMAIN, host);
}

static void check_rule(struct validation *v, const struct place *at, const struct kube_networking_v1_ingress_rule *rule,
                       const struct leniency *lenient) {
        bool wildcard = given(rule->host) && strchr(rule->host, '*');

        if (given(rule->host))
                check_host(v, FIELD(at, "host"), rule->host);
        if (!wildcard || !lenient->wildcard_rules)
                check_rule_value(v, at, rule);
}

static void check_tls(struct validation *v, const struct place *at, const struct kube_networking_v1_ingress_tls *tls,
                      const struct leniency *lenient) {
        for (uint32_t i = 0; i < tls->hosts.count; i++) {
                const char *host = tls->hosts.items[i] ?: "";

                validate_name(v, ITEM(FIELD(at, "hosts"), i), strchr(host, '*') ? NAME_WILDCARD : NAME_SUBDOMAIN, host);
        }
        if (!lenient->secret_names && given(tls->secret_name))
                validate_name(v, FIELD(at, "secretName"), NAME_SUBDOMAIN, tls->secret_name);
}

/* --- Ingress --- */

static void check_spec(struct validation *v, const struct kube_networking_v1_ingress_spec *spec,
                       const struct leniency *lenient) {
        const struct place *at = FIELD(NULL, "spec");

        if (spec->rules.count == 0 && !spec->default_backend)
                validate_invalid_json(v, at, spec->rules.items ? "[]" : "null",
                                      "either `defaultBackend` or `rules` must be specified");
        if (spec->default_backend)
                check_backend(v, FIELD(at, "defaultBackend"), spec->default_backend);
        for (uint32_t i = 0; i < spec->rules.count; i++)
                check_rule(v, ITEM(FIELD(at, "rules"), i), &spec->rules.items[i], lenient);
        for (uint32_t i = 0; i < spec->tls.count; i++)
                check_tls(v, ITEM(FIELD(at, "tls"), i), &spec->tls.items[i], lenient);
        if (spec->ingress_class_name)
                validate_name(v, FIELD(at, "ingressClassName"), NAME_SUBDOMAIN, spec->ingress_class_name);
}

static void create_ingress(struct validation *v, const void *object, const void *old) {
        static const struct leniency none = { false, false };
        const struct kube_networking_v1_ingress *new = object;
        const char *class = string_map_get(&new->metadata.annotations, CLASS_ANNOTATION);

        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_spec(v, &new->spec, &none);
        if (class && new->spec.ingress_class_name && strcmp(class, new->spec.ingress_class_name) != 0)
                validate_invalid(v, FIELD(FIELD(NULL, "annotations"), CLASS_ANNOTATION), class,
                                 "must match `ingressClassName` when both are specified");
}

/* Whether rules with wildcards are wrong already. */
static bool has_bad_wildcard(struct validation *v, const struct kube_networking_v1_ingress_spec *spec) {
        struct validation unsaid = *v;
        struct problems unheard;

        problems_init(&unheard, v->arena, NULL, NULL);
        unsaid.problems = &unheard;
        list_for_each (rule, &spec->rules)
                if (strchr(rule->host ?: "", '*'))
                        check_rule_value(&unsaid, NULL, rule);
        return unheard.errors > 0;
}

static void update_ingress(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_ingress *new = object, *old = before;
        struct leniency lenient = { .wildcard_rules = has_bad_wildcard(v, &old->spec) };

        list_for_each (tls, &old->spec.tls)
                lenient.secret_names |= given(tls->secret_name) && name_problem(NAME_SUBDOMAIN, tls->secret_name);
        validate_meta_update(v, &new->metadata, &old->metadata);
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        check_spec(v, &new->spec, &lenient);
}

static void update_status(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_ingress *new = object, *old = before;
        const struct place *at = FIELD(FIELD(FIELD(NULL, "status"), "loadBalancer"), "ingress");
        const kube_networking_v1_ingress_load_balancer_ingress_items *past = &old->status.load_balancer.ingress,
                                                                     *points = &new->status.load_balancer.ingress;
        const char **addresses = arena_alloc_array(v->arena, (size_t)past->count + 1, sizeof(*addresses));
        string_list known = { addresses, addresses ? past->count : 0 };

        for (uint32_t i = 0; i < known.count; i++)
                addresses[i] = past->items[i].ip ?: "";
        validate_meta_update(v, &new->metadata, &old->metadata);
        for (uint32_t i = 0; i < points->count; i++) {
                const char *ip = points->items[i].ip, *host = points->items[i].hostname;

                if (given(ip))
                        validate_ip(v, FIELD(ITEM(at, i), "ip"), ip, &known);
                if (!given(host))
                        continue;
                validate_name(v, FIELD(ITEM(at, i), "hostname"), NAME_SUBDOMAIN, host);
                if (validate_is_ip(host))
                        validate_invalid(v, FIELD(ITEM(at, i), "hostname"), host,
                                         "must be a DNS name, not an IP address");
        }
}

/* --- IngressClass --- */

static void check_scope(struct validation *v, const struct place *at,
                        const struct kube_networking_v1_ingress_class_parameters_reference *r) {
        static const char *const scopes[] = { "Cluster", "Namespace", NULL };
        const struct place *namespace = FIELD(at, "namespace");

        if (!r->scope)
                validate_required(v, FIELD(at, "scope"), "");
        else if (!validate_is_one(r->scope, scopes))
                validate_text_choice(v, FIELD(at, "scope"), r->scope, scopes);
        else if (strcmp(r->scope, "Cluster") == 0 && r->namespace)
                validate_forbidden(v, namespace, "`parameters.scope` is set to 'Cluster'");
        else if (strcmp(r->scope, "Namespace") == 0 && !r->namespace)
                validate_required(v, namespace, "`parameters.scope` is set to 'Namespace'");
        else if (strcmp(r->scope, "Namespace") == 0)
                validate_name(v, namespace, NAME_LABEL, r->namespace);
}

static void check_class(struct validation *v, const void *object, const void *before) {
        const struct kube_networking_v1_ingress_class *new = object, *old = before;
        const struct place *at = FIELD(NULL, "spec"), *controller = FIELD(at, "controller"),
                           *parameters = FIELD(at, "parameters");
        const struct kube_networking_v1_ingress_class_parameters_reference *r = new->spec.parameters;

        if (old) {
                validate_meta_update(v, &new->metadata, &old->metadata);
                validate_immutable_text(v, controller, new->spec.controller, old->spec.controller);
        }
        validate_meta(v, &new->metadata, NAME_SUBDOMAIN);
        if (strlen(new->spec.controller ?: "") > CONTROLLER_MAX)
                validate_too_long(v, controller, CONTROLLER_MAX);
        validate_domain_path(v, controller, new->spec.controller);
        if (!r)
                return;
        check_reference(v, parameters, r->api_group, r->kind, r->name);
        check_scope(v, parameters, r);
}

static const struct validate_sub ingress_subs[] = { { "status", update_status }, { 0 } };

const struct validate_rules validate_ingress_rules[] = {
        { "networking.k8s.io", "Ingress", NAME_SUBDOMAIN, create_ingress, update_ingress, ingress_subs },
        { "networking.k8s.io", "IngressClass", NAME_SUBDOMAIN, check_class, check_class, NULL },
        { 0 },
};
