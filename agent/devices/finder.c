/* Plugins that wait to be found by a socket in a directory (plugin registration v1; pkg/kubelet/pluginmanager): asked
 * who they are, registered, and told whether they were. A socket that is removed ends its plugin. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/devices/internal.h"
#include "agent/directory/watch.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/handle.h"
#include "lib/log.h"

#define TYPE "DevicePlugin"
#define RETRY_MS 10 /* until one that does not listen yet is asked again; doubled each time */
#define TRIES_MAX 10
#define FOUND_MAX 128 /* sockets that are known at a time; more are passed over */

/* A socket. It is kept for as long as it is there, so that one that is no good is asked once. */
struct found {
        struct list_node in_found;
        struct finder *finder;
        struct grpc_client *client; /* NULL: all is said */
        uv_timer_t *timer;          /* until it is asked again */
        unsigned tries;
        char *path, *plugin;  /* the plugin's own socket, when it has one that is registered */
        bool asks, got, gone; /* a call is under way; it was answered; to be freed */
};

LIST_DEFINE(founds, struct found, in_found)

struct finder {
        struct devices *devices;
        struct watch *watch;
        struct founds founds;
        uv_timer_t *sweep;
        size_t n;
        char *dir;
};

static void destroy(struct found *f) {
        founds_remove(f);
        f->finder->n--;
        grpc_client_free(f->client);
        handle_free(f->timer);
        free(f->path);
        free(f->plugin);
        free(f);
}

/* Not from within a call's end. */
static void on_sweep(uv_timer_t *timer) {
        struct finder *w = timer->data;

        LIST_EACH (founds, f, &w->founds) {
                if (f->gone && !f->asks)
                        destroy(f);
                else if (!f->asks && !uv_is_active((uv_handle_t *)f->timer))
                        grpc_client_free(TAKE_PTR(f->client));
        }
}

static void ended(struct found *f) {
        f->asks = false;
        uv_timer_start(f->finder->sweep, on_sweep, 0, 0);
}

static int call(struct found *f, const struct grpc_client_request *request,
                const struct grpc_client_handlers *handlers) {
        f->asks = true;
        if (grpc_client_call(f->client, request, handlers, f, NULL) == 0)
                return 0;
        ended(f);
        return -ENOMEM;
}

/* -- it is told what became of it -------------------------------------------------------------------------- */

static void on_notified(void *data, enum grpc_code code, const char *text) {
        ended(data);
}

static void notify(struct found *f, const struct err *err) {
        static const struct grpc_client_handlers handlers = { NULL, on_notified };
        Devices__RegistrationStatus status = DEVICES__REGISTRATION_STATUS__INIT;
        const struct grpc_client_request request = { "/pluginregistration.Registration/NotifyRegistrationStatus",
                                                     &status.base, &devices__empty__descriptor, DEVICES_CONNECT_MS };

        if (err)
                log_error("plugin at %s: %s", f->path, err_text(err));
        status.registered = !err;
        status.error = (char *)(err ? err_text(err) : "");
        call(f, &request, &handlers);
}

static void on_registered(void *data, const struct err *err) {
        struct found *f = data;

        if (f->gone || !f->client)
                ended(f);
        else
                notify(f, err);
}

/* -- who it is --------------------------------------------------------------------------------------------- */

static bool speaks(const Devices__Info *info) {
        for (size_t i = 0; i < info->n_versions; i++)
                if (strcmp(info->versions[i], "v1beta1") == 0)
                        return true;
        return false;
}

static int check(const Devices__Info *info, struct err **err) {
        if (strcmp(info->type, TYPE) != 0)
                return err_set(err, EINVAL, "no handler registered for plugin type: %.64s", info->type);
        if (info->endpoint[0] && info->endpoint[0] != '/')
                return err_set(err, EINVAL, "the endpoint \"%.253s\" is no absolute path", info->endpoint);
        if (!speaks(info))
                return err_set(err, EINVAL, "manager version, v1beta1, is not among plugin supported versions");
        return registration_check("v1beta1", info->name, err);
}

static void on_info(void *data, const ProtobufCMessage *message) {
        const Devices__Info *info = (const Devices__Info *)message;
        _cleanup_err_ struct err *err = NULL;
        struct found *f = data;
        int r;

        if (f->gone) /* nobody would end it */
                return;
        r = check(info, &err);
        f->got = true;
        if (r == 0 && !(f->plugin = strdup(info->endpoint[0] ? info->endpoint : f->path)))
                r = err_set(&err, ENOMEM, "out of memory");
        if (r == 0)
                r = plugin_open(f->finder->devices, &(struct registrant){ on_registered, f }, info->name, f->plugin,
                                &err);
        if (r < 0)
                notify(f, err);
}

