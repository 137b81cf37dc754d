#include "runtime/plan/overlay_layers.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/sys.h"

#define MORE_MAX 32 /* bytes of "and N more)" */

struct identity {
        dev_t dev;
        ino_t ino;
};

static bool seen(const struct identity *known, size_t n, const struct stat *st) {
        for (size_t i = 0; i < n; i++)
                if (known[i].ino == st->st_ino && known[i].dev == st->st_dev)
                        return true;
        return false;
}

int overlay_layers_of(const struct rootfs_spec *root, struct overlay_layers *ret, struct err **err) {
        struct identity known[SPEC_LAYERS_MAX];

        if (root->n_lowers > SPEC_LAYERS_MAX)
                return err_set(err, E2BIG, "%zu layers; at most %d are possible", root->n_lowers, SPEC_LAYERS_MAX);
        ret->n = 0;
        for (size_t i = 0; i < root->n_lowers; i++) {
                struct stat st;

                if (stat(root->lowers[i], &st) < 0)
                        return err_errno(err, errno, "layer %s", root->lowers[i]);
                if (seen(known, ret->n, &st))
                        continue;
                known[ret->n] = (struct identity){ .dev = st.st_dev, .ino = st.st_ino };
                ret->paths[ret->n++] = root->lowers[i];
        }
        ret->empty_below = ret->n == 1 && !root->upper;
        return 0;
}

const char *overlay_layers_name(const struct overlay_layers *layers, char ret_text[OVERLAY_NAMES_MAX]) {
        size_t n = (size_t)snprintf(ret_text, OVERLAY_NAMES_MAX, "%zu layer%s (", layers->n, layers->n == 1 ? "" : "s"),
               i;

        for (i = 0; i < layers->n; i++) {
                size_t room = OVERLAY_NAMES_MAX - MORE_MAX - n;
                int length = snprintf(ret_text + n, room, "%s%s", i ? ", " : "", layers->paths[i]);

                if ((size_t)length >= room)
                        break;
                n += (size_t)length;
        }
        if (i < layers->n)
                snprintf(ret_text + n, OVERLAY_NAMES_MAX - n, "%s%zu more)", i ? " and " : "", layers->n - i);
        else
                snprintf(ret_text + n, OVERLAY_NAMES_MAX - n, ")");
        return ret_text;
}

int overlay_empty(void) {
        _cleanup_close_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
        int mount = -1;

        if (fs >= 0 && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
        return mount < 0 ? -errno : mount;
}
