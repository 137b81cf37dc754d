#include "cri/state/record.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/files.h"
#include "lib/log.h"
#include "lib/scratch.h"
#include "lib/spread.h"

static const struct {
        const char *folder, *file;
        const ProtobufCMessageDescriptor *type;
} kinds[] = {
        [RECORD_SANDBOX] = { "sandboxes", "sandbox.pb", &record__sandbox__descriptor },
        [RECORD_CONTAINER] = { "containers", "container.pb", &record__container__descriptor },
        [RECORD_EXIT] = { "containers", "exit.pb", &record__exit__descriptor },
};

char *record_dir(const struct cri *cri, struct arena *arena, enum record_kind kind, const char *id) {
        return arena_printf(arena, "%s/%s/%s", cri->options.root_dir, kinds[kind].folder, id);
}

void record_layer(const struct cri *cri, const char *id, char *ret_path, size_t size) {
        snprintf(ret_path, size, "%s/%s/%s/upper", cri->options.root_dir, kinds[RECORD_CONTAINER].folder, id);
}

char *record_run_dir(const struct cri *cri, struct arena *arena, const char *id) {
        return arena_printf(arena, "%s/pods/%s", cri->options.run_dir, id);
}

int record_prepare(const struct cri *cri, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *dirs[3], *run;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        dirs[0] = record_dir(cri, arena, RECORD_SANDBOX, "");
        dirs[1] = record_dir(cri, arena, RECORD_CONTAINER, "");
        dirs[2] = arena_printf(arena, "%s/broken", cri->options.root_dir);
        for (size_t i = 0; i < ELEMENTS(dirs); i++) {
                if (!dirs[i])
                        return err_set(err, ENOMEM, "out of memory");
                r = files_make_private(dirs[i], err);
                if (r < 0)
                        return r;
                spread_directory(dirs[i]);
        }
        run = record_run_dir(cri, arena, "");
        return run ? scratch_make(run, err) : err_set(err, ENOMEM, "out of memory");
}

void record_finish(const struct cri *cri) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *run = arena ? record_run_dir(cri, arena, "") : NULL;

        if (run)
                scratch_drop(run);
}

static int make_dir(const char *dir, struct err **err) {
        return mkdir(dir, 0700) < 0 && errno != EEXIST ? err_errno(err, errno, "make %s", dir) : 0;
}

int record_begin(const struct cri *cri, enum record_kind kind, const char *id, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const char *dir = arena ? record_dir(cri, arena, kind, id) : NULL;

        return dir ? make_dir(dir, err) : err_set(err, ENOMEM, "out of memory");
}

int record_write(const struct cri *cri, enum record_kind kind, const char *id, const ProtobufCMessage *message,
                 struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        ProtobufCBinaryData data;
        char *dir, *path;
        int r;

        dir = arena ? record_dir(cri, arena, kind, id) : NULL;
        path = dir ? arena_printf(arena, "%s/%s", dir, kinds[kind].file) : NULL;
        if (!path || message_pack(arena, message, &data) < 0)
                return err_set(err, ENOMEM, "write the record of %s: out of memory", id);
        if (data.len > CRI_RECORD_MAX)
                return err_set(err, E2BIG, "the request is larger than %u bytes", CRI_RECORD_MAX);
        r = make_dir(dir, err);
        return r < 0 ? r : files_replace(path, data.data, data.len, 0600, err);
}

int record_read(const struct cri *cri, enum record_kind kind, const char *id, struct arena *arena, void *ret_message,
                struct err **err) {
        char *dir = record_dir(cri, arena, kind, id),
             *path = dir ? arena_printf(arena, "%s/%s", dir, kinds[kind].file) : NULL;
        _cleanup_free_ char *data = NULL;
        void *message;
        size_t size;
        int r;

        if (!path)
                return err_set(err, ENOMEM, "out of memory");
        r = files_read(path, CRI_RECORD_MAX, &data, &size, err);
        if (r < 0)
                return r;
        message = size > 0 ? message_unpack(arena, kinds[kind].type, data, size) : NULL;
        if (!message && size > 0 && errno == ENOMEM)
                return err_set(err, ENOMEM, "read %s: out of memory", path);
        if (!message)
                return err_set(err, EBADMSG, "%s is not whole", path);
        *(void **)ret_message = message;
        return 0;
}

void record_set_aside(const struct cri *cri, enum record_kind kind, const char *id) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *from = arena ? record_dir(cri, arena, kind, id) : NULL;
        char *to = from ? arena_printf(arena, "%s/broken/%s-%s", cri->options.root_dir, kinds[kind].folder, id) : NULL;
        _cleanup_err_ struct err *err = NULL;

        if (!to)
                return;
        if (files_remove_tree(to, &err) < 0 || rename(from, to) < 0)
                log_warning("cannot set %s aside: %s", from, err ? err_text(err) : strerror(errno));
}

int record_ids(const struct cri *cri, enum record_kind kind, struct arena *arena, char ***ret_ids, struct err **err) {
        char *path = record_dir(cri, arena, kind, "");
        _cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
        const struct dirent *entry;
        size_t n = 0, room = 64;
        char **ids = arena_alloc_array(arena, room, sizeof(*ids)), **bigger;

        if (!dir)
                return err_errno(err, errno, "open %s", path);
        while (ids && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                if (n + 1 >= room) {
                        bigger = arena_alloc_array(arena, room * 2, sizeof(*ids));
                        if (bigger)
                                memcpy(bigger, ids, n * sizeof(*ids));
                        ids = bigger;
                        room *= 2;
                }
                if (ids && !(ids[n++] = arena_strdup(arena, entry->d_name)))
                        ids = NULL;
        }
        if (!ids)
                return err_set(err, ENOMEM, "read %s: out of memory", path);
        *ret_ids = ids;
        return 0;
}

int record_remove(const struct cri *cri, enum record_kind kind, const char *id, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *dir = arena ? record_dir(cri, arena, kind, id) : NULL;

        return dir ? files_remove_tree(dir, err) : err_set(err, ENOMEM, "out of memory");
}

int record_remove_run_dir(const struct cri *cri, const char *id, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *dir = arena ? record_run_dir(cri, arena, id) : NULL;

        return dir ? files_remove_tree(dir, err) : err_set(err, ENOMEM, "out of memory");
}

Record__Sandbox *record_of_sandbox(struct arena *arena, const struct cri_sandbox *sandbox) {
        Record__Sandbox *record = arena_alloc(arena, sizeof(*record));

        if (!record)
                return NULL;
        *record = *sandbox->record;
        record->stopped = !sandbox->ready;
        record->ips = (char **)(uintptr_t)sandbox->ips;
        record->n_ips = sandbox->n_ips;
        return message_pack(arena, &sandbox->config->base, &record->config) < 0 ? NULL : record;
}

Record__Container *record_of_container(struct arena *arena, const struct cri_container *container) {
        Record__Container *record = arena_alloc(arena, sizeof(*record));

        if (!record)
                return NULL;
        *record = *container->record;
        if (container->resources && message_pack(arena, &container->resources->base, &record->resources) < 0)
                return NULL;
        return message_pack(arena, &container->config->base, &record->config) < 0 ? NULL : record;
}