static void on_again(uv_timer_t *timer);

/* Another call is under way by now, if it has answered. A socket is seen when it is bound, before it is listened on. */
static void on_info_end(void *data, enum grpc_code code, const char *text) {
        struct found *f = data;

        if (f->got)
                return;
        if (!f->gone && code == GRPC_UNAVAILABLE && f->tries < TRIES_MAX) {
                f->asks = false;
                uv_timer_start(f->timer, on_again, (uint64_t)RETRY_MS << f->tries++, 0);
                return;
        }
        if (!f->gone)
                log_error("plugin at %s: cannot be asked who it is: %s: %s", f->path, grpc_code_name(code), text);
        ended(f);
}

static int begin(struct found *f) {
        static const struct grpc_client_handlers handlers = { on_info, on_info_end };
        Devices__Empty empty = DEVICES__EMPTY__INIT;
        const struct grpc_client_request request = { "/pluginregistration.Registration/GetInfo", &empty.base,
                                                     &devices__info__descriptor, DEVICES_CONNECT_MS };

        return call(f, &request, &handlers);
}

static void on_again(uv_timer_t *timer) {
        struct found *f = timer->data;

        if (!f->gone && begin(f) < 0)
                log_error("plugin at %s: out of memory", f->path);
}

/* -- the directory ----------------------------------------------------------------------------------------- */

static struct found *find(const struct finder *w, const char *path) {
        LIST_EACH (founds, f, &w->founds)
                if (!f->gone && strcmp(f->path, path) == 0)
                        return f;
        return NULL;
}

static void appear(struct finder *w, const char *path) {
        _cleanup_err_ struct err *err = NULL;
        struct found *f;

        if (find(w, path))
                return;
        if (w->n == FOUND_MAX || !(f = calloc(1, sizeof(*f)))) {
                log_error("plugin at %s: passed over: %d sockets are known already, or there is no memory", path,
                          FOUND_MAX);
                return;
        }
        f->finder = w;
        founds_append(&w->founds, f);
        w->n++;
        f->path = strdup(path);
        f->timer = handle_timer(w->devices->world.loop, f);
        if (!f->path || !f->timer || grpc_client_new(w->devices->world.loop, path, &f->client, &err) < 0 ||
            begin(f) < 0)
                log_error("plugin at %s: %s", path, err ? err_text(err) : "out of memory");
        if (!f->path || !f->timer)
                destroy(f);
}

static void vanish(struct found *f) {
        f->gone = true;
        if (f->plugin)
                plugin_leave(f->finder->devices, f->plugin);
        uv_timer_start(f->finder->sweep, on_sweep, 0, 0);
}

static void look(struct finder *w, const char *name, bool anew) {
        _cleanup_free_ char *path = NULL;
        struct found *known;
        struct stat st;
        bool there;

        if (name[0] == '.' || asprintf(&path, "%s/%s", w->dir, name) < 0)
                return;
        there = lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
        known = find(w, path);
        if (known && (anew || !there))
                vanish(known);
        if (there)
                appear(w, path);
}

static void on_entry(void *data, const char *name, uint32_t mask) {
        look(data, name, mask & (IN_CREATE | IN_MOVED_TO));
}

static void on_rescan(void *data) {
        struct finder *w = data;
        _cleanup_closedir_ DIR *dir = opendir(w->dir);
        const struct dirent *entry;

        LIST_EACH (founds, f, &w->founds)
                if (!f->gone)
                        look(w, strrchr(f->path, '/') + 1, false);
        while (dir && (entry = readdir(dir)))
                look(w, entry->d_name, false);
}

int finder_new(struct devices *d, const char *dir, struct finder **ret_finder, struct err **err) {
        struct finder *w = calloc(1, sizeof(*w));
        struct watch_events events = { on_entry, on_rescan, w };
        int r;

        if (!w)
                return err_set(err, ENOMEM, "out of memory");
        w->devices = d;
        w->dir = strdup(dir);
        w->sweep = handle_timer(d->world.loop, w);
        if (!w->dir || !w->sweep)
                r = err_set(err, ENOMEM, "out of memory");
        else if ((r = files_make_private(dir, err)) == 0)
                r = watch_new(d->world.loop, dir, &events, &w->watch, err);
        if (r < 0) {
                finder_free(w);
                return r;
        }
        on_rescan(w);
        *ret_finder = w;
        return 0;
}

void finder_free(struct finder *w) {
        if (!w)
                return;
        watch_free(w->watch);
        LIST_EACH (founds, f, &w->founds) {
                f->gone = true;
                grpc_client_free(TAKE_PTR(f->client));
        }
        LIST_EACH (founds, f, &w->founds)
                destroy(f);
        handle_free(w->sweep);
        free(w->dir);
        free(w);
}
