/* Projected volumes: one directory of several sources. */
#include <ctype.h>
#include <string.h>

#include "kube/validate/pod_rules.h"
#include "lib/path.h"

#define TOKEN_SECONDS_MIN 600
#define TOKEN_SECONDS_MAX ((int64_t)1 << 32)
#define CERTIFICATE_SECONDS_MIN 3600
#define CERTIFICATE_SECONDS_MAX (91 * 24 * 3600)
#define KUBERNETES_CERTIFICATE_SECONDS_MAX (24 * 3600)

struct work {
        struct validation *v;
        const struct place *at; /* "projected" */
        const struct pod_case *c;
        struct validate_set paths;
};

/* @told is what kube-apiserver calls the culprit. */
static void check_path_once(struct work *w, const char *path, const char *told) {
        if (!validate_set_add(w->v, &w->paths, path))
                validate_invalid(w->v, w->at, told, "conflicting duplicate paths");
}

static void check_keys(struct work *w, const struct place *at, const char *name, const kube_key_to_path_items *items) {
        if (!name || !*name)
                validate_required(w->v, FIELD(at, "name"), "");
        for (uint32_t i = 0; i < items->count; i++) {
                validate_key_path(w->v, ITEM(FIELD(at, "items"), i), &items->items[i]);
                if (items->items[i].path && *items->items[i].path)
                        check_path_once(w, items->items[i].path, name);
        }
}

static void check_downward(struct work *w, const struct place *at, const struct kube_downward_api_projection *s) {
        list_for_each (file, &s->items) {
                validate_downward_file(w->v, at, file);
                if (file->path && *file->path)
                        check_path_once(w, file->path, file->path);
        }
}

bool validate_is_token_path(const char *path) {
        return path && *path != '/' && !path_steps_back(path) && strncmp(path, "..", 2) != 0;
}

static void check_token(struct work *w, const struct place *at, const struct kube_service_account_token_projection *s) {
        int64_t seconds = s->expiration_seconds.value;

        if (seconds < TOKEN_SECONDS_MIN)
                validate_invalid_int(w->v, FIELD(at, "expirationSeconds"), seconds,
                                     "may not specify a duration less than 10 minutes");
        if (seconds > TOKEN_SECONDS_MAX)
                validate_invalid_int(w->v, FIELD(at, "expirationSeconds"), seconds,
                                     "may not specify a duration larger than 2^32 seconds");
        if (!s->path || !*s->path)
                validate_required(w->v, FIELD(w->at, "path"), "");
        else if (!w->c->options.any_token_path)
                validate_file_path(w->v, FIELD(w->at, "path"), s->path);
}

/* --- signers --- */

/* Labels with dots between them, each of @rule; the first that is wrong is told. */
static unsigned check_labels(struct validation *v, const struct place *at, const char *text, enum name_rule rule) {
        unsigned n_labels = 0;

        for (const char *p = text;; p++) {
                size_t n = strcspn(p, ".");
                const char *label = validate_copy(v, p, n), *problems[NAME_PROBLEMS_MAX];
                unsigned wrong = name_problems(rule, label, problems);

                n_labels++;
                for (unsigned i = 0; i < wrong; i++)
                        validate_invalid(
                                v, at, text,
                                validate_text(v, "validating label %s: %s", validate_quoted(v, label), problems[i]));
                p += n;
                if (*p == '\0' || wrong > 0)
                        break;
        }
        return n_labels;
}

void validate_signer_name(struct validation *v, const struct place *at, const char *name) {
        const char *slash = name ? strchr(name, '/') : NULL;
        char *domain;

        if (!name || !*name) {
                validate_required(v, at, "");
                return;
        }
        if (!slash || strchr(slash + 1, '/')) {
                validate_invalid(v, at, name,
                                 "must be a fully qualified domain and path of the form 'example.com/signer-name'");
                return;
        }
        domain = validate_copy(v, name, (size_t)(slash - name));
        if (slash - name > 253)
                validate_too_long(v, at, 253);
        check_labels(v, at, domain ?: "", NAME_LABEL);
        if (domain && !strchr(domain, '.'))
                validate_invalid(v, at, domain, "should be a domain with at least two segments separated by dots");
        check_labels(v, at, slash + 1, NAME_SUBDOMAIN);
        if (strlen(name) > 571)
                validate_too_long(v, at, 571);
}

/* --- trust bundles --- */

/* A bundle of a signer begins with its name, ":" for each "/". */
static void check_bundle_name(struct work *w, const struct place *at, const char *name) {
        const char *colon = strrchr(name, ':'), *problems[NAME_PROBLEMS_MAX];
        unsigned n = name_problems(NAME_SUBDOMAIN, colon ? colon + 1 : name, problems);

        for (unsigned i = 0; i < n; i++)
                validate_invalid(w->v, at, name,
                                 validate_text(w->v, "not a valid clustertrustbundlename: %s", problems[i]));
}

static void check_bundle_of_signer(struct work *w, const struct place *at,
                                   const struct kube_cluster_trust_bundle_projection *s) {
        if (!*s->signer_name)
                validate_required(w->v, FIELD(at, "signerName"), "must be a valid signer name");
        validate_signer_name(w->v, FIELD(at, "signerName"), s->signer_name);
        validate_selector(w->v, FIELD(at, "labelSelector"), s->label_selector, NULL);
}

static void check_named_bundle(struct work *w, const struct place *at,
                               const struct kube_cluster_trust_bundle_projection *s) {
        if (!*s->name)
                validate_required(w->v, FIELD(at, "name"), "must be a valid object name");
        check_bundle_name(w, FIELD(at, "name"), s->name);
        if (s->label_selector)
                validate_invalid_object(w->v, FIELD(at, "labelSelector"), &kube_label_selector_type, s->label_selector,
                                        "labelSelector must be unset if name is specified");
}

