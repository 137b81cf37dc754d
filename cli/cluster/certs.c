/* nacelle certs: which certificates are on this host, and until when; nacelle backup and restore: the service's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "cli/columns.h"
#include "client/certificate.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"

#define DAY_S INT64_C(86400)
#define YEAR_S (365 * DAY_S)

const struct cli_option cli_certs_options[] = { CLUSTER_PLACES_OPTIONS, {} };
const struct cli_option cli_backup_options[] = {
        { "data-dir", 0, CLI_TEXT, &cli_cluster_places.data, "DIR", "the API service's [" CLUSTER_DATA "]" },
        {},
};

enum whose { OF_SERVICE, OF_AGENT };

static const struct {
        enum whose whose;
        const char *name;
        bool leaf; /* made anew by the service where it is missing */
} files[] = {
        { OF_SERVICE, "ca.crt", false },
        { OF_SERVICE, "apiserver.crt", true },
        { OF_SERVICE, "apiserver-kubelet-client.crt", true },
        { OF_SERVICE, "admin.crt", true },
        { OF_SERVICE, "front-proxy-ca.crt", false },
        { OF_SERVICE, "front-proxy-client.crt", true },
        { OF_AGENT, "kubelet-client-current.pem", false },
        { OF_AGENT, "kubelet-server-current.pem", false },
};

#define FRONT_PROXY_AUTHORITY 4

static const char *path_of(struct arena *arena, size_t i) {
        return arena_printf(arena, "%s/pki/%s",
                            files[i].whose == OF_SERVICE ? cli_cluster_places.data : cli_cluster_places.root,
                            files[i].name);
}

static void format_left(int64_t seconds, char *text, size_t size) {
        if (seconds <= 0)
                snprintf(text, size, "over");
        else if (seconds >= YEAR_S)
                snprintf(text, size, "%lldy", (long long)(seconds / YEAR_S));
        else if (seconds >= DAY_S)
                snprintf(text, size, "%lldd", (long long)(seconds / DAY_S));
        else
                snprintf(text, size, "%lldh", (long long)(seconds / 3600));
}

struct checking {
        struct columns columns;
        unsigned n, unwell;
        const char *hidden; /* a path that may not be read */
};

static void print_one(struct checking *c, struct arena *arena, size_t i) {
        char end[KUBE_TIME_TEXT_MAX], left[24];
        _cleanup_free_ char *text = NULL;
        const char *path = path_of(arena, i);
        struct client_life life;
        int64_t now = time(NULL);
        int r = path ? files_read(path, CLIENT_PEM_MAX, &text, NULL, NULL) : -ENOMEM;

        if (r == -EACCES)
                c->hidden = path;
        if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
                return;
        c->n++;
        if (r < 0 || client_certificate_life(text, &life, NULL) < 0) {
                columns_row(&c->columns, "%s\t\tunreadable\t%s", files[i].name, path ?: "");
                c->unwell++;
                return;
        }
        kube_time_format(&(struct kube_time){ .seconds = life.ends, .set = true }, false, end);
        format_left(life.ends - now, left, sizeof(left));
        columns_row(&c->columns, "%s\t%s\t%s\t%s", files[i].name, end, life.begins > now ? "not yet" : left, path);
        c->unwell += life.begins > now || now >= life.ends;
}

static int check(struct arena *arena, struct err **err) {
        struct checking c = { .n = 0 };

        columns_begin(&c.columns, "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tFILE");
        for (size_t i = 0; i < ELEMENTS(files); i++)
                print_one(&c, arena, i);
        if (c.n > 0)
                columns_end(&c.columns, stdout);
        if (c.hidden)
                return err_set(err, EACCES, "%s: Permission denied; run this as root", c.hidden);
        if (c.n == 0)
                return err_set(err, ENOENT, "there are no certificates in %s/pki and %s/pki", cli_cluster_places.data,
                               cli_cluster_places.root);
        return c.unwell == 0 ? 0 : CLI_UNWELL_EXIT;
}

/* --- made anew --- */

/* What signs the new ones: without it there would be none. */
static int check_authority(struct arena *arena, const char *name, struct err **err) {
        const char *path = arena_printf(arena, "%s/pki/%s.crt", cli_cluster_places.data, name),
                   *key_path = arena_printf(arena, "%s/pki/%s.key", cli_cluster_places.data, name);
        _cleanup_free_ char *text = NULL, *key = NULL;
        int r;

        if (!path || !key_path)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = files_read(path, CLIENT_PEM_MAX, &text, NULL, err)) < 0)
                return r;
        if ((r = files_read(key_path, CLIENT_PEM_MAX, &key, NULL, err)) < 0)
                return err_wrap(err, r, "without it no certificate can be made; put it back from your copy");
        if (!client_certificate_fits(text, key))
                return err_set(err, EINVAL, "%s is not the key of %s; put both back from your copy", key_path, path);
        return 0;
}

static int check_authorities(struct arena *arena, struct err **err) {
        const char *path = path_of(arena, 0), *proxy = path_of(arena, FRONT_PROXY_AUTHORITY);
        int r;

        if (!path || !proxy)
                return err_set(err, ENOMEM, "out of memory");
        if (access(path, F_OK) < 0)
                return errno == EACCES ? err_set(err, EACCES, "%s: Permission denied; run this as root", path) :
                                         err_set(err, ENOENT, "there are no certificates of an API service in %s/pki",
                                                 cli_cluster_places.data);
        if ((r = check_authority(arena, "ca", err)) < 0)
                return r;
        return access(proxy, F_OK) < 0 ? 0 : check_authority(arena, "front-proxy-ca", err);
}

