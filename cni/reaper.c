#include "cni/reaper.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/link.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/log.h"

#define REAPER_STACK_SIZE (256 * 1024)

typedef char interface_name[IFNAMSIZ];

static_assert(REAPER_QUEUE_MAX * IFNAMSIZ <= REAPER_STACK_SIZE / 2, "a copy of the queue is on the thread's stack");

struct reaper {
        pthread_mutex_t lock;
        pthread_cond_t idle;
        uint32_t group;
        bool running;
        size_t n;
        interface_name queue[REAPER_QUEUE_MAX];
        struct netlink netlink; /* the thread's while running */
};

int cni_reaper_new(uint32_t group, struct reaper **ret_reaper, struct err **err) {
        struct reaper *reaper = calloc(1, sizeof(*reaper));
        int r;

        if (!reaper)
                return err_errno(err, ENOMEM, "interfaces to remove");
        r = cni_netlink_open(NETLINK_ROUTE, &reaper->netlink, err);
        if (r < 0) {
                free(reaper);
                return r;
        }
        pthread_mutex_init(&reaper->lock, NULL);
        pthread_cond_init(&reaper->idle, NULL);
        reaper->group = group;
        *ret_reaper = reaper;
        return 0;
}

void cni_reaper_wait(struct reaper *reaper) {
        pthread_mutex_lock(&reaper->lock);
        while (reaper->running)
                pthread_cond_wait(&reaper->idle, &reaper->lock);
        pthread_mutex_unlock(&reaper->lock);
}

void cni_reaper_free(struct reaper *reaper) {
        if (!reaper)
                return;
        cni_reaper_wait(reaper);
        cni_netlink_close(&reaper->netlink);
        pthread_cond_destroy(&reaper->idle);
        pthread_mutex_destroy(&reaper->lock);
        free(reaper);
}

static void remove_all(struct netlink *netlink, uint32_t group, interface_name *names, size_t n) {
        _cleanup_err_ struct err *error = NULL;

        if (n == 1) {
                cni_link_put_delete(netlink, names[0]);
        } else {
                for (size_t i = 0; i < n; i++)
                        cni_link_put_group(netlink, names[i], group);
                cni_link_put_delete_group(netlink, group);
        }
        if (cni_netlink_run(netlink, &error) < 0)
                log_warning("network: %s", err_text(error));
}

static void *reaper_thread(void *argument) {
        struct reaper *reaper = argument;
        interface_name names[REAPER_QUEUE_MAX];

        pthread_mutex_lock(&reaper->lock);
        while (reaper->n > 0) {
                size_t n = reaper->n;

                memcpy(names, reaper->queue, n * sizeof(names[0]));
                reaper->n = 0;
                pthread_mutex_unlock(&reaper->lock);
                remove_all(&reaper->netlink, reaper->group, names, n);
                pthread_mutex_lock(&reaper->lock);
        }
        reaper->running = false;
        pthread_cond_broadcast(&reaper->idle);
        pthread_mutex_unlock(&reaper->lock);
        return NULL;
}

/* Starts the thread; the caller holds the lock. */
static bool start(struct reaper *reaper) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        bool started;

        if (pthread_attr_init(&attributes) != 0)
                return false;
        pthread_attr_setstacksize(&attributes, REAPER_STACK_SIZE);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        started = pthread_create(&thread, &attributes, reaper_thread, reaper) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        return started;
}

void cni_reaper_remove(struct reaper *reaper, const char *name) {
        bool queued = false;

        pthread_mutex_lock(&reaper->lock);
        if (reaper->n < REAPER_QUEUE_MAX) {
                snprintf(reaper->queue[reaper->n++], IFNAMSIZ, "%s", name);
                queued = reaper->running || (reaper->running = start(reaper));
                if (!queued)
                        reaper->n--;
        }
        pthread_mutex_unlock(&reaper->lock);
        if (!queued) {
                _cleanup_netlink_ struct netlink netlink = NETLINK_NONE;
                interface_name own;

                snprintf(own, sizeof(own), "%s", name);
                if (cni_netlink_open(NETLINK_ROUTE, &netlink, NULL) == 0)
                        remove_all(&netlink, reaper->group, &own, 1);
        }
}
