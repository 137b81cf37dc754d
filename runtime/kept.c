/* Descriptors that are held for shims to come. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/list.h"
#include "lib/log.h"
#include "runtime/internal.h"

struct kept_fd {
        struct list_node in_fds;
        int fd;
        uint32_t kind; /* WIRE_R_MASTER, WIRE_R_STDIN, KEPT_STDOUT or KEPT_STDERR */
        char id[];     /* the container's */
};

LIST_DEFINE(kept_fds, struct kept_fd, in_fds)

/* There while it has any. */
struct kept_sandbox {
        struct table_node by_id;
        struct list_node in_kept;
        struct kept_fds fds;
        char id[];
};

LIST_FUNCTIONS(kept_sandboxes, struct kept_sandbox, in_kept)

static struct kept_sandbox *find_sandbox(struct runtime *runtime, const char *id) {
        return table_object(table_find(&runtime->kept_by_id, id), struct kept_sandbox, by_id);
}

static struct kept_fd *find(const struct kept_sandbox *sandbox, const char *id, uint32_t kinds) {
        if (!sandbox)
                return NULL;
        LIST_EACH (kept_fds, kept, &sandbox->fds)
                if (kept->kind & kinds && (!id || strcmp(kept->id, id) == 0))
                        return kept;
        return NULL;
}

static struct kept_sandbox *make_sandbox(struct runtime *runtime, const char *id) {
        struct kept_sandbox *sandbox = calloc(1, sizeof(*sandbox) + strlen(id) + 1);

        if (!sandbox)
                return NULL;
        strcpy(sandbox->id, id);
        if (table_add(&runtime->kept_by_id, &sandbox->by_id, sandbox->id) < 0) {
                free(sandbox);
                return NULL;
        }
        kept_sandboxes_append(&runtime->kept, sandbox);
        return sandbox;
}

static void forget(struct runtime *runtime, struct kept_sandbox *sandbox, const char *id, uint32_t kinds) {
        struct kept_fd *kept;

        while ((kept = find(sandbox, id, kinds))) {
                kept_fds_remove(kept);
                close_fd(kept->fd);
                free(kept);
        }
        if (sandbox && kept_fds_is_empty(&sandbox->fds)) {
                table_remove(&runtime->kept_by_id, &sandbox->by_id);
                kept_sandboxes_remove(sandbox);
                free(sandbox);
        }
}

/* Below the lock. -ENOMEM or 0. */
static int keep(struct runtime *runtime, const char *sandbox, struct kept_fd *kept) {
        struct kept_sandbox *of;

        forget(runtime, find_sandbox(runtime, sandbox), kept->id, kept->kind);
        of = find_sandbox(runtime, sandbox) ?: make_sandbox(runtime, sandbox);
        if (!of)
                return -ENOMEM;
        kept_fds_prepend(&of->fds, kept);
        return 0;
}

void runtime_keep(struct runtime *runtime, const char *sandbox, const char *id, uint32_t flags, int fd) {
        struct kept_fd *kept;
        int r;

        if (fd < 0)
                return;
        kept = calloc(1, sizeof(*kept) + strlen(id) + 1);
        if (kept) {
                kept->fd = fd;
                kept->kind = flags & (KEPT_INPUT | KEPT_OUTPUT);
                strcpy(kept->id, id);
        }
        pthread_mutex_lock(&runtime->lock);
        r = kept ? keep(runtime, sandbox, kept) : -ENOMEM;
        pthread_mutex_unlock(&runtime->lock);
        if (r < 0) {
                log_warning("container %s: out of memory: should its shim die, its streams are lost", id);
                free(kept);
                close_fd(fd);
        }
}

void runtime_keep_output(struct runtime *runtime, const char *sandbox, int dir, const char *id) {
        int fd;

        if (fifo_open(dir, id, "stdout", O_RDONLY, &fd) == 0)
                runtime_keep(runtime, sandbox, id, KEPT_STDOUT, fd);
        if (fifo_open(dir, id, "stderr", O_RDONLY, &fd) == 0)
                runtime_keep(runtime, sandbox, id, KEPT_STDERR, fd);
}

int runtime_kept(struct runtime *runtime, const char *sandbox, const char *id, uint32_t kinds) {
        struct kept_fd *kept;
        int fd = -EBADF;

        pthread_mutex_lock(&runtime->lock);
        kept = find(find_sandbox(runtime, sandbox), id, kinds);
        if (kept)
                fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 3);
        pthread_mutex_unlock(&runtime->lock);
        return fd < 0 ? -EBADF : fd;
}

void runtime_forget(struct runtime *runtime, const char *sandbox, const char *id, uint32_t kinds) {
        pthread_mutex_lock(&runtime->lock);
        forget(runtime, find_sandbox(runtime, sandbox), id, kinds);
        pthread_mutex_unlock(&runtime->lock);
}

void runtime_forget_all(struct runtime *runtime) {
        LIST_EACH (kept_sandboxes, sandbox, &runtime->kept)
                forget(runtime, sandbox, NULL, UINT32_MAX);
        table_clear(&runtime->kept_by_id);
}
