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

/* Returns whether it is there and good. */
static bool print_one(struct columns *columns, struct arena *arena, size_t i, unsigned *n) {
        char end[KUBE_TIME_TEXT_MAX], left[24];
        _cleanup_free_ char *text = NULL;
        const char *path = path_of(arena, i);
        struct client_life life;
        int64_t now = time(NULL);

        if (!path || files_read(path, CLIENT_PEM_MAX, &text, NULL, NULL) < 0)
                return true;
        ++*n;
        if (client_certificate_life(text, &life, NULL) < 0) {
                columns_row(columns, "%s\t\tunreadable\t%s", files[i].name, path);
                return false;
        }
        kube_time_format(&(struct kube_time){ .seconds = life.ends, .set = true }, false, end);
        format_left(life.ends - now, left, sizeof(left));
        columns_row(columns, "%s\t%s\t%s\t%s", files[i].name, end, life.begins > now ? "not yet" : left, path);
        return life.begins <= now && now < life.ends;
}

static int check(struct arena *arena, struct err **err) {
        struct columns columns;
        bool good = true;
        unsigned n = 0;

        columns_begin(&columns, "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tFILE");
        for (size_t i = 0; i < ELEMENTS(files); i++)
                good &= print_one(&columns, arena, i, &n);
        columns_end(&columns, stdout);
        if (n == 0)
                return err_set(err, ENOENT, "there are no certificates in %s/pki and %s/pki", cli_cluster_places.data,
                               cli_cluster_places.root);
        return good ? 0 : CLI_UNWELL_EXIT;
}

static bool has_authority(struct arena *arena) {
        const char *path = path_of(arena, 0);

        return path && access(path, F_OK) == 0;
}

/* The service makes anew what is not there, when it starts: each is put in place by it alone. Also when none is there
 * any more: who renewed them was interrupted then, and the service may not even run. */
static int renew(struct arena *arena, struct err **err) {
        unsigned n = 0;

        if (!has_authority(arena))
                return err_set(err, ENOENT, "there are no certificates of an API service in %s/pki",
                               cli_cluster_places.data);
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                const char *path = path_of(arena, i);

                if (!path)
                        return err_set(err, ENOMEM, "out of memory");
                if (!files[i].leaf)
                        continue;
                if (unlink(path) < 0 && errno != ENOENT)
                        return err_errno(err, errno, "%s", path);
                n++;
        }
        printf("%u certificates are made anew\n", n);
        return cli_cluster_start(&cli_cluster_api, err);
}

int cli_certs(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if (strcmp(arguments[0], "check") == 0 || strcmp(arguments[0], "check-expiration") == 0)
                return check(arena, err);
        if (strcmp(arguments[0], "renew") == 0)
                return renew(arena, err);
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
