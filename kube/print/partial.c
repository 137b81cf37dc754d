#include "kube/print/partial.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "kube/print/column.h"
#include "kube/project.h"
#include "lib/err.h"
#include "lib/json_scan.h"
#include "lib/json_writer.h"

/* Finds the value of the member @name of the object @s; *@ret_text is NULL when there is none. */
static bool find_member(struct json_scan *s, const char *name, const char **ret_text, size_t *ret_length) {
        struct json_text key;

        *ret_text = NULL;
        if (!json_scan_is(s, '{'))
                return false;
        if (json_scan_is(s, '}'))
                return true;
        do {
                const char *begin;

                if (!json_scan_string(s, &key) || !json_scan_is(s, ':'))
                        return false;
                json_scan_peek(s);
                begin = s->at;
                if (!json_scan_skip(s, KUBE_PROJECT_DEPTH))
                        return false;
                if (key.length != strlen(name) || memcmp(key.text, name, key.length) != 0)
                        continue;
                *ret_text = begin;
                *ret_length = (size_t)(s->at - begin);
                return true;
        } while (json_scan_is(s, ','));
        return json_scan_is(s, '}');
}

static bool is_hidden(const char *const *hidden, const struct json_text *key) {
        for (; *hidden; hidden++)
                if (strlen(*hidden) == key->length && memcmp(*hidden, key->text, key->length) == 0)
                        return true;
        return false;
}

/* Copies the map of annotations without those that are hidden; false when none is left. The text was read before, so
 * that every step succeeds. */
static bool copy_annotations(struct json_writer *out, struct json_scan *s, const char *const *hidden) {
        struct json_text key;
        bool any = false;

        if (!json_scan_is(s, '{') || json_scan_is(s, '}'))
                return false;
        do {
                const char *begin;

                json_scan_string(s, &key);
                json_scan_is(s, ':');
                json_scan_peek(s);
                begin = s->at;
                json_scan_skip(s, KUBE_PROJECT_DEPTH);
                if (is_hidden(hidden, &key))
                        continue;
                if (!any) {
                        json_key_plain(out, "annotations", strlen("annotations"));
                        json_begin_map(out);
                }
                any = true;
                json_key_plain(out, key.text, key.length);
                json_raw(out, begin, (size_t)(s->at - begin));
        } while (json_scan_is(s, ','));
        return any;
}

static void copy_metadata(struct json_writer *out, const char *text, size_t length, const char *const *hidden) {
        struct json_scan s = { text, text + length };
        struct json_text key;

        json_begin_map(out);
        if (!json_scan_is(&s, '{') || json_scan_is(&s, '}')) {
                json_end_map(out);
                return;
        }
        do {
                struct json_scan value;

                json_scan_string(&s, &key);
                json_scan_is(&s, ':');
                json_scan_peek(&s);
                value = s;
                json_scan_skip(&s, KUBE_PROJECT_DEPTH);
                value.end = s.at;
                if (key.length != strlen("annotations") || memcmp(key.text, "annotations", key.length) != 0) {
                        json_key_plain(out, key.text, key.length);
                        json_raw(out, value.at, (size_t)(value.end - value.at));
                } else if (copy_annotations(out, &value, hidden)) {
                        json_end_map(out);
                }
        } while (json_scan_is(&s, ','));
        json_end_map(out);
}

int print_partial(struct json_writer *out, const struct print_columns *columns, const char *version, const char *text,
                  size_t length, struct err **err) {
        struct json_scan scan = { text, text + length };
        const char *metadata;
        size_t metadata_length;

        if (!find_member(&scan, "metadata", &metadata, &metadata_length))
                return err_set(err, EINVAL, "not a JSON object, or nested deeper than %d levels", KUBE_PROJECT_DEPTH);
        json_begin_map(out);
        json_add_string(out, "kind", "PartialObjectMetadata");
        json_key(out, "apiVersion");
        json_string(out, strcmp(version, "v1") == 0 ? "meta.k8s.io/v1" : "meta.k8s.io/v1beta1");
        json_key(out, "metadata");
        if (!metadata)
                json_raw(out, "{}", 2);
        else if (columns && columns->hidden)
                copy_metadata(out, metadata, metadata_length, columns->hidden);
        else
                json_raw(out, metadata, metadata_length);
        json_end_map(out);
        return 0;
}
