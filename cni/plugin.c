#include "cni/plugin.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/program.h"
#include "lib/value.h"

extern char **environ;

/* CNI's own variables, at most. */
#define VARIABLES 5

/* Bytes of a plugin's standard error that an error quotes. */
#define COMPLAINT_MAX 1024

static int find_plugin(const struct plugin_call *call, char ret_path[PATH_MAX], struct err **err) {
        char dirs[1024] = "";

        for (const char *const *dir = call->bin_dirs; *dir; dir++) {
                size_t n = strlen(dirs);

                if (snprintf(ret_path, PATH_MAX, "%s/%s", *dir, call->type) < PATH_MAX && access(ret_path, X_OK) == 0)
                        return 0;
                snprintf(dirs + n, sizeof(dirs) - n, "%s%s", n > 0 ? ", " : "", *dir);
        }
        return err_set(err, ENOENT, "CNI plugin %s: not found in %s", call->type, dirs);
}

/* The agent's environment without CNI variables of its own, and the call's. */
static char **make_environment(struct arena *arena, const struct plugin_call *call) {
        const char *const variables[VARIABLES][2] = {
                { "CNI_COMMAND", call->command }, { "CNI_CONTAINERID", call->container_id },
                { "CNI_NETNS", call->netns },     { "CNI_IFNAME", call->interface },
                { "CNI_ARGS", call->arguments },
        };
        char **environment, *path = arena_strdup(arena, "CNI_PATH=");
        size_t n = 0;

        while (environ && environ[n])
                n++;
        environment = arena_alloc_array(arena, n + VARIABLES + 2, sizeof(*environment));
        if (!environment)
                return NULL;
        n = 0;
        for (char **variable = environ; variable && *variable; variable++)
                if (strncmp(*variable, "CNI_", 4) != 0)
                        environment[n++] = *variable;
        for (size_t i = 0; i < VARIABLES; i++) {
                if (!variables[i][1])
                        continue;
                environment[n] = arena_printf(arena, "%s=%s", variables[i][0], variables[i][1]);
                if (!environment[n++])
                        return NULL;
        }
        for (const char *const *dir = call->bin_dirs; path && *dir; dir++)
                path = arena_printf(arena, "%s%s%s", path, dir == call->bin_dirs ? "" : ":", *dir);
        environment[n] = path;
        return path ? environment : NULL;
}

/* The specification's error object, else what the plugin wrote for people. */
static int report(const struct plugin_call *call, struct program_result *result, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct value *object = NULL;
        const char *message, *details;
        int64_t code = 0;

        if (arena && result->out.text)
                json_parse(arena, result->out.text, result->out.length, NULL, &object, NULL);
        message = value_string(value_get(object, "msg"));
        details = value_string_or(value_get(object, "details"), "");
        value_integer(value_get(object, "code"), &code);
        if (message)
                return err_set(err, ECANCELED, "CNI plugin %s: %s: %s%s%s (code %" PRId64 ")", call->type,
                               call->command, message, details[0] ? "; " : "", details, code);
        message = program_complaint(&result->error, COMPLAINT_MAX);
        program_failed(result, message, ECANCELED, err);
        return err_wrap(err, -ECANCELED, "CNI plugin %s: %s", call->type, call->command);
}

int cni_plugin_run(const struct plugin_call *call, char **ret_output, size_t *ret_length, struct err **err) {
        _cleanup_program_ struct program_result result = { .status = 0 };
        _cleanup_arena_ struct arena *arena = arena_new();
        char **environment = arena ? make_environment(arena, call) : NULL, path[PATH_MAX];
        struct program_call program = { .path = path,
                                        .arguments = (const char *const[]){ path, NULL },
                                        .environment = environment,
                                        .input = call->config,
                                        .n_input = strlen(call->config),
                                        .output_max = PLUGIN_OUTPUT_MAX,
                                        .timeout_ms = call->timeout_ms,
                                        .cancel_fd = -EBADF };
        int r = find_plugin(call, path, err);

        if (r < 0)
                return r;
        if (!environment)
                return err_errno(err, ENOMEM, "CNI plugin %s", call->type);
        r = program_run(&program, &result, err);
        if (r < 0)
                return err_wrap(err, r, "CNI plugin %s: %s", call->type, call->command);
        if (result.status != 0)
                return report(call, &result, err);
        if (result.out.cut)
                return err_set(err, E2BIG, "CNI plugin %s: %s answered more than %d bytes", call->type, call->command,
                               PLUGIN_OUTPUT_MAX);
        *ret_length = result.out.length;
        *ret_output = result.out.text ? TAKE_PTR(result.out.text) : strdup("");
        return *ret_output ? 0 : err_errno(err, ENOMEM, "CNI plugin %s", call->type);
}
