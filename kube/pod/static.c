/* Static pods: what kubelet's file source makes of a manifest (pkg/kubelet/config/common.go). */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kube/pod/pod.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_sort.h"
#include "lib/yaml.h"

typedef unsigned __int128 hash128;

/* FNV-1a with 128 bits: no defence against an attacker, who could as well write the manifest. */
static hash128 hash_text(hash128 hash, const char *text, size_t length) {
        const hash128 prime = ((hash128)1 << 88) + 0x13b;

        for (size_t i = 0; i < length; i++)
                hash = (hash ^ (unsigned char)text[i]) * prime;
        return hash;
}

/* What the pod's manifest says, whatever the order of the rows it was read by. */
static int identity(const struct pod *pod, char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer given = JSON_WRITER_INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *value;
        size_t length;
        int r;

        if (!arena)
                return -ENOMEM;
        if ((r = pod_write(pod, NULL, &given)) < 0 || (r = json_writer_finish(&given, &text, &length)) < 0 ||
            (r = json_parse(arena, text, length, NULL, &value, NULL)) < 0)
                return r;
        value = value_sorted(arena, value);
        return value ? json_format(value, false, ret_text, ret_length) : -ENOMEM;
}

/* Identity of the manifest: what it says (not how: neither order, spacing nor comments), where, and on which node. It
 * is taken before defaulting, so that a default that changes between versions does not replace a running pod. */
static int hash_pod(const struct pod *pod, const struct pod_static_options *options, char ret_text[33]) {
        hash128 hash = ((hash128)0x6c62272e07bb0142 << 64) | 0x62b821756295c58d;
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = identity(pod, &text, &length);

        if (r < 0)
                return r;
        hash = hash_text(hash, text, length);
        hash = hash_text(hash, "host:", 5);
        hash = hash_text(hash, options->node_name, strlen(options->node_name));
        hash = hash_text(hash, "file:", 5);
        hash = hash_text(hash, options->file, strlen(options->file));
        snprintf(ret_text, 33, "%016llx%016llx", (unsigned long long)(hash >> 64), (unsigned long long)hash);
        return 0;
}

/* Sets the annotations that kubelet gives; what the manifest has under their names is replaced. */
static bool annotate(struct pod *pod, const char *uid, const char *seen) {
        const struct string_pair own[] = {
                { "kubernetes.io/config.hash", uid },
                { "kubernetes.io/config.seen", seen },
                { "kubernetes.io/config.source", "file" },
        };
        string_map *map = &pod->metadata.annotations;
        struct string_pair *items = arena_alloc_array(pod->arena, map->count + ELEMENTS(own), sizeof(*items));
        uint32_t n = 0;

        if (!items)
                return false;
        list_for_each (pair, map)
                if (strncmp(pair->key, "kubernetes.io/config.", 21) != 0)
                        items[n++] = *pair;
        for (size_t i = 0; i < ELEMENTS(own); i++)
                items[n++] = own[i];
        qsort(items, n, sizeof(*items), kube_pair_order);
        map->items = items;
        map->count = n;
        return true;
}

static bool tolerates(const struct kube_toleration *t) {
        return !t->key && kube_is(t->operator, "Exists") && kube_is(t->effect, "NoExecute");
}

/* Static pods stay where they are whatever the node's taints. */
static bool tolerate(struct pod *pod) {
        kube_toleration_items *list = &pod->spec.tolerations;
        struct kube_toleration *items;

        list_for_each (t, list)
                if (tolerates(t)) {
                        t->toleration_seconds = (struct opt_int){ 0 };
                        return true;
                }
        items = arena_alloc_array(pod->arena, (size_t)list->count + 1, sizeof(*items));
        if (!items)
                return false;
        if (list->count > 0)
                memcpy(items, list->items, list->count * sizeof(*items));
        items[list->count] = (struct kube_toleration){ .operator= "Exists", .effect = "NoExecute" };
        list->items = items;
        list->count++;
        return true;
}

static const char *now_text(struct arena *arena) {
        struct timespec now;
        struct tm tm;

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                            tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec);
}

