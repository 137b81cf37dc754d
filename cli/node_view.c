#include "cli/node_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cri/extension.pb-c.h"
#include "lib/arena.h"
#include "lib/grow.h"
#include "lib/json.h"

static const struct value_options limits = { .bytes_max = GRPC_MESSAGE_MAX, .nodes_max = 4 * VALUE_NODES_MAX };

static const struct value *parse(struct node_view *view, const char *text) {
        const struct value *value = NULL;

        if (*text && json_parse(view->arena, text, strlen(text), &limits, &value, NULL) < 0)
                view->error = -EPROTO;
        return value;
}

static int add_pod(struct node_view *view, const struct value *pod) {
        int r = GROW(view->pods, view->allocated, view->n_pods + 1, GROW_NO_MAX);

        if (r == 0)
                view->pods[view->n_pods++] = pod;
        return r;
}

static bool on_part(void *data, const ProtobufCMessage *message) {
        const Nacelle__NodePodsPart *part = (const Nacelle__NodePodsPart *)message;
        struct node_view *view = data;
        const struct value *value;

        if ((value = parse(view, part->files))) {
                view->files = value;
                view->known = true;
        }
        if ((value = parse(view, part->pod)) && view->error == 0)
                view->error = add_pod(view, value);
        if ((value = parse(view, part->events)))
                view->events = value;
        return view->error == 0;
}

int node_view_read(struct cli *cli, struct node_view *ret_view, struct err **err) {
        Nacelle__NodePodsRequest request = NACELLE__NODE_PODS_REQUEST__INIT;
        _cleanup_node_view_ struct node_view view = { .arena = arena_new() };
        _cleanup_err_ struct err *failure = NULL;
        int r;

        if (!view.arena)
                return err_set(err, ENOMEM, "out of memory");
        r = cli_connect(cli, err);
        if (r < 0)
                return r;
        r = grpc_client_stream(cli->client,
                               &(struct grpc_client_request){ "/nacelle.v1.Node/Pods", &request.base,
                                                              &nacelle__node_pods_part__descriptor, cli->timeout_ms },
                               on_part, &view, &failure);
        if (r == -ENOSYS)
                r = 0;
        if (r == 0 && view.error < 0)
                return err_set(err, -view.error, "what the agent tells of its pods cannot be read");
        if (r < 0)
                return err_move(err, TAKE_PTR(failure));
        *ret_view = view;
        view = (struct node_view){};
        return 0;
}

void node_view_done(struct node_view *view) {
        arena_free(view->arena);
        free(view->pods);
        *view = (struct node_view){};
}

const struct value *node_view_pod(const struct node_view *view, const char *uid) {
        for (size_t i = 0; i < view->n_pods; i++)
                if (strcmp(node_view_text(view->pods[i], "metadata.uid"), uid) == 0)
                        return view->pods[i];
        return NULL;
}

bool node_view_names(const struct node_view *view, const char *text, size_t n_text, const char *name) {
        const char *node = view->known ? node_view_text(view->files, "nodeName") : "";

        if (strncmp(name, text, n_text) != 0)
                return false;
        name += n_text;
        return *name == '\0' || (n_text > 0 && *node && *name == '-' && strcmp(name + 1, node) == 0);
}

bool node_view_is_pod(const struct node_view *view, const char *text, const char *namespace, const char *name,
                      bool whole) {
        const char *slash = strchr(text, '/'), *last = slash ? slash + 1 : text;

        if (slash && (strlen(namespace) != (size_t)(slash - text) || strncmp(namespace, text, strlen(namespace)) != 0))
                return false;
        return whole ? strcmp(last, name) == 0 : node_view_names(view, last, strlen(last), name);
}

bool node_view_is_file(const struct value *file, const char *text) {
        const char *name = node_view_text(file, "file");
        size_t n = strlen(text);

        return n > 0 && strncmp(name, text, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

const char *node_view_text(const struct value *value, const char *path) {
        return value_string_or(value_find(value, path), "");
}
