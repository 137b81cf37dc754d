#include "api/discovery/discovery.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/discovery/groups.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"
#include "lib/json_writer.h"

#define AGGREGATED_TYPE "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
#define HASH_BYTES 8 /* of storageVersionHash */

static void begin(struct json_writer *w, const char *kind, const char *version) {
        json_begin_map(w);
        json_add_string(w, "kind", kind);
        if (version)
                json_add_string(w, "apiVersion", version);
}

static void write_texts(struct json_writer *w, const char *key, const char *const *texts) {
        if (texts)
                json_add_texts(w, key, texts);
}

static void write_verbs(struct json_writer *w, uint16_t verbs) {
        json_key(w, "verbs");
        json_begin_list(w);
        for (uint16_t bit = 1; bit; bit = (uint16_t)(bit << 1))
                if (verbs & bit)
                        json_string(w, api_verb_name(bit));
        json_end_list(w);
}

/* --- plain --- */

/* Go's discovery.StorageVersionHash: changes with the version in which objects are kept. */
static void write_hash(struct json_writer *w, const struct api_request *r, const struct kube_kind *kind) {
        const struct api_resource *resource = api_state_resource(r->server->config.state, kind);
        const struct kube_kind *kept = resource ? resource->kind : NULL;
        unsigned char digest[EVP_MAX_MD_SIZE];
        char hash[BASE64_LENGTH(HASH_BYTES) + 1];
        const char *text;

        if (!kept)
                return;
        text = arena_printf(r->arena, "%s/%s/%s", kept->group, kept->version, kept->kind);
        if (!text || EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
                return;
        base64_encode(digest, HASH_BYTES, hash);
        json_add_string(w, "storageVersionHash", hash);
}

static void write_resource(struct json_writer *w, const struct api_request *r, const struct kube_kind *kind) {
        json_begin_map(w);
        json_add_string(w, "name", kind->resource);
        json_add_string(w, "singularName", kind->singular);
        json_add_bool(w, "namespaced", kind->namespaced);
        json_add_string(w, "kind", kind->kind);
        write_verbs(w, kind->verbs);
        write_texts(w, "shortNames", kind->short_names);
        write_texts(w, "categories", kind->categories);
        write_hash(w, r, kind);
        json_end_map(w);
}

static void write_subresource(struct json_writer *w, const struct api_request *r, const struct kube_kind *kind,
                              const struct kube_subresource *sub) {
        json_begin_map(w);
        json_add_string(w, "name", arena_printf(r->arena, "%s/%s", kind->resource, sub->name));
        json_add_string(w, "singularName", "");
        json_add_bool(w, "namespaced", kind->namespaced);
        if (strcmp(sub->group, kind->group) != 0 || strcmp(sub->version, kind->version) != 0) {
                json_add_string_if(w, "group", sub->group);
                json_add_string(w, "version", sub->version);
        }
        json_add_string(w, "kind", sub->kind);
        write_verbs(w, sub->verbs);
        json_end_map(w);
}

static void write_resources(struct json_writer *w, const struct api_request *r, const struct discovery_version *v) {
        begin(w, "APIResourceList", *v->group ? "v1" : NULL);
        json_add_string(w, "groupVersion", *v->group ? arena_printf(r->arena, "%s/%s", v->group, v->name) : v->name);
        json_key(w, "resources");
        json_begin_list(w);
        for (size_t i = 0; i < v->n_kinds; i++) {
                const struct kube_kind *kind = v->kinds[i];

                write_resource(w, r, kind);
                for (uint16_t j = 0; j < kind->n_subresources; j++)
                        write_subresource(w, r, kind, &kind->subresources[j]);
        }
        json_end_list(w);
        json_end_map(w);
}

static void write_version(struct json_writer *w, const struct api_request *r, const struct discovery_version *v) {
        json_begin_map(w);
        json_add_string(w, "groupVersion", arena_printf(r->arena, "%s/%s", v->group, v->name));
        json_add_string(w, "version", v->name);
        json_end_map(w);
}

static void write_group(struct json_writer *w, const struct api_request *r, const struct discovery_group *group) {
        json_add_string(w, "name", group->name);
        json_key(w, "versions");
        json_begin_list(w);
        for (size_t i = 0; i < group->n_versions; i++)
                write_version(w, r, group->versions[i]);
        json_end_list(w);
        json_key(w, "preferredVersion");
        write_version(w, r, group->versions[0]);
        json_end_map(w);
}

static void write_groups(struct json_writer *w, const struct api_request *r, const struct discovery_groups *groups) {
        begin(w, "APIGroupList", "v1");
        json_key(w, "groups");
        json_begin_list(w);
        for (size_t i = 0; i < groups->n; i++) {
                if (!*groups->items[i].name)
                        continue;
                json_begin_map(w);
                write_group(w, r, &groups->items[i]);
        }
        json_end_list(w);
        json_end_map(w);
}

static void write_core(struct json_writer *w, const struct api_request *r) {
        begin(w, "APIVersions", NULL);
        json_key(w, "versions");
        json_begin_list(w);
        json_string(w, "v1");
        json_end_list(w);
        json_key(w, "serverAddressByClientCIDRs");
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "clientCIDR", "0.0.0.0/0");
        json_add_string(w, "serverAddress", r->server->config.address);
        json_end_map(w);
        json_end_list(w);
        json_end_map(w);
}

