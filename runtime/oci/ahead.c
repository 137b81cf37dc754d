#include "runtime/oci/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define STACK_SIZE (64 * 1024)

static const struct {
        enum namespace_type type;
        uint64_t flag;
        const char *path;
} namespaces[AHEAD_NAMESPACES] = {
        { NAMESPACE_NET, CLONE_NEWNET, "/proc/thread-self/ns/net" },
        { NAMESPACE_IPC, CLONE_NEWIPC, "/proc/thread-self/ns/ipc" },
        { NAMESPACE_UTS, CLONE_NEWUTS, "/proc/thread-self/ns/uts" },
};

static void *make(void *data) {
        struct ahead *ahead = data;

        if (unshare((int)ahead->flags) < 0) {
                ahead->code = errno;
                return NULL;
        }
        for (size_t i = 0; i < AHEAD_NAMESPACES && ahead->code == 0; i++) {
                if (!(ahead->flags & namespaces[i].flag))
                        continue;
                ahead->fds[i] = open(namespaces[i].path, O_RDONLY | O_CLOEXEC);
                if (ahead->fds[i] < 0)
                        ahead->code = errno;
        }
        return NULL;
}

/* Another CPU than this one: the scheduler likes to start a thread behind its maker, where it would only run once that
 * waits. */
static bool other_cpus(cpu_set_t *ret_cpus) {
        int cpu = sched_getcpu();

        if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(*ret_cpus), ret_cpus) < 0)
                return false;
        CPU_CLR((size_t)cpu, ret_cpus);
        return CPU_COUNT(ret_cpus) > 0;
}

void oci_ahead_start(struct ahead *ahead, const struct container_spec *spec) {
        pthread_attr_t attributes;
        cpu_set_t cpus;

        if (spec->namespaces[NAMESPACE_NET].mode != NAMESPACE_NEW ||
            spec->namespaces[NAMESPACE_USER].mode != NAMESPACE_INHERIT || !other_cpus(&cpus))
                return;
        for (size_t i = 0; i < AHEAD_NAMESPACES; i++)
                if (spec->namespaces[namespaces[i].type].mode == NAMESPACE_NEW)
                        ahead->flags |= namespaces[i].flag;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        ahead->running = pthread_create(&ahead->thread, &attributes, make, ahead) == 0;
        pthread_attr_destroy(&attributes);
        if (ahead->running)
                pthread_setaffinity_np(ahead->thread, sizeof(cpus), &cpus);
}

static void wait_for(struct ahead *ahead) {
        if (ahead->running)
                pthread_join(ahead->thread, NULL);
        ahead->running = false;
}

int oci_ahead_take(struct ahead *ahead, struct container_spec *spec, struct err **err) {
        wait_for(ahead);
        if (ahead->code)
                return err_errno(err, ahead->code, "make namespaces 0x%x", (unsigned)ahead->flags);
        for (size_t i = 0; i < AHEAD_NAMESPACES; i++)
                if (ahead->fds[i] >= 0)
                        spec->namespaces[namespaces[i].type] = (struct namespace_spec){ NAMESPACE_JOIN, ahead->fds[i] };
        return 0;
}

void oci_ahead_close(struct ahead *ahead) {
        wait_for(ahead);
        for (size_t i = 0; i < AHEAD_NAMESPACES; i++)
                close_fd(ahead->fds[i]);
}
