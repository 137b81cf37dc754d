#include "api/server/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/server/request.h"
#include "api/server/respond.h"
#include "kube/apply/apply.h"
#include "kube/kinds.h"
#include "kube/names.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/go_text.h"
#include "lib/json_writer.h"
#include "lib/table.h"

static const struct {
        const char *name;
        int code;
} reasons[] = {
        [API_BAD_REQUEST] = { "BadRequest", 400 },
        [API_UNAUTHORIZED] = { "Unauthorized", 401 },
        [API_FORBIDDEN] = { "Forbidden", 403 },
        [API_NOT_FOUND] = { "NotFound", 404 },
        [API_METHOD_NOT_ALLOWED] = { "MethodNotAllowed", 405 },
        [API_NOT_ACCEPTABLE] = { "NotAcceptable", 406 },
        [API_NO_SHAPE] = { "NotAcceptable", 406 },
        [API_ALREADY_EXISTS] = { "AlreadyExists", 409 },
        [API_CONFLICT] = { "Conflict", 409 },
        [API_EXPIRED] = { "Expired", 410 },
        [API_TOO_LARGE] = { "RequestEntityTooLarge", 413 },
        [API_UNSUPPORTED_MEDIA] = { "UnsupportedMediaType", 415 },
        [API_INVALID] = { "Invalid", 422 },
        [API_TOO_MANY] = { "TooManyRequests", 429 },
        [API_BROKEN] = { NULL, 500 },
        [API_INTERNAL] = { "InternalError", 500 },
        [API_UNAVAILABLE] = { "ServiceUnavailable", 503 },
        [API_TIMEOUT] = { "Timeout", 504 },
};

struct details {
        bool given;
        const char *next; /* of the metadata: a continue token; NULL: none */
        const char *name, *group, *kind, *uid;
        const struct problems *causes;
        const struct apply_cause *owned; /* of a conflict of owners */
        unsigned n_owned;
        struct api_cause cause; /* the only one; without reason and message: none */
        int64_t retry_after_s;  /* 0: not said */
};

/* What a field's error is called in a cause, by the words that it begins with (apimachinery's field.Error). */
static const char *cause_of(const char *text) {
        static const struct {
                const char *words, *reason;
        } table[] = {
                { "Required value", "FieldValueRequired" },
                { "Invalid value", "FieldValueInvalid" },
                { "Duplicate value", "FieldValueDuplicate" },
                { "Forbidden", "FieldValueForbidden" },
                { "Unsupported value", "FieldValueNotSupported" },
                { "Not found", "FieldValueNotFound" },
                { "Too long", "FieldValueTooLong" },
                { "Too many", "FieldValueTooMany" },
        };

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strncmp(text, table[i].words, strlen(table[i].words)) == 0)
                        return table[i].reason;
        return "InternalError";
}

static void write_causes(struct json_writer *w, const struct problems *problems) {
        json_key(w, "causes");
        json_begin_list(w);
        for (uint32_t i = 0; i < problems->count; i++) {
                const struct problem *problem = &problems->items[i];
                const char *text = problem->text,
                           *colon = problem->n_path > 0 ? text + problem->n_path : strstr(text, ": ");

                if (problem->warning || !colon)
                        continue;
                json_begin_map(w);
                json_add_string(w, "reason", cause_of(colon + 2));
                json_add_string(w, "message", colon + 2);
                json_key(w, "field");
                json_string_length(w, text, (size_t)(colon - text));
                json_end_map(w);
        }
        json_end_list(w);
}

static void write_owned(struct json_writer *w, const struct details *d) {
        json_key(w, "causes");
        json_begin_list(w);
        for (unsigned i = 0; i < d->n_owned; i++) {
                json_begin_map(w);
                json_add_string(w, "reason", "FieldManagerConflict");
                json_add_string(w, "message", d->owned[i].message);
                json_add_string(w, "field", d->owned[i].field);
                json_end_map(w);
        }
        json_end_list(w);
}

