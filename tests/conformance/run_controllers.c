/* run_controllers KUBECONFIG CONTROLLERS DIRECTORY [grace=TIME] [quarantine=TIME]: the controllers, over HTTPS, until
 * its standard input ends. DIRECTORY has the cluster's ca.crt. Nodes count as lost after grace, and as gone after
 * quarantine; evictions wait for nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "api/controllers/controllers.h"
#include "api/controllers/node_config.h"
#include "api/kinds.h"
#include "client/remote.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"

static struct controllers *controllers;
static struct client *client;
static uv_poll_t input;

static void need(bool is_well, const char *what) {
        if (is_well)
                return;
        fprintf(stderr, "run_controllers: %s\n", what);
        exit(1);
}

static void on_input(uv_poll_t *poll, int status, int events) {
        char byte;

        if (fread(&byte, 1, 1, stdin) == 1)
                return;
        controllers_stop(controllers);
        client_remote_free(client);
        uv_close((uv_handle_t *)poll, NULL);
}

static void read_time(const char *word, const char *name, int64_t *at) {
        size_t n = strlen(name);

        if (strncmp(word, name, n) == 0)
                need(duration_parse(word + n, at) == 0, word);
}

static void read_nodes(int argc, char **argv, struct node_config *nodes) {
        for (int i = 4; i < argc; i++) {
                read_time(argv[i], "grace=", &nodes->grace_ns);
                read_time(argv[i], "quarantine=", &nodes->quarantine_ns);
        }
        nodes->startup_ns = nodes->grace_ns;
        nodes->rate = 100;
        need(node_config_read(nodes, "10.96.0.0/16", NULL) == 0, "no addresses");
}

int main(int argc, char **argv) {
        _cleanup_kube_registry_ struct kube_registry *kinds = api_kinds_new(NULL);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        _cleanup_free_ char *authority = NULL;
        struct client_remote_config remote;
        struct node_config nodes = NODE_CONFIG_INIT;
        struct controllers_config config = { .kinds = kinds, .nodes = &nodes };
        char path[4096];
        uv_loop_t loop;

        log_init("controllers", LOG_LEVEL_DEBUG);
        need(argc >= 4 && kinds && arena, "run_controllers KUBECONFIG CONTROLLERS DIRECTORY");
        read_nodes(argc, argv, &nodes);
        snprintf(path, sizeof(path), "%s/ca.crt", argv[3]);
        need(files_read(path, CLIENT_KUBECONFIG_MAX, &authority, NULL, &err) == 0, err_text(err));
        need(client_kubeconfig(arena, argv[1], &remote, &err) == 0, err_text(err));
        uv_loop_init(&loop);
        need(client_remote_new(&loop, &remote, &client, &err) == 0, err_text(err));
        config.client = client;
        config.which = argv[2];
        config.authority = authority;
        need(controllers_new(&config, &controllers, &err) == 0, err_text(err));
        need(controllers_start(controllers) == 0, "cannot start");
        uv_poll_init(&loop, &input, 0);
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
        uv_run(&loop, UV_RUN_DEFAULT);
        controllers_free(controllers);
        return uv_loop_close(&loop) == 0 ? 0 : 1;
}
