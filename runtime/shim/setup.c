#include <errno.h>
#include <stdio.h>

#include "lib/cleanup.h"
#include "runtime/shim/shim.h"
#include "runtime/sys.h"

/* The pod's /dev/shm, mounted in the shim's own mount namespace so that each container takes a clone of it. */
static int mount_shm(const struct shim_request *request) {
        _cleanup_close_ int fs = -EBADF, made = -EBADF;
        int given = shim_request_peek(request, request->head.shm_fd);
        char size[32];

        if (given < 0) {
                fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
                snprintf(size, sizeof(size), "%llu", (unsigned long long)request->head.shm_size);
                if (fs < 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "shm", 0) < 0 ||
                    sys_fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
                    sys_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "1777", 0) < 0 ||
                    sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                        return -errno;
                made = sys_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
                if (made < 0)
                        return -errno;
                given = made;
        }
        return sys_move_mount(given, "", AT_FDCWD, "/shm", MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

int shim_setup(struct connection *connection, struct shim_request *request) {
        struct shim *shim = connection->shim;
        static struct init init;
        int r;

        init_prepare(&init, request->plan, request->head.plan_size, request->fds, request->n_fds);
        init.proc_fd = shim->proc_fd;
        r = init_walk(&init);
        if (r < 0) {
                shim_connection_answer(connection, -r, init.error.text);
                return 1;
        }
        if (request->head.flags & WIRE_F_SHM) {
                r = mount_shm(request);
                if (r < 0) {
                        shim_connection_answer(connection, -r, "make the pod's shared memory");
                        return 1;
                }
        }
        shim->user_fd = shim_request_take(request, request->head.user_fd);
        shim->holder_fd = shim_request_take(request, request->head.holder_fd);
        if (request->head.flags & WIRE_F_HOLDER && shim->holder_fd < 0) {
                struct wire_reply reply = { .type = WIRE_DONE, .pid = getpid() };

                r = shim_holder_start(&shim->holder_fd, &reply.holder_pid);
                if (r < 0)
                        return r;
                shim_connection_send(connection, &reply, NULL, 0);
                shim_connection_close(connection);
                return 1;
        }
        return 0;
}
