/* The container's new namespaces, made in a thread of their own while cgroups and the plan are: a network namespace
 * alone takes as long as all the rest. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/spec.h"

#define AHEAD_NAMESPACES 3

struct err;

struct ahead {
        pthread_t thread;
        bool running;
        uint64_t flags;            /* CLONE_NEW* to be made */
        int fds[AHEAD_NAMESPACES]; /* -EBADF: not made */
        int code;                  /* errno of the thread */
};
#define AHEAD_NONE                                                                                                     \
        {                                                                                                              \
                .fds = { -EBADF, -EBADF, -EBADF }                                                                      \
        }

/* Starts to make what @spec wants; nothing when that is little, or belongs to a user namespace. Without a thread, or a
 * CPU for it, the container's process makes them itself. */
void oci_ahead_start(struct ahead *ahead, const struct container_spec *spec);

/* Waits, and turns the namespaces of @spec into ones to join, by descriptors of @ahead's. */
int oci_ahead_take(struct ahead *ahead, struct container_spec *spec, struct err **err);

/* Waits if nobody did, closes what was made. */
void oci_ahead_close(struct ahead *ahead);