static void write_details(struct json_writer *w, const struct details *d) {
        json_key(w, "details");
        json_begin_map(w);
        json_add_string_if(w, "name", d->name);
        json_add_string_if(w, "group", d->group);
        json_add_string_if(w, "kind", d->kind);
        json_add_string_if(w, "uid", d->uid);
        if (d->causes)
                write_causes(w, d->causes);
        if (d->owned)
                write_owned(w, d);
        if (d->cause.reason || d->cause.message) {
                json_key(w, "causes");
                json_begin_list(w);
                json_begin_map(w);
                json_add_string_if(w, "reason", d->cause.reason);
                json_add_string_if(w, "message", d->cause.message);
                json_add_string_if(w, "field", d->cause.field);
                json_end_map(w);
                json_end_list(w);
        }
        if (d->retry_after_s > 0)
                json_add_int(w, "retryAfterSeconds", d->retry_after_s);
        json_end_map(w);
}

/* Instead of a reason: success, without a code in it, and with 201. */
enum { SUCCESS = -1, DONE = -2 };

static int code_of(int reason) {
        return reason == SUCCESS ? 200 : reason == DONE ? 201 : reasons[reason].code;
}

static char *write_status(int reason, const char *message, const struct details *d, size_t *ret_length) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        char *text = NULL;

        json_begin_map(&w);
        json_add_string(&w, "kind", "Status");
        json_add_string(&w, "apiVersion", "v1");
        json_key(&w, "metadata");
        json_begin_map(&w);
        json_add_string_if(&w, "continue", d->next);
        json_end_map(&w);
        json_add_string(&w, "status", reason < 0 ? "Success" : "Failure");
        json_add_string_if(&w, "message", message);
        if (reason >= 0)
                json_add_string_if(&w, "reason", reasons[reason].name);
        if (d->given)
                write_details(&w, d);
        if (reason != SUCCESS)
                json_add_int(&w, "code", code_of(reason));
        json_end_map(&w);
        json_writer_finish(&w, &text, ret_length);
        return text;
}

static enum api_step answer(struct api_request *r, int reason, const char *message, const struct details *d) {
        size_t length = 0;
        _cleanup_free_ char *text = write_status(reason, message, d, &length);

        r->retry_after_s = d->retry_after_s;
        api_respond_status(r, code_of(reason), text, length);
        return API_END;
}

static const char *format_text(struct api_request *r, const char *format, va_list arguments) {
        return arena_vprintf(r->arena, format, arguments) ?: "";
}

enum api_step api_refuse(struct api_request *r, enum api_reason reason, const char *format, ...) {
        /* These come of a NewGenericServerResponse with the request's own details, which are empty there. */
        static const uint32_t detailed =
                1u << API_METHOD_NOT_ALLOWED | 1u << API_NOT_ACCEPTABLE | 1u << API_NOT_FOUND | 1u << API_INVALID;
        struct details d = { .given = detailed >> reason & 1 };
        va_list arguments;
        const char *text;

        va_start(arguments, format);
        text = format_text(r, format, arguments);
        va_end(arguments);
        return answer(r, (int)reason, text, &d);
}

enum api_step api_refuse_page(struct api_request *r, const char *message, const char *next) {
        return answer(r, API_EXPIRED, message, &(struct details){ .next = next });
}

static struct details details_of(const struct api_request *r, const char *name) {
        return (struct details){ .given = true,
                                 .name = name,
                                 .group = r->kind ? r->kind->group : NULL,
                                 .kind = r->kind ? r->kind->resource : NULL };
}

enum api_step api_refuse_object(struct api_request *r, enum api_reason reason, const char *name, const char *format,
                                ...) {
        struct details d = details_of(r, name);
        va_list arguments;
        const char *text;

        va_start(arguments, format);
        text = format_text(r, format, arguments);
        va_end(arguments);
        return answer(r, (int)reason, text, &d);
}

/* "deployments.apps", as Go's GroupResource is written. */
static const char *qualified(struct api_request *r, const char *name, const char *group) {
        return *group ? arena_printf(r->arena, "%s.%s", name, group) ?: name : name;
}

enum api_step api_forbid_of(struct api_request *r, const struct kube_kind *what, const char *name, const char *text) {
        struct details d = { .given = true, .name = *name ? name : NULL, .group = what->group, .kind = what->resource };

        return answer(r, API_FORBIDDEN, text, &d);
}

