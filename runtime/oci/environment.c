/* A process's environment: each name once, as execve() would not have it. */
#include <errno.h>
#include <string.h>

#include "lib/environment.h"
#include "lib/err.h"
#include "runtime/oci/oci.h"

static size_t count(const char *const *list) {
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static int check(const char *const *env, size_t n, struct err **err) {
        for (size_t i = 0; i < n; i++) {
                const char *equals = strchr(env[i], '=');

                if (!equals || equals == env[i])
                        return err_set(err, EINVAL, "environment \"%s\": NAME=VALUE is expected", env[i]);
        }
        return 0;
}

int oci_environment(struct oci *oci, const char *const *first, const char *const *second, const char *const **ret_env,
                    struct err **err) {
        size_t n_first = count(first), n = n_first + count(second);
        const char **env;
        long left;
        int r;

        if (n > SPEC_ARGS_MAX)
                return err_set(err, E2BIG, "%zu environment variables; %zu are supported", n, SPEC_ARGS_MAX);
        env = arena_alloc_array(oci->arena, n + 1, sizeof(*env));
        if (!env)
                return err_set(err, ENOMEM, "out of memory");
        if (n_first > 0)
                memcpy(env, first, n_first * sizeof(*env));
        if (n > n_first)
                memcpy(env + n_first, second, (n - n_first) * sizeof(*env));
        r = check(env, n, err);
        if (r < 0)
                return r;
        left = environment_merge(env, n);
        if (left < 0)
                return err_set(err, ENOMEM, "out of memory");
        env[left] = NULL;
        *ret_env = env;
        return 0;
}
