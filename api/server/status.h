/* Answers that say no: meta/v1 Status with the reason, the code and the words of kube-apiserver. */
#pragma once

#include <stdint.h>

#include "api/server/pipeline.h"

struct api_request;
struct kube_kind;
struct arena;
struct err;
struct problems;

enum api_reason {
        API_BAD_REQUEST,
        API_UNAUTHORIZED,
        API_FORBIDDEN,
        API_NOT_FOUND,
        API_METHOD_NOT_ALLOWED,
        API_NOT_ACCEPTABLE,
        API_NO_SHAPE, /* the same, of watches and of tables */
        API_ALREADY_EXISTS,
        API_CONFLICT,
        API_EXPIRED,
        API_TOO_LARGE,
        API_UNSUPPORTED_MEDIA,
        API_INVALID,
        API_TOO_MANY,
        API_INTERNAL,
        API_BROKEN, /* 500, of which kube-apiserver says no reason */
        API_UNAVAILABLE,
        API_TIMEOUT,
};

/* All give API_END: `return api_refuse(...)` ends the request. */

enum api_step api_refuse(struct api_request *r, enum api_reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* 410 of a page whose list is gone; @next: a token that goes on with what there is now. */
enum api_step api_refuse_page(struct api_request *r, const char *message, const char *next);

/* About the object that the request names, or @name of the request's resource: "configmaps \"x\" not found". */
enum api_step api_refuse_object(struct api_request *r, enum api_reason reason, const char *name, const char *format,
                                ...) __attribute__((format(printf, 4, 5)));
enum api_step api_not_found(struct api_request *r, const char *name);

/* 409: every name that was made up was taken, the last of them @name. */
enum api_step api_refuse_name(struct api_request *r, const char *name);

/* A precondition of @what ("UID") that the object does not meet; @hint is what may have happened. */
enum api_step api_unmet(struct api_request *r, const char *what, const char *wanted, const char *is, const char *hint);
enum api_step api_conflict(struct api_request *r, const char *name);

/* 403, in the words of @text, of the object called @name ("": none) of what the path names. */
enum api_step api_forbid_of(struct api_request *r, const struct kube_kind *what, const char *name, const char *text);
enum api_step api_forbid(struct api_request *r, const char *name, const char *text);

/* 403 of an object of the request's resource, in the words of @text, with its cause. */
struct api_cause {
        const char *reason, *message, *field; /* NULL: not said */
};
enum api_step api_forbid_cause(struct api_request *r, const char *name, const char *text,
                               const struct api_cause *cause);

/* 422 with a cause for each error of @problems, of an object called @name. */
enum api_step api_invalid(struct api_request *r, const char *name, const struct problems *problems);

/* The same, named by its resource. */
enum api_step api_invalid_resource(struct api_request *r, const char *name, const struct problems *problems);

/* The same of what a patch has made, of no kind and name. */
enum api_step api_invalid_patch(struct api_request *r, const struct problems *problems);

/* The same of a @kind of @group that is not the request's: of its options. */
enum api_step api_invalid_options(struct api_request *r, const char *kind, const struct problems *problems);

/* 409: fields that others own. */
struct apply_cause;
enum api_step api_refuse_owned(struct api_request *r, const char *message, const struct apply_cause *causes,
                               unsigned n);

/* 415 of a patch. */
enum api_step api_refuse_patch_form(struct api_request *r);

/* 504: the revision that is asked for has not been yet. */
enum api_step api_too_new(struct api_request *r, uint64_t asked, int64_t now);

/* The status @code, which no stage has words for. */
enum api_step api_fail(struct api_request *r, int error, const char *what);

/* 500 of what is wrong with a change, of which kube-apiserver says no reason; without words it is api_fail(). */
enum api_step api_refuse_change(struct api_request *r, int error, const struct err *err);

/* 503 of what would go on for long, while the service ends. */
enum api_step api_refuse_leaving(struct api_request *r);

/* Success: of a deletion. */
enum api_step api_succeed(struct api_request *r, const char *name, const char *uid);

/* Success, 201: of what leaves nothing behind that could be shown. */
enum api_step api_done(struct api_request *r);

/* @reason with one cause; NULL: none. @retry_after_s 0: not said. */
enum api_step api_refuse_cause(struct api_request *r, enum api_reason reason, const char *message,
                               const struct api_cause *cause, int64_t retry_after_s);

/* 404 of a path with an empty segment, which names something all the same: authorization sees what, nothing serves it.
 */
enum api_step api_no_route(struct api_request *r);

/* "404 page not found", as text. */
enum api_step api_no_page(struct api_request *r);

/* The JSON of a Status of @reason, for a watch's ERROR event; in @arena; NULL without memory. */
const char *api_status_json(struct arena *arena, enum api_reason reason, const char *message);
