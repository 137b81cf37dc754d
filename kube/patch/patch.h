/* Patches of objects as kube-apiserver applies and kubectl makes them, on trees of values.
 *
 * Documents and patches are trees that stay as they are; results share with them what is the same, so both must live as
 * long as the result, which is in @arena. What kube-apiserver does where a standard says otherwise is what is done
 * here:
 *
 *     JSON Patch (RFC 6902)    as gopkg.in/evanphx/json-patch.v4: indexes from the end (-1), "replace" of a member that
 *                              is not there adds it, "copy" of one adds null, "add" and "remove" of "" are refused,
 * what stands before the first "/" of a path is passed over JSON Merge Patch (7386)  as the same: the patch is a map,
 * and nulls are also taken out of maps within lists strategic merge patch    as
 * k8s.io/apimachinery/pkg/util/strategicpatch, by the types of kube/type.h
 *
 * Errors carry kube-apiserver's words. Strings are compared as what they say, not as they are escaped.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct kube_type;
struct value;

#define PATCH_OPERATIONS_MAX 10000                     /* of a JSON Patch */
#define PATCH_COPY_BYTES_MAX ((size_t)3 * 1024 * 1024) /* of JSON that its "copy" operations add, all together */

#define PATCH_STEPS_MAX 100000000 /* values that the operations of a JSON Patch look at or move, all together */

/* Beside -ENOMEM, what functions return is one of these, negative. */
enum {
        PATCH_MALFORMED = EINVAL,    /* no patch of its kind: 400 */
        PATCH_UNFIT = EDOM,          /* does not fit this document: 422 */
        PATCH_TOO_LARGE = E2BIG,     /* past a maximum: 413 */
        PATCH_INCONSISTENT = EPROTO, /* lists, merge keys or directives that contradict each other or the type: 500 */
        PATCH_CONFLICT = EEXIST,     /* somebody else has changed the same otherwise */
};

/* The status of the response that kube-apiserver gives for @error, a negative code from here: 500 for any other. */
int patch_status(int error);

/* Applies @patch, a list of operations, to @document, a map or list. */
int patch_json(struct arena *arena, const struct value *document, const struct value *patch,
               const struct value **ret_value, struct err **err);

/* Applies @patch, a map, to @document. */
int patch_merge(struct arena *arena, const struct value *document, const struct value *patch,
                const struct value **ret_value, struct err **err);

/* Applies @patch, a map, to @document, a map of @type. */
int patch_strategic(struct arena *arena, const struct kube_type *type, const struct value *document,
                    const struct value *patch, const struct value **ret_value, struct err **err);

/* The merge patch that makes @modified of @original; both are maps. An empty map when they are alike. */
int patch_diff_merge(struct arena *arena, const struct value *original, const struct value *modified,
                     const struct value **ret_patch, struct err **err);

/* The strategic merge patch that makes @modified of @original, both of @type. */
int patch_diff_strategic(struct arena *arena, const struct kube_type *type, const struct value *original,
                         const struct value *modified, const struct value **ret_patch, struct err **err);

/* What `kubectl apply` sends: @original is the configuration applied last (NULL: none), @modified the one to apply,
 * @current the live object. */
struct patch_three {
        const struct value *original, *modified, *current;
        bool overwrite; /* what others changed; false: PATCH_CONFLICT when they did, and @modified too */
};

/* Deletions from original to modified, and changes and additions from current to modified: as a merge patch (for custom
 * resources; never overwrites), and as a strategic one. */
int patch_three_way_merge(struct arena *arena, const struct patch_three *three, const struct value **ret_patch,
                          struct err **err);
int patch_three_way_strategic(struct arena *arena, const struct kube_type *type, const struct patch_three *three,
                              const struct value **ret_patch, struct err **err);
