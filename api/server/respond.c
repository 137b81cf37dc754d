#include "api/server/respond.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/meta_v1.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/http/body.h"
#include "lib/http/exchange.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml_write.h"

#define FIELDS_MORE 4 /* beside the answer's own and the warnings */

struct http_field *api_answer_fields(struct api_request *r, int code, size_t size, const struct http_field *own,
                                     size_t n, size_t *ret_n) {
        struct http_field *fields = arena_alloc_array(r->arena, n + FIELDS_MORE + r->n_warnings, sizeof(*fields));

        const char *later = r->retry_after_s ? arena_printf(r->arena, "%lld", (long long)r->retry_after_s) : "";
        struct http_field *at;

        r->code = code;
        r->answer_size = size;
        if (r->server->config.hooks.answered)
                r->server->config.hooks.answered(r);
        if (!fields || !later)
                return NULL;
        at = fields;
        *at++ = (struct http_field){ "audit-id", api_audit_id(r) };
        if (r->flow_uid && r->level_uid) {
                *at++ = (struct http_field){ "x-kubernetes-pf-flowschema-uid", r->flow_uid };
                *at++ = (struct http_field){ "x-kubernetes-pf-prioritylevel-uid", r->level_uid };
        }
        if (*later)
                *at++ = (struct http_field){ "retry-after", later };
        for (uint32_t i = 0; i < r->n_warnings; i++)
                *at++ = (struct http_field){ "warning", r->warnings[i] };
        for (size_t i = 0; i < n; i++)
                *at++ = own[i];
        *ret_n = (size_t)(at - fields);
        return fields;
}

/* The exchange, of which the request hears no more; NULL: the client has gone. */
static struct http_exchange *let_go(struct api_request *r) {
        struct http_exchange *x = r->x;

        r->x = NULL;
        if (x)
                http_set_events(x, NULL, NULL);
        return x;
}

/* Large ones in gzip for who takes it. */
static int send_body(struct http_exchange *x, int code, const struct http_field *fields, size_t n,
                     struct bytes *bytes) {
        struct http_body *body;
        int r;

        if (bytes->size <= HTTP_GZIP_ABOVE || !http_fields_get(&http_request_of(x)->fields, "accept-encoding"))
                return http_respond_whole(x, code, fields, n, bytes);
        body = http_body_new(bytes);
        if (!body)
                return -ENOMEM;
        r = http_respond_body(x, code, fields, n, body);
        http_body_unref(body);
        return r;
}

void api_respond_with(struct api_request *r, int code, const struct http_field *own, size_t n, struct http_body *body) {
        struct http_field *fields = r->x ? api_answer_fields(r, code, 0, own, n, &n) : NULL;
        struct http_exchange *x = let_go(r);
        int error = fields ? 0 : -ENOMEM;

        if (!x)
                return;
        if (fields)
                error = body ? http_respond_body(x, code, fields, n, body) :
                               http_respond_whole(x, code, fields, n, NULL);
        if (error < 0)
                http_reset(x, error);
}

/* @more: a field beside the usual two; its name NULL: none. */
static void respond(struct api_request *r, int code, const char *content_type, struct http_field more,
                    struct bytes *bytes) {
        const char *kept =
                r->public_s ? arena_printf(r->arena, "public, max-age=%u", r->public_s) : "no-cache, private";
        const struct http_field no_sniff = { "x-content-type-options", "nosniff" };
        const struct http_field own[] = { { "cache-control", kept ?: "" },
                                          { "content-type", content_type },
                                          more.name ? more : no_sniff };
        size_t n = more.name || r->no_sniff ? 3 : 2;
        struct http_field *fields;
        struct http_exchange *x;

        if (r->x && bytes->size >= API_ANSWER_LARGE && !api_hold_answer(r, bytes->size)) {
                api_refuse_too_many(r);
                return;
        }
        fields = r->x ? api_answer_fields(r, code, bytes->size, own, n, &n) : NULL;
        x = let_go(r);
        if (x && (!fields || send_body(x, code, fields, n, bytes) < 0))
                http_reset(x, -ENOMEM);
}

void api_respond_bytes(struct api_request *r, int code, const char *content_type, struct bytes *bytes) {
        respond(r, code, content_type, (struct http_field){ 0 }, bytes);
}

