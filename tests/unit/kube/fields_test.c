/* docs/pod-fields.tsv says of every field of Kubernetes 1.36 what becomes of it: kube/facts must have each, and reading
 * a pod that gives it must say what is listed. */
#include "kube/pod/pod.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define ROWS_MAX 512

static char text[64 * 1024];
static struct row {
        char *type, *field, *below, *state;
        const struct kube_field *fact;
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

static bool walked(const char *name) {
        for (size_t i = 0; i < n_rows; i++)
                if (strcmp(rows[i].type, name) == 0 && rows[i].fact)
                        return true;
        return false;
}

/* What a scheduler alone reads is not listed below its field. */
static void walk(const char *name, const struct kube_type *type) {
        size_t listed = 0;

        if (walked(name))
                return;
        for (size_t i = 0; i < n_rows; i++) {
                if (strcmp(rows[i].type, name) != 0)
                        continue;
                listed++;
                rows[i].fact = kube_type_field(type, rows[i].field, strlen(rows[i].field));
                if (!rows[i].fact)
                        fail_msg("%s.%s is listed, but kube/facts does not know it", name, rows[i].field);
                if (strcmp(rows[i].below, "-") != 0 && rows[i].fact->type)
                        walk(rows[i].below, rows[i].fact->type);
        }
        if (listed > 0 && listed != type->n_fields)
                fail_msg("%s: %zu fields are listed, kube/facts knows %u", name, listed, type->n_fields);
}

static void test_facts_and_list_agree(void **state) {
        walk("PodSpec", &kube_pod_spec_type);
        for (size_t i = 0; i < n_rows; i++)
                if (!rows[i].fact)
                        fail_msg("%s.%s is listed, but nothing leads there", rows[i].type, rows[i].field);
}

/* Some value of the field's kind. */
static const char *any_value(const struct kube_field *field) {
        if (field->form == KUBE_LIST)
                return "[]";
        if (field->form != KUBE_ONE && field->form != KUBE_OPTIONAL)
                return "{}";
        switch ((enum kube_element)field->element) {
        case KUBE_STRING:
                return "\"x\"";
        case KUBE_BOOL:
                return "true";
        case KUBE_INT32:
        case KUBE_INT64:
                return "1";
        default:
                return "{}";
        }
}

static bool is_warned(const struct problems *problems) {
        for (uint32_t i = 0; i < problems->count; i++)
                if (problems->items[i].warning && strstr(problems->items[i].text, "not supported, has no effect"))
                        return true;
        return false;
}

/* Where there is a warning, and nowhere else, the list says so. */
static void test_warned_fields_are_warned_of(void **state) {
        static const struct {
                const char *type, *spec;
        } shapes[] = {
                { "PodSpec", "\"x\":0,\"%s\":%s" },
                { "Container", "\"containers\":[{\"%s\":%s}]" },
                { "ResourceRequirements", "\"containers\":[{\"resources\":{\"%s\":%s}}]" },
                { "SecurityContext", "\"containers\":[{\"securityContext\":{\"%s\":%s}}]" },
                { "PodSecurityContext", "\"securityContext\":{\"%s\":%s}" },
                { "VolumeMount", "\"containers\":[{\"volumeMounts\":[{\"%s\":%s}]}]" },
        };
        const struct pod_static_options options = { .file = "/m/p.yaml", .node_name = "n" };

        for (size_t i = 0; i < n_rows; i++) {
                bool wanted = strcmp(rows[i].state, "warned") == 0, tried = false;

                for (size_t j = 0; j < ELEMENTS(shapes); j++) {
                        _cleanup_arena_ struct arena *arena = arena_new();
                        _cleanup_err_ struct err *err = NULL;
                        _cleanup_pod_ struct pod *pod = NULL;
                        char spec[256], whole[512];
                        struct problems problems;

                        if (strcmp(shapes[j].type, rows[i].type) != 0)
                                continue;
                        snprintf(spec, sizeof(spec), shapes[j].spec, rows[i].field, any_value(rows[i].fact));
                        snprintf(whole, sizeof(whole),
                                 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{%s}}",
                                 spec);
                        problems_init(&problems, arena, NULL, NULL);
                        pod_read_static(whole, strlen(whole), &options, &problems, &pod, &err);
                        if (is_warned(&problems) != wanted)
                                fail_msg("%s.%s is listed as %s: %s", rows[i].type, rows[i].field, rows[i].state,
                                         whole);
                        tried = true;
                }
                if (wanted && !tried)
                        fail_msg("%s.%s is listed as warned, and no manifest shows it", rows[i].type, rows[i].field);
        }
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
                cmocka_unit_test(test_facts_and_list_agree),
                cmocka_unit_test(test_warned_fields_are_warned_of),
                cmocka_unit_test(test_refused_fields_are_refused),
        };

        return cmocka_run_group_tests(tests, load, NULL);
}
