#include "cri/container/writable.h"

#include <sys/stat.h>

#include "lib/files.h"

/* What overlayfs leaves in its work directory as long as a volatile mount was not found to be whole. */
#define VOLATILE_MARK "work/incompat/volatile"

int writable_make(const struct cri_sandbox *sandbox, struct arena *arena, const char *dir, struct err **err) {
        const Cri__UserNamespace *users = cri_sandbox_namespaces(sandbox->config)->userns_options;
        char *upper = arena_printf(arena, "%s/upper", dir), *work = arena_printf(arena, "%s/work", dir);
        int r;

        if (!upper || !work)
                return err_set(err, ENOMEM, "out of memory");
        /* The upper directory is the container's "/", whose mode it has to have: what shuts it off is the one above. */
        r = files_make_private(dir, err);
        if (r < 0)
                return r;
        if (mkdir(upper, 0755) < 0 || mkdir(work, 0700) < 0)
                return err_errno(err, errno, "make %s", dir);
        if (users && users->mode == CRI__NAMESPACE_MODE__POD && users->n_uids > 0 && users->n_gids > 0 &&
            chown(upper, users->uids[0]->host_id, users->gids[0]->host_id) < 0)
                return err_errno(err, errno, "give %s to the pod's root", upper);
        return 0;
}

int writable_renew(const struct cri_sandbox *sandbox, struct arena *arena, const char *dir, struct err **err) {
        char *upper = arena_printf(arena, "%s/upper", dir), *work = arena_printf(arena, "%s/work", dir);
        char *mark = work ? arena_printf(arena, "%s/" VOLATILE_MARK, work) : NULL;
        int r;

        if (!upper || !mark)
                return err_set(err, ENOMEM, "out of memory");
        if (access(mark, F_OK) < 0)
                return 0;
        if ((r = files_remove_tree(upper, err)) < 0 || (r = files_remove_tree(work, err)) < 0)
                return r;
        return writable_make(sandbox, arena, dir, err);
}