enum api_step api_forbid(struct api_request *r, const char *name, const char *text) {
        return api_forbid_of(r, &(struct kube_kind){ .group = r->path.group, .resource = r->path.resource }, name,
                             text);
}

enum api_step api_forbid_cause(struct api_request *r, const char *name, const char *text,
                               const struct api_cause *cause) {
        struct details d = details_of(r, name);

        d.cause = *cause;
        return answer(r, API_FORBIDDEN, text, &d);
}

/* What can be no name is not looked for (the store's NamespaceKeyFunc). */
static enum api_step refuse_segment(struct api_request *r, const char *quoted, const char *const *problems,
                                    unsigned n) {
        const char *text = problems[0];

        for (unsigned i = 1; i < n; i++)
                text = arena_printf(r->arena, "%s;%s", text ?: "", problems[i]);
        return api_refuse(r, API_BAD_REQUEST, "Name parameter invalid: %s: %s", quoted, text ?: "");
}

enum api_step api_not_found(struct api_request *r, const char *name) {
        const char *problems[NAME_PROBLEMS_MAX], *quoted = go_text_quote(r->arena, name);
        unsigned n = name_problems(NAME_SEGMENT, name, problems);

        if (!quoted)
                return api_fail(r, -ENOMEM, NULL);
        if (n > 0)
                return refuse_segment(r, quoted, problems, n);
        return api_refuse_object(r, API_NOT_FOUND, name, "%s %s not found",
                                 qualified(r, r->kind->resource, r->kind->group), quoted);
}

enum api_step api_conflict(struct api_request *r, const char *name) {
        return api_refuse_object(r, API_CONFLICT, name,
                                 "Operation cannot be fulfilled on %s \"%s\": the object has been modified; please "
                                 "apply your changes to the latest version and try again",
                                 qualified(r, r->kind->resource, r->kind->group), name);
}

/* The message tells each error once, the causes as often as it was found. NULL without memory. */
static const char *tell_each(struct arena *arena, const struct problems *problems) {
        struct table_node *nodes = arena_alloc_array(arena, problems->count + 1, sizeof(*nodes));
        struct arena_text text = { .arena = arena };
        struct table told = { 0 };
        bool good = nodes, several;

        for (uint32_t i = 0; good && i < problems->count; i++) {
                const char *one = problems->items[i].text;

                if (problems->items[i].warning || table_find(&told, one))
                        continue;
                arena_text_add(&text, "%s%s", told.n > 0 ? ", " : "", one);
                good = table_add(&told, &nodes[i], one) == 0;
        }
        several = told.n > 1;
        table_clear(&told);
        if (!good || text.failed)
                return NULL;
        return several ? arena_printf(arena, "[%s]", arena_text_of(&text)) : arena_text_of(&text);
}

static enum api_step invalid(struct api_request *r, const char *kind, const char *group, const char *name,
                             const struct problems *problems) {
        struct details d = { .given = true, .name = name, .group = group, .kind = kind, .causes = problems };
        const char *text = tell_each(r->arena, problems);

        if (!text)
                return api_fail(r, -ENOMEM, NULL);
        return answer(r, API_INVALID,
                      arena_printf(r->arena, "%s \"%s\" is invalid: %s", qualified(r, kind, group), name ?: "", text),
                      &d);
}

enum api_step api_invalid(struct api_request *r, const char *name, const struct problems *problems) {
        return invalid(r, r->kind->kind, r->kind->group, name, problems);
}

enum api_step api_invalid_resource(struct api_request *r, const char *name, const struct problems *problems) {
        return invalid(r, r->kind->resource, r->kind->group, name, problems);
}

enum api_step api_invalid_patch(struct api_request *r, const struct problems *problems) {
        return invalid(r, "", "", NULL, problems);
}

enum api_step api_unmet(struct api_request *r, const char *what, const char *wanted, const char *is, const char *hint) {
        struct details d = details_of(r, r->name);

        d.kind = r->kind->kind;
        return answer(
                r, API_CONFLICT,
                arena_printf(r->arena,
                             "Operation cannot be fulfilled on %s \"%s\": the %s in the precondition (%s) does not "
                             "match the %s in record (%s). The object might have been %s",
                             qualified(r, r->kind->kind, r->kind->group), r->name, what, wanted, what, is, hint),
                &d);
}

