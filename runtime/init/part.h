/* nacelle-init: the program that a container's process of nacelle-oci is until its execve().
 *
 * What it executes may be a way back to /proc/self/exe (a link, an interpreter), so it must not be a file of the host
 * (CVE-2019-5736). nacelle-oci carries this small static program along, executes a sealed copy of it from memory, and
 * sends it the plan in parts over a SOCK_SEQPACKET socket. Each part is walked when it has come, which lets the
 * namespaces be made while the rest is still being prepared; the last one ends in PLAN_EXEC. Reports come back by the
 * same socket.
 */
#pragma once

#include <stdint.h>

#include "runtime/plan/plan.h"

#define INIT_PROGRAM "nacelle-init"

/* The head of a packet. Descriptors beyond what one packet takes come in packets before it, without a plan. */
struct init_part {
        uint32_t plan_size; /* 0: more of this part follows */
        int32_t plan_fd;    /* index of the memfd that holds the plan; -1: it is behind this struct */
        /* With the first part: indexes of its descriptors, -1: none */
        int32_t proc_fd; /* the host's /proc */
        int32_t null_fd; /* the null device; without one, /dev/null after the part was walked */
        int32_t user_fd; /* for PLAN_USER */
        uint32_t preserve_fds;
};

/* Sends @plan as a part; fills in its plan_size and plan_fd. 0 or a negative errno. */
int init_part_send(int socket, struct init_part *part, struct plan *plan);

/* The program: walks what comes over descriptor @number. With descriptor @pid_ns (NULL: none) that is done by a child
 * in that PID namespace, of which INIT_CHILD tells before anything is read, and whose parent is the caller's. So nobody
 * in the namespace ever finds the caller's own program in it. Only libc and system calls. */
_Noreturn void init_serve(const char *number, const char *pid_ns);
