/* run_scheduler KUBECONFIG: the scheduler, over HTTPS, until its standard input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "api/kinds.h"
#include "api/scheduler/scheduler.h"
#include "client/remote.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

static struct scheduler *scheduler;
static struct client *client;
static uv_poll_t input;

static void need(bool is_well, const char *what) {
        if (is_well)
                return;
        fprintf(stderr, "run_scheduler: %s\n", what);
        exit(1);
}

static void on_input(uv_poll_t *poll, int status, int events) {
        char byte;

        if (fread(&byte, 1, 1, stdin) == 1)
                return;
        scheduler_stop(scheduler);
        client_remote_free(client);
        uv_close((uv_handle_t *)poll, NULL);
}

int main(int argc, char **argv) {
        _cleanup_kube_registry_ struct kube_registry *kinds = api_kinds_new(NULL);
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_err_ struct err *err = NULL;
        struct client_remote_config remote;
        struct scheduler_config config = { .kinds = kinds };
        uv_loop_t loop;

        log_init("scheduler", LOG_LEVEL_DEBUG);
        need(argc == 2 && kinds && arena, "run_scheduler KUBECONFIG");
        need(client_kubeconfig(arena, argv[1], &remote, &err) == 0, err_text(err));
        remote.agent = "kube-scheduler";
        uv_loop_init(&loop);
        need(client_remote_new(&loop, &remote, &client, &err) == 0, err_text(err));
        config.client = client;
        need(scheduler_new(&config, &scheduler, &err) == 0, err_text(err));
        need(scheduler_start(scheduler) == 0, "cannot start");
        uv_poll_init(&loop, &input, 0);
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
        uv_run(&loop, UV_RUN_DEFAULT);
        scheduler_free(scheduler);
        return uv_loop_close(&loop) == 0 ? 0 : 1;
}