enum api_step api_invalid_options(struct api_request *r, const char *kind, const struct problems *problems) {
        return invalid(r, kind, KUBE_META_GROUP, NULL, problems);
}

enum api_step api_refuse_owned(struct api_request *r, const char *message, const struct apply_cause *causes,
                               unsigned n) {
        struct details d = { .given = true, .owned = causes, .n_owned = n };

        return answer(r, API_CONFLICT, message, &d);
}

enum api_step api_refuse_patch_form(struct api_request *r) {
        struct details d = { .given = true };

        return answer(r, API_UNSUPPORTED_MEDIA, "415: Unsupported Media Type", &d);
}

enum api_step api_too_new(struct api_request *r, uint64_t asked, int64_t now) {
        struct details d = { .given = true,
                             .cause = { "ResourceVersionTooLarge", "Too large resource version", NULL },
                             .retry_after_s = 1 };

        return answer(r, API_TIMEOUT,
                      arena_printf(r->arena, "Timeout: Too large resource version: %llu, current: %lld",
                                   (unsigned long long)asked, (long long)now),
                      &d);
}

enum api_step api_refuse_leaving(struct api_request *r) {
        struct details d = { .given = true, .retry_after_s = 1 };

        return answer(r, API_UNAVAILABLE, "apiserver is shutting down", &d);
}

enum api_step api_fail(struct api_request *r, int error, const char *what) {
        struct details d = { .given = true };

        if (error == -ENOSPC)
                return api_refuse(r, API_INTERNAL, "Internal error occurred: the disk is full: %s", what ?: "");
        if (error == -E2BIG && !what)
                return api_refuse(r, API_TOO_LARGE,
                                  "Request entity too large: the object holds more than can be worked on");
        if (error == -EAGAIN)
                return api_refuse(r, API_TOO_MANY, "too many changes are waiting to be made, please try again later");
        d.cause.message = what ?: error == -ENOMEM ? "no memory" : strerror(-error);
        return answer(r, API_INTERNAL, arena_printf(r->arena, "Internal error occurred: %s", d.cause.message), &d);
}

enum api_step api_refuse_change(struct api_request *r, int error, const struct err *err) {
        if (!err || error == -ENOMEM)
                return api_fail(r, error, NULL);
        return api_refuse(r, API_BROKEN, "%s", err_text(err));
}

enum api_step api_succeed(struct api_request *r, const char *name, const char *uid) {
        struct details d = details_of(r, name);

        d.uid = uid;
        return answer(r, SUCCESS, NULL, &d);
}

enum api_step api_refuse_name(struct api_request *r, const char *name) {
        struct details d = details_of(r, name);

        d.retry_after_s = 1;
        return answer(r, API_ALREADY_EXISTS,
                      arena_printf(r->arena,
                                   "%s \"%s\" already exists, the server was not able to generate a unique name for "
                                   "the object",
                                   qualified(r, r->kind->resource, r->kind->group), name),
                      &d);
}

enum api_step api_done(struct api_request *r) {
        static const struct details none = { 0 };

        return answer(r, DONE, NULL, &none);
}

enum api_step api_refuse_cause(struct api_request *r, enum api_reason reason, const char *message,
                               const struct api_cause *cause, int64_t retry_after_s) {
        struct details d = { .given = true, .retry_after_s = retry_after_s };

        if (cause)
                d.cause = *cause;
        return answer(r, (int)reason, message, &d);
}

enum api_step api_no_page(struct api_request *r) {
        api_respond_text(r, 404, "404 page not found\n");
        return API_END;
}

enum api_step api_no_route(struct api_request *r) {
        if (strncmp(r->path.whole, "/apis//", strlen("/apis//")) == 0)
                return api_no_page(r);
        return api_refuse(r, API_NOT_FOUND, "the server could not find the requested resource");
}

const char *api_status_json(struct arena *arena, enum api_reason reason, const char *message) {
        struct details d = { 0 };
        size_t length;
        _cleanup_free_ char *text = write_status((int)reason, message, &d, &length);

        return arena_strdup(arena, text);
}
