#include "kube/print/partial.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

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

int print_partial(struct json_writer *out, const char *version, const char *text, size_t length, struct err **err) {
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
        if (metadata)
                json_raw(out, metadata, metadata_length);
        else
                json_raw(out, "{}", 2);
        json_end_map(out);
        return 0;
}
