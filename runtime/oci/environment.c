/* A process's environment: each name once, as execve() would not have it. */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/table.h"
#include "runtime/oci/oci.h"

struct variable {
        struct table_node node;
        size_t at;
};

struct environment {
        struct oci *oci;
        struct table names;
        struct variable *variables;
        const char **env;
        size_t n;
};

static size_t count(const char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

/* The last one of a name counts, in the place of the first. */
static int add(struct environment *e, const char *entry, struct err **err) {
        const char *equals = strchr(entry, '=');
        struct variable *variable;
        char *name;

        if (!equals || equals == entry)
                return err_set(err, EINVAL, "environment \"%s\": NAME=VALUE is expected", entry);
        name = arena_strndup(e->oci->arena, entry, (size_t)(equals - entry));
        if (!name)
                return err_set(err, ENOMEM, "out of memory");
        variable = table_object(table_find(&e->names, name), struct variable, node);
        if (variable) {
                e->env[variable->at] = entry;
                return 0;
        }
        variable = &e->variables[e->n];
        variable->at = e->n;
        if (table_add(&e->names, &variable->node, name) < 0)
                return err_set(err, ENOMEM, "out of memory");
        e->env[e->n++] = entry;
        return 0;
}

static int add_all(struct environment *e, const char *const *list, struct err **err) {
        int r = 0;

        for (; list && *list && r == 0; list++)
                r = add(e, *list, err);
        return r;
}

int oci_environment(struct oci *oci, const char *const *first, const char *const *second, const char *const **ret_env,
                    struct err **err) {
        size_t n = count(first) + count(second);
        struct environment e = { .oci = oci };
        int r;

        if (n > SPEC_ARGS_MAX)
                return err_set(err, E2BIG, "%zu environment variables; %d are supported", n, SPEC_ARGS_MAX);
        e.variables = arena_alloc_array(oci->arena, n + 1, sizeof(*e.variables));
        e.env = arena_alloc_array(oci->arena, n + 1, sizeof(*e.env));
        if (!e.variables || !e.env)
                return err_set(err, ENOMEM, "out of memory");
        r = add_all(&e, first, err);
        if (r == 0)
                r = add_all(&e, second, err);
        table_clear(&e.names);
        if (r == 0)
                *ret_env = e.env;
        return r;
}
