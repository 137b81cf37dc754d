#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cri/streaming/internal.h"

static void command_free(char **command) {
        for (size_t i = 0; command && command[i]; i++)
                free(command[i]);
        free(command);
}

static char **command_copy(char *const *command) {
        size_t n = 0;
        char **copy;

        while (command[n])
                n++;
        copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++)
                if (!(copy[i] = strdup(command[i]))) {
                        command_free(copy);
                        return NULL;
                }
        return copy;
}

static int32_t *ports_copy(const struct streaming_request *request) {
        int32_t *copy = calloc(request->n_ports + 1, sizeof(*copy));

        if (copy && request->n_ports > 0)
                memcpy(copy, request->ports, request->n_ports * sizeof(*copy));
        return copy;
}

int streaming_request_copy(const struct streaming_request *request, struct streaming_request *ret_copy) {
        struct streaming_request copy = *request;

        copy.id = strndup(request->id, STREAMING_ID_MAX);
        copy.command = request->command ? command_copy(request->command) : NULL;
        copy.ports = ports_copy(request);
        if (!copy.id || !copy.ports || (request->command && !copy.command)) {
                streaming_request_done(&copy);
                return -ENOMEM;
        }
        *ret_copy = copy;
        return 0;
}

void streaming_request_done(struct streaming_request *request) {
        command_free((char **)(uintptr_t)request->command);
        free((int32_t *)(uintptr_t)request->ports);
        free((char *)(uintptr_t)request->id);
        *request = (struct streaming_request){ 0 };
}