/* Calls @move with the name of each that the service makes anew and that under which it waits. */
static int each_leaf(struct arena *arena, int (*move)(const char *path, const char *kept, struct err **err),
                     struct err **err) {
        int n = 0, r;

        for (size_t i = 0; i < ELEMENTS(files); i++) {
                const char *path = path_of(arena, i), *kept = path ? arena_printf(arena, "%s.old", path) : NULL;

                if (!kept)
                        return err_set(err, ENOMEM, "out of memory");
                if (!files[i].leaf)
                        continue;
                if ((r = move(path, kept, err)) < 0)
                        return r;
                n++;
        }
        return n;
}

static int put_aside(const char *path, const char *kept, struct err **err) {
        return rename(path, kept) < 0 && errno != ENOENT ? err_errno(err, errno, "%s", path) : 0;
}

static int put_back(const char *path, const char *kept, struct err **err) {
        if (access(path, F_OK) < 0)
                rename(kept, path);
        else
                unlink(kept);
        return 0;
}

static int drop(const char *path, const char *kept, struct err **err) {
        return unlink(kept) < 0 && errno != ENOENT ? err_errno(err, errno, "%s", kept) : 0;
}

static int see(const char *path, const char *kept, struct err **err) {
        return access(path, F_OK) < 0 ? err_set(err, EAGAIN, "%s is not made anew", path) : 0;
}

struct renewal {
        struct cli *cli;
        struct arena *arena;
        struct cluster_api api;
};

/* They are there, and the service answers with them. */
static int probe_leaves(void *data, struct err **err) {
        struct renewal *r = data;
        struct err *unseen = NULL;
        int seen = each_leaf(r->arena, see, &unseen), ended = seen < 0 ? cli_cluster_check(&cli_cluster_api, err) : 0;

        if (seen < 0 && ended == 0)
                return err_move(err, unseen);
        err_free(unseen);
        return ended < 0 ? ended : cli_cluster_probe_here(r->cli, &r->api, err);
}

static int wait_for_leaves(struct cli *cli, struct arena *arena, struct err **err) {
        struct renewal renewal = { .cli = cli, .arena = arena };
        int r = cli_cluster_wait(cli, CLUSTER_WAIT_S, probe_leaves, &renewal, err);

        cli_cluster_close(&renewal.api);
        return r;
}

/* The service makes anew what is not there, when it starts: each is put in place by it alone. Also when none is there
 * any more: who renewed them was interrupted then, and the service may not even run. Where it does not come, the old
 * ones are there again. */
static int renew(struct cli *cli, struct arena *arena, struct err **err) {
        _cleanup_close_ int lock = -EBADF;
        const char *log = cli_cluster_log(arena, &cli_cluster_api);
        int r, n;

        if ((r = check_authorities(arena, err)) < 0 || (r = cli_cluster_check_start(&cli_cluster_api, err)) < 0 ||
            (r = cli_cluster_lock(&lock, err)) < 0)
                return r;
        if ((n = r = each_leaf(arena, put_aside, err)) >= 0 && (r = cli_cluster_start(&cli_cluster_api, err)) == 0 &&
            !cli_cluster_is_left() && (r = wait_for_leaves(cli, arena, err)) < 0)
                err_wrap(err, r, "nacelle-api does not come (its log: %s)", log ?: "");
        if (r < 0) {
                each_leaf(arena, put_back, NULL);
                cli_cluster_start(&cli_cluster_api, NULL);
                return err_wrap(err, r, "the certificates are the old ones");
        }
        if ((r = each_leaf(arena, drop, err)) < 0)
                return r;
        printf(cli_cluster_is_left() ? "%d certificates are made anew when nacelle-api starts\n" :
                                       "%d certificates are made anew\n",
               n);
        return 0;
}

int cli_certs(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if (strcmp(arguments[0], "check") == 0 || strcmp(arguments[0], "check-expiration") == 0)
                return check(arena, err);
        if (strcmp(arguments[0], "renew") == 0)
                return renew(cli, arena, err);
        err_set(err, EINVAL, "certs %s: there are check and renew", arguments[0]);
        return CLI_USAGE_EXIT;
}

/* --- the service's objects --- */

/* The service may be another user's (its unit's), to whom what root has put there has to belong. */
static int give_away(const char *directory, struct err **err) {
        _cleanup_closedir_ DIR *dir = opendir(directory);
        struct dirent *entry;
        struct stat owner;

        if (!dir || fstat(dirfd(dir), &owner) < 0)
                return err_errno(err, errno, "%s", directory);
        while ((entry = readdir(dir)))
                if (entry->d_type == DT_REG &&
                    fchownat(dirfd(dir), entry->d_name, owner.st_uid, owner.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return err_errno(err, errno, "%s/%s", directory, entry->d_name);
        return 0;
}

int cli_backup(struct cli *cli, char **arguments, int n, struct err **err) {
        return cli_cluster_run(
                &cli_cluster_api,
                (const char *const[]){ "backup", "--data-dir", cli_cluster_places.data, arguments[0], NULL }, err);
}

int cli_restore(struct cli *cli, char **arguments, int n, struct err **err) {
        int r = cli_cluster_run(
                &cli_cluster_api,
                (const char *const[]){ "restore", "--data-dir", cli_cluster_places.data, arguments[0], NULL }, err);

        return r < 0 ? r : give_away(cli_cluster_places.data, err);
}