void api_respond_headed(struct api_request *r, const char *content_type, struct bytes *head, struct http_body *rest) {
        const struct http_field own[] = { { "cache-control", "no-cache, private" }, { "content-type", content_type } };
        size_t n = ELEMENTS(own), size = head->size + http_body_plain(rest)->size;
        struct http_exchange *x;
        struct http_field *fields;

        if (r->x && size >= API_ANSWER_LARGE && !api_hold_answer(r, size)) {
                api_refuse_too_many(r);
                return;
        }
        fields = r->x ? api_answer_fields(r, 200, size, own, n, &n) : NULL;
        x = let_go(r);
        if (x && (!fields || http_respond_headed(x, 200, fields, n, head, rest) < 0))
                http_reset(x, -ENOMEM);
}

static void respond_copy(struct api_request *r, int code, const char *type, const char *text, size_t length) {
        _cleanup_bytes_ struct bytes *bytes = text ? bytes_copy(text, length) : NULL;

        if (bytes)
                api_respond_bytes(r, code, type, bytes);
        else if (r->x)
                http_reset(let_go(r), -ENOMEM);
}

void api_respond_nothing(struct api_request *r) {
        static const struct http_field own[] = { { "cache-control", "no-cache, private" } };

        api_respond_with(r, 204, own, ELEMENTS(own), NULL);
}

void api_respond_text(struct api_request *r, int code, const char *text) {
        _cleanup_bytes_ struct bytes *bytes = bytes_copy(text, strlen(text));

        r->no_sniff |= code >= 400 && code != 504; /* as Go's http.Error has it, by which a timeout is not told */
        if (bytes)
                respond(r, code, "text/plain; charset=utf-8", (struct http_field){ 0 }, bytes);
        else if (r->x)
                http_reset(let_go(r), -ENOMEM);
}

static void lay_out(const struct value *tree, char **ret_text, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true, .indent = true, .size_max = SIZE_MAX };

        json_value(&w, tree);
        json_writer_finish(&w, ret_text, ret_length);
}

/* For people: laid out, or as YAML. */
static void respond_anew(struct api_request *r, int code, const struct bytes *json) {
        const struct value_options options = { .nodes_max = UINT32_MAX, .bytes_max = SIZE_MAX };
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *tree;
        size_t length = 0;

        if (arena && json_parse(arena, (const char *)json->data, json->size, &options, &tree, NULL) == 0) {
                if (r->media.form == API_YAML)
                        yaml_write(tree, &text, &length);
                else
                        lay_out(tree, &text, &length);
        }
        respond_copy(r, code, api_content_type(r->media.form == API_YAML ? API_YAML : API_JSON), text, length);
}

void api_keep_answer(struct api_request *r, struct bytes *json) {
        if (r->keeps_answer && !r->answer)
                r->answer = bytes_ref(json);
}

void api_respond_json(struct api_request *r, int code, struct bytes *json) {
        api_keep_answer(r, json);
        if (r->media.pretty || r->media.form == API_YAML)
                respond_anew(r, code, json);
        else
                api_respond_bytes(r, code, "application/json", json);
}

void api_respond_status(struct api_request *r, int code, const char *json, size_t length) {
        _cleanup_bytes_ struct bytes *bytes = json ? bytes_new(length + 1) : NULL, *proto = NULL;

        if (!bytes)
                return respond_copy(r, code, NULL, NULL, 0);
        memcpy(bytes->data, json, length);
        bytes->data[length] = '\n';
        if (r->server->config.audit)
                r->status_text = arena_strndup(r->arena, json, length);
        api_keep_answer(r, bytes);
        if (r->media.form == API_PROTOBUF && api_protobuf(&kube_status_type, json, length, &proto) == 0)
                api_respond_bytes(r, code, api_content_type(API_PROTOBUF), proto);
        else
                api_respond_json(r, code, bytes);
}

enum api_step api_respond_object(struct api_request *r, int code, struct object *object) {
        const struct kube_kind *kept = r->resource->kind;
        _cleanup_bytes_ struct bytes *json = NULL, *proto = NULL;
        int error = api_json_as(r->arena, r->kind, kept, object, &json);

        if (error == 0 && r->media.form == API_PROTOBUF)
                error = api_protobuf(r->kind->type, (const char *)json->data, json->size, &proto);
        if (error < 0)
                return api_fail(r, error, "the object cannot be given in the form that is asked for");
        api_keep_answer(r, json);
        if (proto)
                api_respond_bytes(r, code, api_content_type(API_PROTOBUF), proto);
        else
                api_respond_json(r, code, json);
        return API_END;
}
