/* nacelle reset: what init and join have made on this host goes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster/cluster.h"
#include "lib/arena.h"
#include "lib/files.h"

static bool force, keep_data;

const struct cli_option cli_reset_options[] = {
        { "force", 'f', CLI_FLAG, &force, NULL, "do not ask" },
        { "keep-data", 0, CLI_FLAG, &keep_data, NULL, "the API service's objects and keys stay" },
        CLUSTER_PLACES_OPTIONS,
        {},
};

static int ask(struct err **err) {
        char answer[16] = "";

        if (force)
                return 0;
        printf("This host leaves its cluster%s. Go on? [y/N]: ",
               access(cli_cluster_places.data, F_OK) == 0 && !keep_data ?
                       ", and ALL OBJECTS AND KEYS OF ITS API SERVICE GO" :
                       "");
        fflush(stdout);
        if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
                return 0;
        return err_set(err, ECANCELED, "nothing was changed");
}

static int remove_files(struct arena *arena, struct err **err) {
        static const char *const ours[] = { "agent.env", "api.env", "bootstrap-kubelet.conf", "kubelet.conf" };

        for (size_t i = 0; i < ELEMENTS(ours); i++) {
                const char *path = cli_cluster_file(arena, ours[i]);

                if (!path)
                        return err_set(err, ENOMEM, "out of memory");
                if (unlink(path) < 0 && errno != ENOENT)
                        return err_errno(err, errno, "%s", path);
        }
        return 0;
}

int cli_reset(struct cli *cli, char **arguments, int n, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *pki = arena ? arena_printf(arena, "%s/pki", cli_cluster_places.root) : NULL;
        int r = pki ? ask(err) : err_set(err, ENOMEM, "out of memory");
        const char *env;

        if (r < 0)
                return r;
        env = cli_cluster_file(arena, cli_cluster_agent.file);
        if (env && access(env, F_OK) == 0 && (r = cli_cluster_stop(&cli_cluster_agent, err)) < 0)
                return r;
        env = cli_cluster_file(arena, cli_cluster_api.file);
        if (env && access(env, F_OK) == 0 && (r = cli_cluster_stop(&cli_cluster_api, err)) < 0)
                return r;
        if ((r = remove_files(arena, err)) < 0 || (r = files_remove_tree(pki, err)) < 0)
                return r;
        if (!keep_data && (r = files_remove_tree(cli_cluster_places.data, err)) < 0)
                return r;
        puts("This host is in no cluster any more. Pods of the cluster end when its agent starts again.");
        return 0;
}
