/* nacelle-image: one transfer, then its end. Started by the agent with a socket as descriptor 3, or by hand. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/layout.h"
#include "images/manifest.h"
#include "images/transfer_helper.h"
#include "images/worker/import.h"
#include "images/worker/layer.h"
#include "images/worker/report.h"
#include "images/worker/request.h"
#include "images/worker/sandbox.h"
#include "images/worker/transfers.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

/* Descriptors: each path component of a layer under way may hold one. */
static void raise_limits(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit);
        }
}

/* The threads hand work to each other in small pieces. None of them, nor what the node is for, is to be interrupted for
 * a piece that can wait for the next. */
static void be_batch(void) {
        const struct sched_param none = { 0 };

        sched_setscheduler(0, SCHED_BATCH, &none);
}

/* The transfer ends when nobody waits for it any more. What it has begun is swept by the next one. */
static void *watch_main(void *data) {
        struct pollfd p = { .fd = (int)(intptr_t)data, .events = POLLRDHUP };

        while (poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
        _exit(EXIT_FAILURE);
}

static int watch(int socket, struct err **err) {
        pthread_t thread;
        int r = pthread_create(&thread, NULL, watch_main, (void *)(intptr_t)socket);

        if (r != 0)
                return err_errno(err, r, "start a thread");
        pthread_detach(thread);
        return 0;
}

/* An empty store is swept by whoever comes first; then all transfers share the lock, and only collection waits for
 * them. */
static int lock_store(const struct image_layout *l, int *ret_lock, struct err **err) {
        _cleanup_close_ int exclusive = -EBADF;

        if (image_layout_lock(l, IMAGE_LOCK_EXCLUSIVE, &exclusive, NULL) == 0)
                image_layout_sweep(l);
        exclusive = close_fd(exclusive);
        return image_layout_lock(l, IMAGE_LOCK_SHARED, ret_lock, err);
}

static int import(const struct image_layout *l, const struct image_request *q, struct report *report,
                  struct err **err) {
        const struct layer_limits limits = { .bytes = q->max_bytes, .entries = q->max_entries };
        struct platform platform;
        struct import im = { .layout = l,
                             .report = report,
                             .limits = &limits,
                             .platform = &platform,
                             .file = q->transfer.file,
                             .reference = q->transfer.reference };
        int r = image_platform_parse(q->transfer.platform, &platform, err);

        return r < 0 ? r : import_run(&im, err);
}

/* By hand: the agent has asked before. As soon as the transfer runs, no program can. */
static void ask_helper(struct image_transfer_request *q) {
        static struct credentials credentials; /* as long as the request */
        static char text[ERR_TEXT_MAX];
        _cleanup_err_ struct err *err = NULL;
        struct image_reference reference;
        char host[IMAGE_NAME_MAX + 1];

        if (!image_transfer_helper_wanted(q, &reference))
                return;
        image_credential_helper_ask(q->docker_config, image_reference_host(&reference, host), -EBADF, &credentials,
                                    &err);
        if (err) {
                log_warning("%s", err_text(err));
                strcpy(text, err_text(err));
                q->helper_error = text;
        }
        q->helped = (struct image_helped_auth){ .username = credentials.username,
                                                .password = credentials.password,
                                                .identity_token = credentials.identity_token };
}

static int run(const struct image_request *q, struct report *report, struct err **err) {
        static int (*const kinds[])(const struct image_layout *, const struct image_request *, struct report *,
                                    struct err **) = {
                [IMAGE_PULL] = transfer_pull,     [IMAGE_IMPORT] = import,        [IMAGE_PUSH] = transfer_push,
                [IMAGE_EXPORT] = transfer_export, [IMAGE_LOGIN] = transfer_login,
        };
        _cleanup_layout_ struct image_layout layout = IMAGE_LAYOUT_NONE;
        _cleanup_close_ int lock = -EBADF;
        int r;

        if (q->transfer.kind == IMAGE_LOGIN)
                return transfer_login(NULL, q, report, err);
        r = image_layout_open(q->transfer.root_dir, &layout, err);
        if (r == 0 && q->transfer.kind != IMAGE_EXPORT) /* which writes elsewhere, and reads what was verified */
                r = sandbox_enter(layout.root, err);
        if (r < 0 || (q->socket >= 0 && (r = watch(q->socket, err)) < 0) || (r = lock_store(&layout, &lock, err)) < 0)
                return r;
        return kinds[q->transfer.kind](&layout, q, report, err);
}

int main(int argc, char **argv) {
        static struct image_request request = { .socket = -EBADF };
        _cleanup_err_ struct err *err = NULL;
        struct report *report;
        struct stat st;
        bool by_agent = argc == 1 && fstat(IMAGE_SOCKET_FD, &st) == 0 && S_ISSOCK(st.st_mode);
        int r;

        log_init("nacelle-image", LOG_LEVEL_INFO);
        signal(SIGPIPE, SIG_IGN);
        if (by_agent)
                prctl(PR_SET_DUMPABLE, 0); /* credentials are in memory */
        r = by_agent ? request_receive(IMAGE_SOCKET_FD, &request, &err) : request_parse(argc, argv, &request, &err);
        if (r == 0 && !by_agent)
                ask_helper(&request.transfer);
        umask(0);
        raise_limits();
        be_batch();
        report = report_new(by_agent ? IMAGE_SOCKET_FD : -EBADF);
        if (!report) {
                fputs("nacelle-image: out of memory\n", stderr);
                return ENOMEM; /* the agent takes the code for errno where there was no answer */
        }
        if (r == 0)
                r = run(&request, report, &err);
        report_end(report, err);
        report_free(report);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
