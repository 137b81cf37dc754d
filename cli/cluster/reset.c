/* nacelle reset: what init and join have made on this host goes. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"

static bool force, keep_data;

const struct cli_option cli_reset_options[] = {
        { "force", 'f', CLI_FLAG, &force, NULL, "do not ask" },
        { "keep-data", 0, CLI_FLAG, &keep_data, NULL, "the API service's objects and keys stay" },
        CLUSTER_PLACES_OPTIONS,
        {},
};

/* What of the API service's directory is its own (store/sqlite, api/pki). Others' files in it stay, a copy of its own
 * among them, and it does where another disk is mounted at it, or a link leads to it. */
static const char *const objects[] = { "admin.kubeconfig", "pki",
                                       "state.db",         "state.db-journal",
                                       "state.db-shm",     "state.db-wal",
                                       "state.db.new",     "state.db.old",
                                       "state.db.old-shm", "state.db.old-wal",
                                       "state.db.reserve", "state.db.reserve.new" };
/* What was being written when somebody was killed (lib/files.h). */
static bool is_unfinished(const char *name, const char *file) {
        size_t n = strlen(file), length = strlen(name);

        return strncmp(name, file, n) == 0 && name[n] == '.' && name[length - 1] == '~';
}

static bool is_object(const char *name) {
        for (size_t i = 0; i < ELEMENTS(objects); i++)
                if (strcmp(name, objects[i]) == 0 || is_unfinished(name, objects[i]))
                        return true;
        return strncmp(name, "state.db.new.", strlen("state.db.new.")) == 0;
}

static bool has_objects(void) {
        _cleanup_closedir_ DIR *dir = opendir(cli_cluster_places.data);
        struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (is_object(entry->d_name))
                        return true;
        return false;
}

static int ask(struct err **err) {
        char answer[16] = "";

        if (force)
                return 0;
        printf("This host leaves its cluster%s. Go on? [y/N]: ",
               has_objects() && !keep_data ? ", and ALL OBJECTS AND KEYS OF ITS API SERVICE GO" : "");
        fflush(stdout);
        if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
                return 0;
        return err_set(err, ECANCELED, "nothing was changed");
}

static const char *const ours[] = { "agent.env", "api.env", "bootstrap-kubelet.conf", "kubelet.conf" };

/* Whether there is anything that init or join have made, be it in part. */
static bool is_member(struct arena *arena, const char *pki) {
        for (size_t i = 0; i < ELEMENTS(ours); i++) {
                const char *path = cli_cluster_file(arena, ours[i]);

                if (!path || access(path, F_OK) == 0)
                        return true;
        }
        return access(pki, F_OK) == 0 || has_objects();
}

static bool is_ours(const char *name) {
        for (size_t i = 0; i < ELEMENTS(ours); i++)
                if (strcmp(name, ours[i]) == 0 || is_unfinished(name, ours[i]))
                        return true;
        return false;
}

/* What @is_of says yes to, of a directory that may not be there. */
static int remove_some(struct arena *arena, const char *directory, bool (*is_of)(const char *name), struct err **err) {
        _cleanup_closedir_ DIR *dir = opendir(directory);
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, errno, "%s", directory);
        while (r == 0 && (entry = readdir(dir))) {
                const char *path = arena_printf(arena, "%s/%s", directory, entry->d_name);

                if (!path)
                        return err_set(err, ENOMEM, "out of memory");
                if (is_of(entry->d_name))
                        r = files_remove_tree(path, err);
        }
        return r;
}

static int remove_objects(struct arena *arena, struct err **err) {
        int r = remove_some(arena, cli_cluster_places.data, is_object, err);

        if (r == 0 && rmdir(cli_cluster_places.data) < 0 && errno == ENOTEMPTY)
                printf("%s stays: there are files of others in it\n", cli_cluster_places.data);
        return r;
}

/* --- the cluster's pods --- */

static bool is_clusters(const Cri__PodSandbox *pod) {
        for (size_t i = 0; i < pod->n_annotations; i++)
                if (strcmp(pod->annotations[i]->key, "kubernetes.io/config.source") == 0)
                        return strcmp(pod->annotations[i]->value, "api") == 0;
        return false;
}

