/* fieldRef and resourceFieldRef: pkg/fieldpath and pkg/api/v1/resource. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kube/pod/env.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/err.h"

/* One field that can be asked for; its text, or NULL while it is not known. */
struct known_field {
        const char *path;
        const char *(*get)(const struct pod *pod, const struct pod_facts *facts);
};

static const char *get_name(const struct pod *pod, const struct pod_facts *facts) {
        return pod->metadata.name;
}

static const char *get_namespace(const struct pod *pod, const struct pod_facts *facts) {
        return pod->metadata.namespace;
}

static const char *get_uid(const struct pod *pod, const struct pod_facts *facts) {
        return pod->metadata.uid;
}

static const char *get_node(const struct pod *pod, const struct pod_facts *facts) {
        return pod->spec.node_name ?: "";
}

static const char *get_service_account(const struct pod *pod, const struct pod_facts *facts) {
        return pod->spec.service_account_name ?: "";
}

static const char *get_host_ip(const struct pod *pod, const struct pod_facts *facts) {
        return facts->host_ip;
}

static const char *get_host_ips(const struct pod *pod, const struct pod_facts *facts) {
        return facts->host_ips ?: facts->host_ip;
}

static const char *get_pod_ip(const struct pod *pod, const struct pod_facts *facts) {
        return !facts->pod_ip && pod->spec.host_network ? facts->host_ip : facts->pod_ip;
}

static const char *get_pod_ips(const struct pod *pod, const struct pod_facts *facts) {
        if (!facts->pod_ips && pod->spec.host_network)
                return get_host_ips(pod, facts);
        return facts->pod_ips ?: facts->pod_ip;
}

static const struct known_field known_fields[] = {
        { "metadata.name", get_name },
        { "metadata.namespace", get_namespace },
        { "metadata.uid", get_uid },
        { "spec.nodeName", get_node },
        { "spec.serviceAccountName", get_service_account },
        { "status.hostIP", get_host_ip },
        { "status.hostIPs", get_host_ips },
        { "status.podIP", get_pod_ip },
        { "status.podIPs", get_pod_ips },
};

static const char shorts[] = "\a\b\f\n\r\t\v\"\\"; /* what has a letter behind a backslash */

static bool is_control(char c) {
        return (unsigned char)c < 0x20 || c == 0x7f;
}

/* What append_quoted() writes. */
static size_t quoted_length(const char *value) {
        size_t n = 2;

        for (; *value; value++)
                n += strchr(shorts, *value) ? 2 : is_control(*value) ? 4 : 1;
        return n;
}

/* @value as Go quotes it. */
static char *append_quoted(char *p, const char *value) {
        static const char names[] = "abfnrtv\"\\";

        *p++ = '"';
        for (; *value; value++) {
                const char *at = strchr(shorts, *value);

                if (at) {
                        *p++ = '\\';
                        *p++ = names[at - shorts];
                } else if (is_control(*value)) {
                        p += sprintf(p, "\\x%02x", (unsigned char)*value);
                } else {
                        *p++ = *value;
                }
        }
        *p++ = '"';
        return p;
}

/* All of a map, as a downward API file holds it: key="value", a line each. */
static const char *format_map(struct arena *arena, const string_map *map) {
        size_t size = 1;
        char *text, *p;

        list_for_each (pair, map)
                size += strlen(pair->key) + quoted_length(pair->value) + 2; /* with "=", and the line's end before it */
        p = text = arena_alloc(arena, size);
        if (!text)
                return NULL;
        list_for_each (pair, map) {
                if (p > text)
                        *p++ = '\n';
                p = stpcpy(p, pair->key);
                *p++ = '=';
                p = append_quoted(p, pair->value);
        }
        *p = '\0';
        return text;
}

/* metadata.labels['KEY']: *@ret_text is "" for a key that is not there. */
static bool subscript(struct arena *arena, const string_map *map, const char *rest, const char **ret_text) {
        size_t length = strlen(rest);
        char *key;

        if (length < 4 || strncmp(rest, "['", 2) != 0 || strcmp(rest + length - 2, "']") != 0)
                return false;
        key = arena_strndup(arena, rest + 2, length - 4);
        *ret_text = key ? string_map_get(map, key) ?: "" : NULL;
        return true;
}

static bool map_field(struct arena *arena, const struct pod *pod, const char *path, const char **ret_text) {
        const struct {
                const char *name;
                const string_map *map;
        } maps[] = {
                { "metadata.labels", &pod->metadata.labels },
                { "metadata.annotations", &pod->metadata.annotations },
        };

        for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
                size_t n = strlen(maps[i].name);

                if (strncmp(path, maps[i].name, n) != 0)
                        continue;
                if (path[n] == '\0') {
                        *ret_text = format_map(arena, maps[i].map);
                        return true;
                }
                return subscript(arena, maps[i].map, path + n, ret_text);
        }
        return false;
}

int pod_field_value(struct arena *arena, const struct pod *pod, const struct pod_facts *facts, const char *path,
                    const char **ret_text, struct err **err) {
        const char *text = NULL;

        for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
                if (strcmp(known_fields[i].path, path) != 0)
                        continue;
                text = known_fields[i].get(pod, facts);
                if (!text)
                        return err_set(err, EAGAIN, "%s is not known yet", path);
                *ret_text = text;
                return 0;
        }
        if (!map_field(arena, pod, path, &text))
                return err_set(err, EINVAL, "unsupported fieldPath: %.128s", path);
        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        *ret_text = text;
        return 0;
}

/* A limit that nobody set is the pod's, or all there is. */
static struct quantity limit_of(const struct pod *pod, const struct kube_container *container,
                                const struct pod_facts *facts, const char *name) {
        const struct {
                const char *name;
                struct quantity amount;
        } allocatable[] = {
                { "cpu", facts->allocatable_cpu },
                { "memory", facts->allocatable_memory },
                { "ephemeral-storage", facts->allocatable_storage },
        };
        const struct quantity *whole = pod->spec.resources ? resource_get(&pod->spec.resources->limits, name) : NULL;
        struct quantity limit = { 0 };

        if (pod_container_limit(container, name, &limit) && quantity_sign(limit) > 0)
                return limit;
        if (whole && quantity_sign(*whole) > 0)
                return *whole;
        for (size_t i = 0; i < sizeof(allocatable) / sizeof(allocatable[0]); i++)
                if (strcmp(allocatable[i].name, name) == 0)
                        return allocatable[i].amount;
        return limit;
}

int pod_resource_value(struct arena *arena, const struct pod_place *place,
                       const struct kube_resource_field_selector *ref, const char **ret_text, struct err **err) {
        const struct kube_container *container = place->container;
        const char *dot = strchr(ref->resource, '.');
        struct quantity amount = { 0 };
        char *text;

        if (ref->container_name)
                container = pod_find_container(place->pod, ref->container_name);
        if (!container)
                return err_set(err, EINVAL, "container %.64s not found", ref->container_name ?: "");
        if (!dot)
                return err_set(err, EINVAL, "unsupported container resource : %.64s", ref->resource);
        if (strncmp(ref->resource, "limits.", 7) == 0)
                amount = limit_of(place->pod, container, place->facts, dot + 1);
        else
                pod_container_request(container, dot + 1, &amount);
        text = arena_printf(arena, "%" PRId64, quantity_divide(amount, ref->divisor));
        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        *ret_text = text;
        return 0;
}