/* --- aggregated: all in one document (apidiscovery.k8s.io/v2) --- */

static void write_response_kind(struct json_writer *w, const char *group, const char *version, const char *kind) {
        json_key(w, "responseKind");
        json_begin_map(w);
        json_add_string(w, "group", group);
        json_add_string(w, "version", version);
        json_add_string(w, "kind", kind);
        json_end_map(w);
}

static void write_discovered(struct json_writer *w, const struct kube_kind *kind) {
        json_begin_map(w);
        json_add_string(w, "resource", kind->resource);
        write_response_kind(w, "", "", kind->kind);
        json_add_string(w, "scope", kind->namespaced ? "Namespaced" : "Cluster");
        json_add_string(w, "singularResource", kind->singular);
        write_verbs(w, kind->verbs);
        write_texts(w, "shortNames", kind->short_names);
        write_texts(w, "categories", kind->categories);
        if (kind->n_subresources > 0) {
                json_key(w, "subresources");
                json_begin_list(w);
        }
        for (uint16_t i = 0; i < kind->n_subresources; i++) {
                const struct kube_subresource *sub = &kind->subresources[i];
                bool own = strcmp(sub->group, kind->group) == 0 && strcmp(sub->version, kind->version) == 0;

                json_begin_map(w);
                json_add_string(w, "subresource", sub->name);
                write_response_kind(w, own ? "" : sub->group, own ? "" : sub->version, sub->kind);
                write_verbs(w, sub->verbs);
                json_end_map(w);
        }
        if (kind->n_subresources > 0)
                json_end_list(w);
        json_end_map(w);
}

static void write_aggregated_group(struct json_writer *w, const struct discovery_group *group) {
        json_begin_map(w);
        json_key(w, "metadata");
        json_begin_map(w);
        json_add_string_if(w, "name", group->name);
        json_end_map(w);
        json_key(w, "versions");
        json_begin_list(w);
        for (size_t i = 0; i < group->n_versions; i++) {
                const struct discovery_version *v = group->versions[i];

                json_begin_map(w);
                json_add_string(w, "version", v->name);
                json_key(w, "resources");
                json_begin_list(w);
                for (size_t j = 0; j < v->n_kinds; j++)
                        write_discovered(w, v->kinds[j]);
                json_end_list(w);
                json_add_string(w, "freshness", "Current");
                json_end_map(w);
        }
        json_end_list(w);
        json_end_map(w);
}

static void write_aggregated(struct json_writer *w, const struct discovery_groups *groups, bool core) {
        begin(w, "APIGroupDiscoveryList", "apidiscovery.k8s.io/v2");
        json_key(w, "metadata");
        json_begin_map(w);
        json_end_map(w);
        json_key(w, "items");
        json_begin_list(w);
        for (size_t i = 0; i < groups->n; i++)
                if (!*groups->items[i].name == core)
                        write_aggregated_group(w, &groups->items[i]);
        json_end_list(w);
        json_end_map(w);
}

/* --- answers --- */

/* Whether the first that @accept names is the aggregated form. */
static bool wants_aggregated(const char *accept) {
        static const char *const parts[] = { "v=v2", "g=apidiscovery.k8s.io", "as=APIGroupDiscoveryList" };
        size_t n = accept ? strcspn(accept, ",") : 0;

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                const char *at = n > 0 ? strstr(accept, parts[i]) : NULL;
                char behind = at ? at[strlen(parts[i])] : 'x';

                if (!at || at >= accept + n || (behind && !strchr(";, ", behind)))
                        return false;
        }
        return true;
}

/* SHA-512 of the document, as kube-apiserver's; clients ask with If-None-Match. */
static const char *etag_of(struct arena *arena, const char *text, size_t length) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        char *etag = arena_alloc(arena, 2 * EVP_MAX_MD_SIZE + 3), *to = etag;

        if (!etag || EVP_Digest(text, length, digest, &n, EVP_sha512(), NULL) != 1)
                return NULL;
        *to++ = '"';
        for (unsigned i = 0; i < n; i++)
                to += sprintf(to, "%02X", digest[i]);
        strcpy(to, "\"");
        return etag;
}