/* Gives the pod its identity on this node. */
static int identify(struct pod *pod, const struct pod_static_options *options) {
        struct kube_object_meta *meta = &pod->metadata;
        char hash[33], *name;
        const char *seen = options->seen ? arena_strdup(pod->arena, options->seen) : now_text(pod->arena);
        int r = hash_pod(pod, options, hash);

        if (r < 0)
                return r;
        if (!meta->uid || !*meta->uid)
                meta->uid = arena_strdup(pod->arena, hash);
        name = arena_printf(pod->arena, "%s-%s", meta->name, options->node_name);
        pod->spec.node_name = arena_strdup(pod->arena, options->node_name);
        pod->file = arena_strdup(pod->arena, options->file);
        if (!meta->uid || !name || !seen || !pod->spec.node_name || !pod->file)
                return -ENOMEM;
        for (char *p = name + strlen(meta->name); *p; p++)
                *p = (char)tolower((unsigned char)*p);
        meta->name = name;
        if (!meta->namespace)
                meta->namespace = "default";
        return annotate(pod, meta->uid, seen) && tolerate(pod) ? 0 : -ENOMEM;
}

/* What needs an API server has no place in a static pod; @path is the first field that refers to one. */
struct reference {
        const char *resource; /* as kubelet names it */
        char path[128];
};

__attribute__((format(printf, 3, 4))) static bool refers(struct reference *ret, const char *resource,
                                                         const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(ret->path, sizeof(ret->path), format, ap);
        va_end(ap);
        ret->resource = resource;
        return true;
}

static bool container_refers(const struct kube_container *c, const char *list, uint32_t i, struct reference *ret) {
        for (uint32_t j = 0; j < c->env_from.count; j++)
                if (c->env_from.items[j].secret_ref || c->env_from.items[j].config_map_ref)
                        return refers(ret, c->env_from.items[j].secret_ref ? "secrets" : "configmaps",
                                      "spec.%s[%u].envFrom[%u]", list, i, j);
        for (uint32_t j = 0; j < c->env.count; j++) {
                const struct kube_env_var_source *from = c->env.items[j].value_from;

                if (from && (from->secret_key_ref || from->config_map_key_ref))
                        return refers(ret, from->secret_key_ref ? "secrets" : "configmaps",
                                      "spec.%s[%u].env[%u].valueFrom", list, i, j);
        }
        return false;
}

static bool containers_refer(const kube_container_items *containers, const char *list, struct reference *ret) {
        for (uint32_t i = 0; i < containers->count; i++)
                if (container_refers(&containers->items[i], list, i, ret))
                        return true;
        return false;
}

/* Volumes by kind: what the API must know of them. Those missing here need no API object. */
static const struct {
        const char *name, *resource;
} api_volumes[] = {
        { "configMap", "configmaps" },
        { "secret", "secrets" },
        { "persistentVolumeClaim", "persistentvolumeclaims" },
        { "csi", "csidrivers (via CSI volumes)" },
        { "glusterfs", "endpoints (via glusterFS volumes)" },
        { "ephemeral", "persistentvolumeclaims (via ephemeral volumes)" },
        { "azureFile", "secrets (via azureFile volumes)" },
};

static const char *projected_resource(const struct kube_volume_projection *source) {
        return source->config_map            ? "configmaps" :
               source->secret                ? "secrets" :
               source->service_account_token ? "serviceaccounts (via projected volumes)" :
               source->cluster_trust_bundle  ? "clustertrustbundles" :
               source->pod_certificate       ? "podcertificates" :
                                               NULL;
}

static bool projected_refers(const struct kube_projected_volume_source *projected, uint32_t i, struct reference *ret) {
        for (uint32_t j = 0; j < projected->sources.count; j++) {
                const char *resource = projected_resource(&projected->sources.items[j]);

                if (resource)
                        return refers(ret, resource, "spec.volumes[%u].projected.sources[%u]", i, j);
        }
        return false;
}

/* Kinds that name a Secret do so in secretRef. */
static bool has_secret_ref(const struct kube_type *type, const void *source) {
        const struct kube_field *field = kube_type_field(type, "secretRef", strlen("secretRef"));
        const struct kube_local_object_reference *ref;

        if (!field || field->type != &kube_local_object_reference_type)
                return false;
        ref = kube_below(field, source);
        return ref && ref->name;
}

