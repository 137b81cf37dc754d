#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "api/pki/internal.h"
#include "lib/err.h"
#include "lib/files.h"

static int path_of(const char *directory, const char *name, char ret_path[PATH_MAX], struct err **err) {
        if (snprintf(ret_path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
                return err_set(err, ENAMETOOLONG, "%s/%s: the path is too long", directory, name);
        return 0;
}

int pki_file_read(const char *directory, const char *name, char **ret_text, struct err **err) {
        _cleanup_err_ struct err *failure = NULL;
        char path[PATH_MAX];
        int r = path_of(directory, name, path, err);

        if (r >= 0)
                r = files_read(path, PKI_FILE_MAX, ret_text, NULL, &failure);
        return r < 0 && r != -ENOENT && failure ? err_move(err, TAKE_PTR(failure)) : r;
}

int pki_file_write(const char *directory, const char *name, const char *text, struct err **err) {
        char path[PATH_MAX];
        int r = path_of(directory, name, path, err);

        return r < 0 ? r : files_replace_synced(path, text, strlen(text), 0600, err);
}
