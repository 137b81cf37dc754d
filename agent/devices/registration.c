/* Where plugins register: Registration at DIR/kubelet.sock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/devices/internal.h"
#include "kube/validate/validate.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/listen.h"
#include "lib/log.h"

#define VERSION "v1beta1"
#define REGISTERING_MAX DEVICES_PLUGINS_MAX /* plugins that are being called back */

int registration_check(const char *version, const char *name, struct err **err) {
        if (strcmp(version, VERSION) != 0)
                return err_set(err, EINVAL,
                               "requested API version \"%.64s\" is not supported by kubelet. Supported version is "
                               "[\"" VERSION "\"]",
                               version);
        if (!validate_is_extended(name))
                return err_set(err, EINVAL, "the ResourceName \"%.253s\" is invalid", name);
        return 0;
}

static int check(const Devices__RegisterRequest *r, struct err **err) {
        int e = registration_check(r->version, r->resource_name, err);

        if (e < 0)
                return e;
        if (!r->endpoint[0] || strlen(r->endpoint) > DEVICES_NAME_MAX || strchr(r->endpoint, '/') ||
            r->endpoint[0] == '.')
                return err_set(err, EINVAL,
                               "the Endpoint \"%.253s\" is no name of a socket in the directory of device plugins",
                               r->endpoint);
        return 0;
}

static size_t count_registering(const struct devices *d) {
        size_t n = 0;

        LIST_EACH (plugins, p, &d->plugins)
                n += !p->resource;
        return n;
}

/* The server's row, which is there until the server has gone. */
struct registration {
        struct grpc_method method;
        struct devices *devices;
};

static void on_registered(void *data, const struct err *err) {
        Devices__Empty empty = DEVICES__EMPTY__INIT;
        struct grpc_call *call = data;

        if (err)
                grpc_call_fail_err(call, err);
        else
                grpc_call_reply(call, &empty.base);
}

static int begin_registering(struct devices *d, const Devices__RegisterRequest *request, struct grpc_call *call,
                             struct err **err) {
        _cleanup_free_ char *path = NULL;
        int r = check(request, err);

        if (r < 0)
                return r;
        if (count_registering(d) >= REGISTERING_MAX)
                return err_set(err, ENOSPC, "%d plugins register already", REGISTERING_MAX);
        if (asprintf(&path, "%s/%s", d->dir, request->endpoint) < 0) {
                path = NULL;
                return err_set(err, ENOMEM, "out of memory");
        }
        return plugin_open(d, &(struct registrant){ on_registered, call }, request->resource_name, path, err);
}

static void on_register(struct grpc_call *call, const ProtobufCMessage *message) {
        const Devices__RegisterRequest *request = (const Devices__RegisterRequest *)message;
        struct devices *d = ((struct registration *)grpc_call_data(call))->devices;
        _cleanup_err_ struct err *err = NULL;
        int r = begin_registering(d, request, call, &err);

        if (r == 0)
                return;
        log_error("device plugin that registers for \"%.253s\": %s", request->resource_name, err_text(err));
        grpc_call_fail(call, r == -ENOMEM || r == -ENOSPC ? GRPC_RESOURCE_EXHAUSTED : GRPC_UNKNOWN, err_text(err));
}

/* What plugins of before have left: they watch for it, and come back (CleanupPluginDirectory()). */
static void remove_sockets(const char *dir) {
        _cleanup_closedir_ DIR *d = opendir(dir);
        const struct dirent *entry;
        struct stat st;

        while (d && (entry = readdir(d)))
                if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
                    unlinkat(dirfd(d), entry->d_name, 0) < 0)
                        log_warning("%s/%s: cannot remove the socket: %s", dir, entry->d_name, strerror(errno));
}

static int serve(struct devices *d, struct err **err) {
        struct registration *row = calloc(1, sizeof(*row));
        int fd = -EBADF, r;

        if (!row || grpc_server_new(d->world.loop, &d->server) < 0) {
                free(row);
                return err_set(err, ENOMEM, "out of memory");
        }
        row->devices = d;
        row->method =
                (struct grpc_method){ "/" VERSION ".Registration/Register", &devices__register_request__descriptor,
                                      &devices__empty__descriptor, on_register, row };
        grpc_server_on_gone(d->server, free, row);
        if ((r = grpc_server_add(d->server, &row->method, 1, err)) < 0 ||
            (r = listen_unix(d->socket, 0755, &fd, err)) < 0)
                return r;
        d->bound = true;
        return grpc_server_listen(d->server, fd, err);
}

/* Another agent, or a kubelet: its plugins' sockets are not ours to remove. */
static bool is_taken(const char *path) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                return false;
        strcpy(address.sun_path, path);
        return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN;
}

int registration_listen(struct devices *d, struct err **err) {
        int r = files_make_private(d->dir, err);

        if (r < 0)
                return r;
        if (is_taken(d->socket))
                return err_set(err, EADDRINUSE,
                               "%s: another process listens there; give this one a --kubelet-dir of its own",
                               d->socket);
        remove_sockets(d->dir);
        return serve(d, err);
}

void registration_stop(struct devices *d) {
        if (d->bound)
                unlink(d->socket); /* while nobody else can have one there */
        if (d->server)
                grpc_server_free(TAKE_PTR(d->server));
}
