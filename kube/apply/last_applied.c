/* The annotation of client-side apply: who moves from it to server-side apply as "kubectl" is in no conflict with what
 * it said, and it goes on saying what is applied (managedfields/internal/lastapplied*.go). */
#include <errno.h>
#include <string.h>

#include "kube/apply/job.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value_edit.h"
#include "lib/value_sort.h"

#define ANNOTATION "kubectl.kubernetes.io/last-applied-configuration"
#define ANNOTATIONS_BYTES_MAX ((size_t)256 * 1024) /* keys and values of an object's annotations together */

static const char *annotation(const struct value *object) {
        return value_string_or(value_get(value_find(object, "metadata.annotations"), ANNOTATION), "");
}

static int allowed(struct apply_job *job, const struct value *live, const struct value *last,
                   const struct apply_set **ret_allowed) {
        struct apply_changes changes;
        const struct apply_set *set;
        int r;

        *ret_allowed = &apply_set_none;
        if (strcmp(value_string_or(value_get(last, "apiVersion"), ""), job->version) != 0)
                return 0;
        if ((r = apply_validate(job->arena, &job->place, live, false, NULL)) < 0 ||
            (r = apply_validate(job->arena, &job->place, last, false, NULL)) < 0)
                return r == -ENOMEM ? r : 0;
        if (apply_extract(job->arena, &job->place, last, &set) < 0 ||
            apply_compare(job->arena, &job->place, last, live, &changes) < 0)
                return -ENOMEM;
        set = apply_set_difference(job->arena, set, changes.modified);
        if (set)
                set = apply_set_difference(job->arena, set, changes.added);
        if (set)
                set = apply_set_difference(job->arena, set, changes.removed);
        if (!set)
                return -ENOMEM;
        *ret_allowed = set;
        return 0;
}

int apply_last_applied(struct apply_job *job, const struct value *live, const struct apply_set **ret_allowed) {
        const char *text = annotation(live);
        const struct value *last;
        int r;

        *ret_allowed = &apply_set_none;
        if (!*text)
                return 0;
        r = json_parse(job->arena, text, strlen(text), NULL, &last, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return allowed(job, live, last, ret_allowed);
}

/* ---- writing it ---- */

static const char *annotation_of(struct apply_job *job, const struct value *config) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        struct value_edit edit;
        const struct value *bare;

        value_edit_begin(&edit, job->arena, config);
        if (*annotation(config) &&
            value_edit_remove(&edit, "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", NULL) <
                    0)
                return NULL;
        bare = value_edit_end(&edit);
        bare = bare ? value_sorted(job->arena, bare) : NULL; /* as Go writes maps */
        if (!bare)
                return NULL;
        json_value(&w, bare);
        if (json_writer_finish(&w, &text, NULL) < 0)
                return NULL;
        return arena_printf(job->arena, "%s\n", text);
}

static size_t annotations_bytes(const struct value *annotations) {
        size_t n = 0;

        for (uint32_t i = 0; i < value_count(annotations); i++)
                n += strlen(annotations->members[i].key) + strlen(value_string_or(&annotations->members[i].value, ""));
        return n;
}

int apply_last_applied_renew(struct apply_job *job, const struct value *object, const struct value *config,
                             const struct value **ret_object) {
        static const char pointer[] = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
        const char *old = annotation(object), *text;
        struct value_edit edit;
        struct value value;
        size_t bytes;
        int r;

        *ret_object = object;
        if (!*old)
                return 0;
        text = annotation_of(job, config);
        if (!text)
                return -ENOMEM;
        value = (struct value)VALUE_TEXT(text);
        bytes = annotations_bytes(value_find(object, "metadata.annotations")) - strlen(old) + strlen(text);
        value_edit_begin(&edit, job->arena, object);
        r = bytes > ANNOTATIONS_BYTES_MAX ? value_edit_remove(&edit, pointer, NULL) :
                                            value_edit_set(&edit, pointer, &value, NULL);
        *ret_object = value_edit_end(&edit);
        return r < 0 || !*ret_object ? -ENOMEM : 0;
}