static bool volume_refers(const struct kube_volume *v, uint32_t i, struct reference *ret) {
        const void *source = NULL;
        const struct kube_field *kind = pod_volume_source(v, &source);

        if (!kind)
                return false;
        if (has_secret_ref(kind->type, source))
                return refers(ret, "secrets", "spec.volumes[%u].%s.secretRef", i, kind->name);
        for (size_t j = 0; j < ELEMENTS(api_volumes); j++)
                if (strcmp(api_volumes[j].name, kind->name) == 0)
                        return refers(ret, api_volumes[j].resource, "spec.volumes[%u].%s", i, kind->name);
        return v->projected && projected_refers(v->projected, i, ret);
}

static bool find_reference(const struct pod *pod, struct reference *ret) {
        const struct kube_pod_spec *spec = &pod->spec;

        if (spec->service_account_name)
                return refers(ret, "serviceaccounts", "spec.serviceAccountName");
        list_for_each (secret, &spec->image_pull_secrets)
                if (secret->name)
                        return refers(ret, "secrets", "spec.imagePullSecrets");
        if (containers_refer(&spec->init_containers, "initContainers", ret) ||
            containers_refer(&spec->containers, "containers", ret))
                return true;
        if (spec->resource_claims.count > 0)
                return refers(ret, "resourceclaims", "spec.resourceClaims");
        for (uint32_t i = 0; i < spec->volumes.count; i++)
                if (volume_refers(&spec->volumes.items[i], i, ret))
                        return true;
        return false;
}

static void check_references(const struct pod *pod, struct problems *problems) {
        struct reference reference;

        if (find_reference(pod, &reference))
                problem_error(problems, reference.path, "static pods may not reference %s", reference.resource);
}

/* A text is read anew after what YAML's reader did not know: what was said of it is said once. */
static void on_warning(void *data, uint32_t line, const char *text) {
        struct problems *problems = data;

        for (uint32_t i = 0; i < problems->count; i++)
                if (problems->items[i].line == line && strcmp(problems->items[i].text, text) == 0)
                        return;
        problem_add(problems, true, line, "", "%s", text);
}

/* What begins with a brace is JSON, never YAML's flow style, as for kubelet (util/yaml, ToJSON()). */
static int parse(struct arena *arena, const char *text, size_t length, struct problems *problems,
                 const struct value **ret_value, struct err **err) {
        const struct value_options options = {
                .name = problems->file, .bytes_max = POD_MANIFEST_BYTES_MAX, .warn = on_warning, .warn_data = problems
        };
        size_t skip = 0;

        while (skip < length && isspace((unsigned char)text[skip]))
                skip++;
        if (skip < length && text[skip] == '{')
                return json_parse(arena, text, length, &options, ret_value, err);
        return yaml_parse(arena, text, length, &options, ret_value, err);
}

static int finish(struct pod *pod, const struct pod_static_options *options, struct problems *problems) {
        int r;

        if (!pod->metadata.name) {
                problem_error(problems, "metadata.name", "Required value: name is needed for the pod");
                return -EINVAL;
        }
        if ((r = identify(pod, options)) < 0 || (r = pod_default(pod)) < 0)
                return r;
        r = pod_validate(pod, problems);
        if (r < 0)
                return r;
        check_references(pod, problems);
        return problems->errors > 0 ? -EINVAL : 0;
}

static int make(const struct value *value, const struct pod_static_options *options, struct problems *problems,
                struct pod **pod) {
        int r;

        if ((r = pod_decode(value, problems, pod)) < 0 || (r = finish(*pod, options, problems)) < 0)
                return r;
        return pod_settle(pod);
}

int pod_read_static(const char *text, size_t length, const struct pod_static_options *options,
                    struct problems *problems, struct pod **ret_pod, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_pod_ struct pod *pod = NULL;
        const struct value *value;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "%s: out of memory", options->file);
        problems->file = options->file;
        r = parse(arena, text, length, problems, &value, err);
        if (r < 0)
                return r;
        problems->source = value;
        r = make(value, options, problems, &pod);
        problems->source = NULL; /* its arena goes */
        if (r == -EINVAL)
                return problems_err(problems, err);
        if (r < 0)
                return err_errno(err, -r, "%s", options->file);
        *ret_pod = TAKE_PTR(pod);
        return 0;
}
