/* Server-side apply, and who owns which field, as sigs.k8s.io/structured-merge-diff v6 and apimachinery's managedfields
 * do it for kube-apiserver 1.36 (KEP-555).
 *
 * Objects are trees of values in the form in which the API server stores them: what a struct of their type would be
 * written as, so without fields that are unknown or null. Trees that are given stay as they are; results share with
 * them what is the same, and are in @arena, so all must live as long as the result.
 *
 * Who calls what, and when:
 *
 *     POST                            apply_update(.live NULL), after defaulting and before admission
 *     PUT, JSON, merge, strategic     apply_update(), after defaulting and before admission
 *     PATCH application/apply-patch   apply_configuration(); its object is then read by its type (nulls go), defaulted,
 *                                     admitted
 *     all, last before the store      apply_settle(): what changes nothing but times changes nothing
 *
 * A Scale has its object's owners by way of kube/apply/scale.h.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct kube_type;
struct value;
struct apply_filter;

#define APPLY_MANAGER_BYTES_MAX 128  /* of a field manager's name */
#define APPLY_UPDATE_MANAGERS_MAX 10 /* of operation Update in an object; the oldest above become one */
#define APPLY_ENTRIES_MAX 1000       /* in the managedFields of an object that is read */
#define APPLY_OLD_MANAGER "ancient-changes"
#define APPLY_FIRST_MANAGER "before-first-apply"

/* Beside -ENOMEM, what functions return is one of these, negative. */
enum {
        APPLY_MALFORMED = EINVAL, /* no configuration for this object: 400 */
        APPLY_CONFLICT = EEXIST,  /* fields that others own: 409, reason Conflict, with causes */
        APPLY_FAILED = EPROTO,    /* does not fit the schema: 500, as kube-apiserver says it */
};

/* The status of the response that kube-apiserver gives for @error, a negative code from here: 500 for any other. */
int apply_status(int error);

/* An object in one version of its kind. */
struct apply_object {
        const struct value *value;
        const struct kube_type *type; /* NULL: a custom resource without a schema */
};

/* @object in another version of its kind: what owners own is named in the version in which they wrote it. 0,
 * -ENOENT when @api_version is not served (any more), or another negative errno with *err set. */
typedef int (*apply_convert)(void *data, struct arena *arena, const struct value *object, const char *api_version,
                             struct apply_object *ret_object, struct err **err);

/* What is written, and by which door. */
struct apply_target {
        const struct kube_type *type; /* NULL: a custom resource without a schema */
        const char *group, *version, *kind;
        const char *subresource;           /* "status"; NULL or "": the object itself */
        const struct apply_filter *filter; /* what it may own; apply_filter_of() */
        apply_convert convert;             /* NULL: the version above is the only one */
        void *convert_data;
};

/* Who writes, when. */
struct apply_writer {
        const char *manager; /* fieldManager, or apply_manager_of(User-Agent) */
        int64_t now;         /* seconds since 1970 */
        bool force;          /* apply_configuration() alone: takes what others own */
        bool forget;         /* apply_update() alone: apply_forgets() the object as it was sent */
};

/* One write. */
struct apply_write {
        const struct apply_target *target;
        const struct apply_writer *writer;
        const struct value *live; /* what is stored; NULL: nothing yet */
        const struct value *sent; /* the configuration; for apply_update() the object as it is to be stored */
};

struct apply_cause {
        const char *field;   /* ".spec.replicas" */
        const char *message; /* "conflict with \"kubectl\" using apps/v1" */
};

struct apply_result {
        const struct value *object; /* with its managedFields */
        bool changed;               /* the object without them is not as it was */
        const char *message;        /* of -APPLY_CONFLICT: the whole, which an error cuts */
        uint32_t n_causes;          /* of it; of type FieldManagerConflict */
        const struct apply_cause *causes;
};

/* Merges the configuration into what is stored. *@ret_result is written on success and on -APPLY_CONFLICT, then with
 * its causes alone. */
int apply_configuration(struct arena *arena, const struct apply_write *write, struct apply_result *ret_result,
                        struct err **err);

/* Whether the object as it was sent, before it was read by its type, says that all owners are to be forgotten: by
 * managedFields that are an empty list, or a list of one empty entry. */
bool apply_forgets(const struct value *sent);

/* The object that was sent with its managedFields: those that it brings, else those of what is stored, and what the
 * writer now owns. 0 or -ENOMEM. */
int apply_update(struct arena *arena, const struct apply_write *write, const struct value **ret_object);

/* @changed, but @live's managedFields where nothing else differs than their times; -ENOMEM. */
int apply_settle(struct arena *arena, const struct value *live, const struct value *changed,
                 const struct value **ret_object);

/* What a door leaves alone: fields in @paths ("metadata.labels") are not what it may own. */
struct apply_filter {
        const char *const *paths; /* ends with NULL */
};

/* The filter of @kind, built in, where it is written by @subresource (NULL or "": itself); NULL: none. For any other
 * kind use that of a custom resource with a status. */
const struct apply_filter *apply_filter_of(const char *group, const char *kind, const char *subresource);
extern const struct apply_filter apply_filter_custom, apply_filter_custom_status;

/* The manager who sent @user_agent: what is before the first "/", printable, as much as fits. */
void apply_manager_of(const char *user_agent, char ret_name[APPLY_MANAGER_BYTES_MAX + 1]);