static enum api_step answer_aggregated(struct api_request *r, const char *text, size_t length) {
        const char *asked = http_fields_get(&http_request_of(r->x)->fields, "if-none-match"),
                   *etag = etag_of(r->arena, text, length);
        bool same = asked && etag && strcmp(asked, etag) == 0;
        const struct http_field fields[] = { { "cache-control", "public" },
                                             { "content-type", AGGREGATED_TYPE },
                                             { "etag", etag ?: "" },
                                             { "vary", "Accept" } };
        _cleanup_bytes_ struct bytes *bytes = bytes_copy(text, same ? 0 : length);
        struct http_body *body = bytes ? http_body_new(bytes) : NULL;

        if (!body)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_with(r, same ? 304 : 200, fields, ELEMENTS(fields), same ? NULL : body);
        http_body_unref(body);
        return API_END;
}

static enum api_step answer(struct api_request *r, struct json_writer *w, bool aggregated) {
        _cleanup_free_ char *text = NULL;
        _cleanup_bytes_ struct bytes *bytes = NULL;
        size_t length;

        if (json_writer_finish(w, &text, &length) < 0 || !(text = realloc(text, length + 2)))
                return api_fail(r, -ENOMEM, NULL);
        text[length++] = '\n';
        if (aggregated)
                return answer_aggregated(r, text, length);
        bytes = bytes_copy(text, length);
        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_json(r, 200, bytes);
        return API_END;
}

/* "/apis/apps/v1" as group and version; of "/api/v1" the group is "". */
struct place {
        bool core;
        const char *group, *version; /* NULL: not given */
};

static bool read_place(struct arena *arena, const char *path, struct place *ret_place) {
        struct place place = { .core = strncmp(path, "/api", 4) == 0 && (path[4] == '\0' || path[4] == '/') };
        char *rest, *save = NULL;

        if (!place.core && !(strncmp(path, "/apis", 5) == 0 && (path[5] == '\0' || path[5] == '/')))
                return false;
        rest = arena_strdup(arena, path + (place.core ? 4 : 5));
        if (place.core)
                place.group = "";
        else
                place.group = strtok_r(rest, "/", &save);
        place.version = strtok_r(place.core ? rest : NULL, "/", &save);
        *ret_place = place;
        return !strtok_r(NULL, "/", &save);
}

static bool write_place(struct json_writer *w, const struct api_request *r, const struct discovery_groups *groups,
                        const struct place *place, bool aggregated) {
        const struct discovery_group *group;

        if (!place->version && (place->core || !place->group)) {
                if (aggregated)
                        write_aggregated(w, groups, place->core);
                else if (place->core)
                        write_core(w, r);
                else
                        write_groups(w, r, groups);
                return true;
        }
        group = discovery_group(groups, place->group);
        if (group && !place->version) {
                begin(w, "APIGroup", "v1");
                write_group(w, r, group);
                return true;
        }
        for (size_t i = 0; group && i < group->n_versions; i++)
                if (strcmp(group->versions[i]->name, place->version) == 0) {
                        write_resources(w, r, group->versions[i]);
                        return true;
                }
        return false;
}

enum api_step api_discover(struct api_request *r) {
        _cleanup_json_writer_ struct json_writer w = { 0 };
        const char *accept = r->x ? http_fields_get(&http_request_of(r->x)->fields, "accept") : NULL;
        struct discovery_groups groups;
        struct place place;
        bool aggregated;

        if (!read_place(r->arena, r->path.whole, &place))
                return API_NEXT;
        if (strstr(r->path.whole + 1, "//"))
                return api_no_route(r);
        if (discovery_groups(r->arena, r->server->config.registry, &groups) < 0)
                return api_fail(r, -ENOMEM, NULL);
        aggregated = !place.version && (place.core || !place.group) && wants_aggregated(accept);
        if (!write_place(&w, r, &groups, &place, aggregated))
                return discovery_group(&groups, place.group) ?
                               api_refuse(r, API_NOT_FOUND, "the server could not find the requested resource") :
                               api_no_page(r);
        if (r->x && (place.core || place.version) && strcmp(http_request_of(r->x)->method, "GET") != 0)
                return api_refuse(r, API_METHOD_NOT_ALLOWED,
                                  "the server does not allow this method on the requested resource");
        return answer(r, &w, aggregated);
}
