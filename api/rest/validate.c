/* What every object has to be: its metadata. */
#include <stdio.h>
#include <string.h>

#include "api/rest/rest.h"
#include "api/rest/strategy.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "kube/kinds.h"
#include "kube/names.h"
#include "kube/problem.h"
#include "lib/cleanup.h"
#include "lib/value.h"

#define ANNOTATIONS_BYTES_MAX (256 * 1024)

static const char *segment_problem(const char *name) {
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return strcmp(name, ".") == 0 ? "may not be '.'" : "may not be '..'";
        if (strchr(name, '/'))
                return "may not contain '/'";
        return strchr(name, '%') ? "may not contain '%'" : NULL;
}

static const char *label_1035_problem(const char *name) {
        if (*name >= '0' && *name <= '9')
                return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
                       "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
                       "regex "
                       "used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
        return name_problem(NAME_LABEL, name);
}

static const char *problem_of_name(unsigned flags, const char *name) {
        return flags & API_NAME_SEGMENT    ? segment_problem(name) :
               flags & API_NAME_LABEL      ? name_problem(NAME_LABEL, name) :
               flags & API_NAME_LABEL_1035 ? label_1035_problem(name) :
                                             name_problem(NAME_SUBDOMAIN, name);
}

static void check_pairs(struct problems *problems, const char *path, const struct value *map, bool labels) {
        size_t bytes = 0;

        for (uint32_t i = 0; value_is(map, VALUE_MAP) && i < map->count; i++) {
                const char *key = map->members[i].key, *value = value_string_or(&map->members[i].value, ""), *problem;

                bytes += strlen(key) + strlen(value);
                problem = name_problem(NAME_QUALIFIED, key);
                if (problem)
                        problem_error(problems, path, "Invalid value: \"%s\": %s", key, problem);
                problem = labels ? name_problem(NAME_LABEL_VALUE, value) : NULL;
                if (problem)
                        problem_error(problems, path, "Invalid value: \"%s\": %s", value, problem);
        }
        if (!labels && bytes > ANNOTATIONS_BYTES_MAX)
                problem_error(problems, path, "Too long: may not be more than %d bytes", ANNOTATIONS_BYTES_MAX);
}

static const char *finalizer_problem(const char *name) {
        static const char *const standard[] = { "kubernetes", "orphan", "foregroundDeletion" };
        const char *problem = name_problem(NAME_QUALIFIED, name);

        for (size_t i = 0; i < ELEMENTS(standard); i++)
                if (strcmp(standard[i], name) == 0)
                        return NULL;
        return problem           ? problem :
               strchr(name, '/') ? NULL :
                                   "name is neither a standard finalizer name nor is it fully qualified";
}

static void check_finalizers(struct problems *problems, const struct value *list) {
        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *name = value_string_or(value_at(list, i), ""), *problem = finalizer_problem(name);
                char path[48];

                snprintf(path, sizeof(path), "metadata.finalizers[%u]", i);
                if (problem)
                        problem_error(problems, path, "Invalid value: \"%s\": %s", name, problem);
        }
}

enum api_step api_validate(struct api_request *r) {
        const struct value *meta = value_get(r->next, "metadata");
        const char *problem = r->creates ? problem_of_name(api_strategy_of(r->kind)->flags, r->name) : NULL;
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        if (problem)
                problem_error(&problems, "metadata.name", "Invalid value: \"%s\": %s", r->name, problem);
        check_pairs(&problems, "metadata.labels", value_get(meta, "labels"), true);
        check_pairs(&problems, "metadata.annotations", value_get(meta, "annotations"), false);
        check_finalizers(&problems, value_get(meta, "finalizers"));
        return problems.errors > 0 ? api_invalid(r, r->name, &problems) : API_NEXT;
}
