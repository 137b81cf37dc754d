/* nacelle-agent: runs the pods of a watched directory and serves CRI. See agent/config/options.h for its command line.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "agent/config/claims.h"
#include "agent/config/host.h"
#include "agent/node.h"
#include "agent/config/options.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

static void on_signal(uv_signal_t *handle, int number) {
        log_info("%s: leaving; pods go on", number == SIGTERM ? "SIGTERM" : "SIGINT");
        uv_stop(handle->loop);
}

static void on_walk(uv_handle_t *handle, void *data) {
        if (!uv_is_closing(handle))
                uv_close(handle, NULL);
}

static int run(const struct options *o, bool cni_shared, struct err **err) {
        static const int signals[] = { SIGTERM, SIGINT };
        uv_signal_t handles[ELEMENTS(signals)];
        struct node *node = NULL;
        uv_loop_t loop;
        int r;

        uv_loop_init(&loop);
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                uv_signal_init(&loop, &handles[i]);
                uv_signal_start(&handles[i], on_signal, signals[i]);
        }
        r = node_new(&loop, o, cni_shared, &node, err);
        if (r == 0) {
                log_info("nacelle-agent %s ready: CRI at unix://%s, pods from %s", NACELLE_VERSION, o->socket,
                         o->runtime_only ? "CRI only" : o->manifest_dir);
                uv_run(&loop, UV_RUN_DEFAULT);
        }
        node_free(node);
        for (size_t i = 0; i < ELEMENTS(handles); i++)
                uv_close((uv_handle_t *)&handles[i], NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
        if (uv_loop_close(&loop) == UV_EBUSY) {
                uv_walk(&loop, on_walk, NULL);
                uv_run(&loop, UV_RUN_NOWAIT);
                uv_loop_close(&loop);
        }
        return r;
}

int main(int argc, char **argv) {
        _cleanup_(options_deinit) struct options options = { 0 };
        _cleanup_err_ struct err *err = NULL;
        static struct host_locks locks; /* held until the process ends */

        log_init("agent", LOG_LEVEL_INFO);
        if (options_parse(argc, argv, &options, &err) < 0) {
                fprintf(stderr, "nacelle-agent: %s\n", err_text(err));
                return 2;
        }
        if (options.show_help) {
                fputs(options_help(), stdout);
                return 0;
        }
        if (options.show_version) {
                puts("nacelle-agent " NACELLE_VERSION);
                return 0;
        }
        log_init("agent", options.log_level);
        if (host_prepare(&options, &locks, &err) < 0) {
                fprintf(stderr, "nacelle-agent: %s\n", err_text(err));
                return 1;
        }
        host_set_process();
        if (run(&options, locks.claims.cni_shared, &err) < 0) {
                log_error("%s", err_text(err));
                claims_drop(&locks.claims);
                return 1;
        }
        claims_drop(&locks.claims);
        return 0;
}
