/* docs/pod-fields.tsv says of every field of Kubernetes 1.36 what becomes of it: the tables of kube/ must agree, row
 * for row. */
#include "kube/pod_fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define ROWS_MAX 512

static char text[64 * 1024];
static struct row {
        char *type, *field, *below, *state;
        bool met;
} rows[ROWS_MAX];
static size_t n_rows;

static int load(void **state) {
        _cleanup_fclose_ FILE *f = fopen("docs/pod-fields.tsv", "re");
        size_t n;

        if (!f || (n = fread(text, 1, sizeof(text) - 1, f)) == 0)
                return -1;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                char **cells[] = { &rows[n_rows].type, &rows[n_rows].field, &rows[n_rows].below, &rows[n_rows].state };

                if (*line == '#')
                        continue;
                for (size_t i = 0; i < 4; i++) {
                        *cells[i] = line;
                        line += strcspn(line, "\t");
                        if (i < 3)
                                *line++ = '\0';
                }
                if (++n_rows == ROWS_MAX)
                        return -1;
        }
        return 0;
}

static const struct field *find(const struct object_type *type, const char *name) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (strcmp(type->fields[i].name, name) == 0)
                        return &type->fields[i];
        return NULL;
}

static bool has_type(const struct field *f) {
        return f->kind == FIELD_OBJECT || f->kind == FIELD_LIST || f->kind == FIELD_EMBED;
}

static bool walked(const char *name) {
        for (size_t i = 0; i < n_rows; i++)
                if (strcmp(rows[i].type, name) == 0 && rows[i].met)
                        return true;
        return false;
}

static bool is_kube(const struct field *f) {
        return f->kind == FIELD_KUBE || f->kind == FIELD_KUBE_LIST;
}

/* A generated type, which has no way to warn of one field: what a scheduler alone reads is not listed at all. */
static void walk_kube(const char *name, const struct kube_type *type) {
        size_t listed = 0;

        if (walked(name))
                return;
        for (size_t i = 0; i < n_rows; i++) {
                const struct kube_field *f;

                if (strcmp(rows[i].type, name) != 0)
                        continue;
                rows[i].met = true;
                listed++;
                f = kube_type_field(type, rows[i].field, strlen(rows[i].field));
                if (!f)
                        fail_msg("%s.%s is listed, but kube/facts does not know it", name, rows[i].field);
                if (strcmp(rows[i].state, "warned") == 0)
                        fail_msg("%s.%s is listed as warned, but nothing warns", name, rows[i].field);
                if (strcmp(rows[i].below, "-") != 0 && f->type)
                        walk_kube(rows[i].below, f->type);
        }
        if (listed > 0 && listed != type->n_fields)
                fail_msg("%s: %zu fields are listed, kube/facts knows %u", name, listed, type->n_fields);
}

static void walk(const char *name, const struct object_type *type) {
        size_t listed = 0;

        if (walked(name))
                return;
        for (size_t i = 0; i < n_rows; i++) {
                const struct field *f;
                bool warned = strcmp(rows[i].state, "warned") == 0;

                if (strcmp(rows[i].type, name) != 0)
                        continue;
                rows[i].met = true;
                listed++;
                f = find(type, rows[i].field);
                if (!f)
                        fail_msg("%s.%s is listed, but kube/ does not know it", name, rows[i].field);
                if (warned != (bool)(f->flags & FIELD_UNSUPPORTED))
                        fail_msg("%s.%s is listed as %s", name, rows[i].field, rows[i].state);
                if (strcmp(rows[i].below, "-") != 0 && has_type(f))
                        walk(rows[i].below, f->type);
                if (strcmp(rows[i].below, "-") != 0 && is_kube(f))
                        walk_kube(rows[i].below, f->kube);
        }
        if (listed != type->n_fields)
                fail_msg("%s: %zu fields are listed, kube/ knows %zu", name, listed, type->n_fields);
}

static void test_tables_and_list_agree(void **state) {
        walk("PodSpec", &pod_spec_type);
        for (size_t i = 0; i < n_rows; i++)
                if (!rows[i].met)
                        fail_msg("%s.%s is listed, but nothing leads there", rows[i].type, rows[i].field);
}

/* A manifest with that member of the spec, of its container, of a volume or of a projected volume's source. */
static char *manifest(const struct row *row) {
        static const struct {
                const char *type, *text;
        } shapes[] = {
                { "PodSpec", "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"%s\":%s" },
                { "Volume",
                  "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"volumes\":[{\"name\":\"v\",\"%s\":%s}]" },
                { "VolumeProjection", "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}],\"volumes\":[{\"name\":\"v\","
                                      "\"projected\":{\"sources\":[{\"%s\":%s}]}}]" },
                { "EnvVarSource", "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[{\"name\":\"E\","
                                  "\"valueFrom\":{\"%s\":%s}}]}]" },
                { "EnvFromSource", "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"envFrom\":[{\"%s\":%s}]}]" },
        };
        static const struct {
                const char *field, *value;
        } values[] = {
                { "serviceAccount", "\"a\"" },
                { "serviceAccountName", "\"a\"" },
                { "imagePullSecrets", "[{\"name\":\"a\"}]" },
                { "ephemeralContainers", "[{\"name\":\"e\",\"image\":\"i\"}]" },
                { "resourceClaims", "[{\"name\":\"a\",\"resourceClaimName\":\"b\"}]" },
                { "persistentVolumeClaim", "{\"claimName\":\"a\"}" },
                { "secret", "{\"secretName\":\"a\",\"name\":\"a\"}" },
                { "serviceAccountToken", "{\"path\":\"a\"}" },
        };
        const char *value = "{\"name\":\"a\",\"key\":\"b\"}";
        char spec[512], *whole = NULL;

        for (size_t i = 0; i < ELEMENTS(values); i++)
                if (strcmp(values[i].field, row->field) == 0)
                        value = values[i].value;
        for (size_t i = 0; i < ELEMENTS(shapes); i++)
                if (strcmp(shapes[i].type, row->type) == 0) {
                        snprintf(spec, sizeof(spec), shapes[i].text, row->field, value);
                        if (asprintf(&whole,
                                     "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{%"
                                     "s}}",
                                     spec) < 0)
                                return NULL;
                }
        return whole;
}

static void test_refused_fields_are_refused(void **state) {
        const struct pod_static_options options = { .file = "/m/p.yaml", .node_name = "n" };

        for (size_t i = 0; i < n_rows; i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct problems problems;
                _cleanup_pod_ struct pod *pod = NULL;
                _cleanup_free_ char *whole = NULL;
                _cleanup_err_ struct err *err = NULL;

                if (strcmp(rows[i].state, "refused") != 0)
                        continue;
                whole = manifest(&rows[i]);
                if (!whole)
                        fail_msg("%s.%s: no manifest for it", rows[i].type, rows[i].field);
                problems_init(&problems, arena, NULL, NULL);
                if (pod_read_static(whole, strlen(whole), &options, &problems, &pod, &err) != -EINVAL)
                        fail_msg("%s.%s is not refused: %s", rows[i].type, rows[i].field, whole);
                if (!strstr(err_text(err), "/m/p.yaml"))
                        fail_msg("%s.%s: the file is not named: %s", rows[i].type, rows[i].field, err_text(err));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables_and_list_agree),
                cmocka_unit_test(test_refused_fields_are_refused),
        };

        return cmocka_run_group_tests(tests, load, NULL);
}
