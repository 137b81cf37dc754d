/* Execution of one CNI plugin: environment, configuration on its standard input, result on its standard output.
 *
 * CNI specification, section 2 "Execution protocol". Blocks until the plugin ends or its time is over.
 */
#pragma once

#include <stddef.h>

struct err;

/* What a plugin may write to its standard output and standard error each; more is cut and makes it fail. */
#define PLUGIN_OUTPUT_MAX (1024 * 1024)

struct plugin_call {
        const char *type;                                         /* the plugin's file name */
        const char *const *bin_dirs;                              /* NULL-ended */
        const char *command;                                      /* ADD, DEL, CHECK, GC, STATUS, VERSION */
        const char *container_id, *netns, *interface, *arguments; /* NULL: the variable is not set */
        const char *config;                                       /* for its standard input */
        int timeout_ms;
};

/* Runs the plugin. Returns 0 and its standard output, which the caller frees; -ENOENT: no such plugin in the
 * directories; -ETIMEDOUT: killed; -ECANCELED: it failed, and *@err holds its message and details, or what it wrote to
 * standard error. */
int cni_plugin_run(const struct plugin_call *call, char **ret_output, size_t *ret_length, struct err **err);