/* Until none of them is there any more. */
static int probe_pods(void *data, struct err **err) {
        Cri__ListPodSandboxRequest request = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
        _cleanup_unpacked_ struct grpc_unpacked unpacked = {};
        const Cri__ListPodSandboxResponse *answer;
        size_t n = 0;

        if (cli_cluster_check(&cli_cluster_agent, err) < 0)
                return err_wrap(err, -ECHILD, "nacelle-agent, whose log is in %s", cli_cluster_places.run);
        if (cli_call(data, RUNTIME("ListPodSandbox"), &request.base, &cri__list_pod_sandbox_response__descriptor,
                     &unpacked, err) < 0)
                return -EAGAIN;
        answer = (const Cri__ListPodSandboxResponse *)unpacked.message;
        for (size_t i = 0; i < answer->n_items; i++)
                n += is_clusters(answer->items[i]);
        return n == 0 ? 0 : err_set(err, EAGAIN, "%zu pods of the cluster have not ended", n);
}

/* Whoever has written the file may have left out where the pods are: those of another place are not ours. */
static int add_place(struct arena *arena, struct cli_values *all, const char *flag, const char *path) {
        const char *text = arena_printf(arena, "%s=%s", flag, path);

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < all->n; i++)
                if (strncmp(all->values[i], text, strlen(flag) + 1) == 0)
                        return 0;
        if (all->n < CLI_VALUES_MAX)
                all->values[all->n++] = text;
        return 0;
}

/* An agent that is in no cluster ends the pods of one: so it starts once more, by itself. */
static int end_pods(struct cli *cli, struct arena *arena, struct err **err) {
        struct cli_values all, own = { .n = 0 };
        int r = cli_cluster_arguments(arena, &cli_cluster_agent, &all, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < all.n; i++)
                if (strncmp(all.values[i], "--kubeconfig=", 13) != 0 &&
                    strncmp(all.values[i], "--bootstrap-kubeconfig=", 23) != 0)
                        own.values[own.n++] = all.values[i];
        if (own.n < CLI_VALUES_MAX)
                own.values[own.n++] = "--port=0"; /* there is no service to ask who its clients are */
        if (add_place(arena, &own, "--root-dir", cli_cluster_places.root) < 0 ||
            add_place(arena, &own, "--run-dir", cli_cluster_places.run) < 0)
                return err_set(err, ENOMEM, "out of memory");
        cli->endpoint = arena_printf(arena, "unix://%s/nacelle.sock", cli_cluster_places.run);
        if (!cli->endpoint)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = cli_cluster_rewrite_arguments(&cli_cluster_agent, &own, err)) < 0 ||
            (r = cli_cluster_start(&cli_cluster_agent, err)) < 0)
                return r;
        puts("Ending the pods of the cluster");
        fflush(stdout);
        return cli_cluster_wait(cli, CLUSTER_WAIT_S, probe_pods, cli, err);
}

/* The agent ends at once, there is no room for its start, or nothing says how: the host leaves the cluster all the
 * same. */
static bool goes_on(int r) {
        return r == -ECHILD || r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -EINVAL || r == -EISDIR;
}

static int leave(struct cli *cli, struct arena *arena, struct err **err) {
        const char *env = cli_cluster_file(arena, cli_cluster_agent.file);
        struct err *why = NULL;
        int r = 0;

        if (!env || access(env, F_OK) < 0)
                return 0;
        if (!cli_cluster_is_left() && goes_on(r = end_pods(cli, arena, &why)))
                fprintf(stderr, "nacelle: warning: %s; what runs of the cluster's pods, the next agent here ends\n",
                        err_text(why));
        else if (r < 0)
                return err_move(err, why);
        err_free(why);
        return cli_cluster_stop(&cli_cluster_agent, err);
}

int cli_reset(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *pki = arena ? arena_printf(arena, "%s/pki", cli_cluster_places.root) : NULL;
        _cleanup_close_ int lock = -EBADF;
        const char *env;
        int r;

        if (!pki)
                return err_set(err, ENOMEM, "out of memory");
        if (geteuid() != 0)
                return err_set(err, EPERM, "what is undone is root's; run this as root");
        if ((r = cli_cluster_check_places(err)) < 0)
                return r;
        if (!is_member(arena, pki)) {
                puts("This host is in no cluster: there is nothing to undo.");
                return 0;
        }
        if ((r = ask(err)) < 0)
                return r;
        if ((access(cli_cluster_places.config, F_OK) == 0 && (r = cli_cluster_lock(&lock, err)) < 0) ||
            (r = leave(cli, arena, err)) < 0)
                return r;
        env = cli_cluster_file(arena, cli_cluster_api.file);
        if (env && access(env, F_OK) == 0 && (r = cli_cluster_stop(&cli_cluster_api, err)) < 0)
                return r;
        if ((r = remove_some(arena, cli_cluster_places.config, is_ours, err)) < 0 ||
            (r = files_remove_tree(pki, err)) < 0)
                return r;
        if (!keep_data && (r = remove_objects(arena, err)) < 0)
                return r;
        puts("This host is in no cluster any more.");
        return 0;
}