static void check_bundle(struct work *w, const struct place *at, const struct kube_cluster_trust_bundle_projection *s) {
        if (s->name && s->signer_name)
                validate_invalid_json(w->v, at, validate_go_json(w->v, &kube_cluster_trust_bundle_projection_type, s),
                                      "only one of name and signerName may be used");
        else if (s->name)
                check_named_bundle(w, at, s);
        else if (s->signer_name)
                check_bundle_of_signer(w, at, s);
        else
                validate_required(w->v, at, "either name or signerName must be specified");
        if (!s->path || !*s->path)
                validate_required(w->v, FIELD(at, "path"), "");
        validate_file_path(w->v, FIELD(at, "path"), s->path);
        check_path_once(w, s->path, s->path);
}

/* --- certificates --- */

static bool is_kubernetes_signer(const char *name) {
        const char *slash = strchrnul(name, '/');
        size_t n = (size_t)(slash - name), own = strlen("kubernetes.io");

        return n >= own && strncmp(slash - own, "kubernetes.io", own) == 0 &&
               (n == own || slash[-(ptrdiff_t)own - 1] == '.');
}

static void check_user_annotations(struct work *w, const struct place *at, const string_map *map) {
        list_for_each (entry, map) {
                char *key = validate_copy(w->v, entry->key, strlen(entry->key));
                unsigned before = validate_errors(w->v);

                for (char *p = key; p && *p; p++)
                        *p = (char)tolower((unsigned char)*p);
                validate_name_required(w->v, at, NAME_QUALIFIED, key);
                if (validate_errors(w->v) == before && key && !strchr(key, '/'))
                        validate_invalid(w->v, at, key, "must be a domain-prefixed key (such as \"acme.io/foo\")");
        }
}

static void check_expiry(struct work *w, const struct place *at, const struct kube_pod_certificate_projection *s) {
        int64_t seconds = s->max_expiration_seconds.value, max = is_kubernetes_signer(s->signer_name ?: "") ?
                                                                         KUBERNETES_CERTIFICATE_SECONDS_MAX :
                                                                         CERTIFICATE_SECONDS_MAX;

        if (!s->max_expiration_seconds.set)
                return;
        if (seconds < CERTIFICATE_SECONDS_MIN)
                validate_invalid_int(w->v, at, seconds, "if provided, maxExpirationSeconds must be >= 3600");
        if (seconds > max)
                validate_invalid_int(
                        w->v, at, seconds,
                        validate_text(w->v, "if provided, maxExpirationSeconds must be <= %lld", (long long)max));
}

static void check_certificate(struct work *w, const struct place *at, const struct kube_pod_certificate_projection *s) {
        static const char *const types[] = { "RSA3072",   "RSA4096", "ECDSAP256", "ECDSAP384",
                                             "ECDSAP521", "ED25519", NULL };
        const struct {
                const char *field, *path;
        } paths[] = { { "credentialBundlePath", s->credential_bundle_path },
                      { "keyPath", s->key_path },
                      { "certificateChainPath", s->certificate_chain_path } };
        unsigned n = 0;

        validate_signer_name(w->v, FIELD(at, "signerName"), s->signer_name);
        check_user_annotations(w, FIELD(at, "userAnnotations"), &s->user_annotations);
        if (!validate_is_one(s->key_type, types))
                validate_unsupported_json(w->v, FIELD(at, "keyType"), validate_quoted(w->v, s->key_type), types);
        check_expiry(w, FIELD(at, "maxExpirationSeconds"), s);
        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
                if (!paths[i].path || !*paths[i].path)
                        continue;
                n++;
                validate_file_path(w->v, FIELD(at, paths[i].field), paths[i].path);
                check_path_once(w, paths[i].path, paths[i].path);
        }
        if (n == 0)
                validate_required(w->v, at,
                                  "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
}

static void check_source(struct work *w, const struct place *at, const struct kube_volume_projection *s) {
        unsigned n = !!s->secret + !!s->config_map + !!s->downward_api + !!s->service_account_token +
                     !!s->cluster_trust_bundle + !!s->pod_certificate;

        if (s->secret)
                check_keys(w, FIELD(at, "secret"), s->secret->name, &s->secret->items);
        if (s->config_map)
                check_keys(w, FIELD(at, "configMap"), s->config_map->name, &s->config_map->items);
        if (s->downward_api)
                check_downward(w, FIELD(at, "downwardAPI"), s->downward_api);
        if (s->service_account_token)
                check_token(w, FIELD(at, "serviceAccountToken"), s->service_account_token);
        if (s->cluster_trust_bundle)
                check_bundle(w, FIELD(at, "clusterTrustBundle"), s->cluster_trust_bundle);
        if (s->pod_certificate)
                check_certificate(w, FIELD(at, "podCertificate"), s->pod_certificate);
        if (n > 1)
                validate_forbidden(w->v, at, "may not specify more than 1 volume type per source");
}

void validate_projected(struct validation *v, const struct place *at, const struct kube_projected_volume_source *source,
                        const struct pod_case *c) {
        struct work w = { .v = v, .at = at, .c = c };

        validate_mode(v, FIELD(at, "defaultMode"), &source->default_mode);
        for (uint32_t i = 0; i < source->sources.count; i++)
                check_source(&w, ITEM(FIELD(at, "sources"), i), &source->sources.items[i]);
        validate_set_clear(&w.paths);
}
