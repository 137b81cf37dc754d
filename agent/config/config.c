#include "agent/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config/fields.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/yaml.h"

static int check_kind(const struct value *document, struct err **err) {
        const char *version = value_string(value_get(document, "apiVersion"));
        const char *kind = value_string(value_get(document, "kind"));

        if (!version || !kind || strcmp(kind, "KubeletConfiguration") != 0 ||
            strcmp(version, "kubelet.config.k8s.io/v1beta1") != 0)
                return err_set(
                        err, EINVAL,
                        "wants kind KubeletConfiguration and apiVersion kubelet.config.k8s.io/v1beta1, not %s and %s",
                        kind ? kind : "none", version ? version : "none");
        return 0;
}

static int read_document(const char *path, const struct value *document, struct options *o, struct err **err) {
        int r;

        if ((r = check_kind(document, err)) < 0)
                return r;
        for (uint32_t i = 0; i < document->count; i++) {
                const struct value_member *member = &document->members[i];
                const struct config_field *field = config_field_find(member->key);

                if (!field)
                        log_warning("%s: line %u: %s: unknown or not supported; it has no effect", path, member->line,
                                    member->key);
                else if (!value_is_null(&member->value) && (r = config_field_set(field, &member->value, o, err)) < 0)
                        return r;
        }
        return 0;
}

static int read_text(const char *path, char **ret_text, size_t *ret_length, struct err **err) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "cannot read the configuration");
        if (!S_ISREG(st.st_mode) || st.st_size > OPTIONS_FILE_MAX)
                return err_set(err, EINVAL, "is no regular file of at most %d bytes", OPTIONS_FILE_MAX);
        r = files_read_all(fd, OPTIONS_FILE_MAX, ret_text, ret_length);
        return r < 0 ? err_errno(err, -r, "cannot read the configuration") : 0;
}

int config_read(const char *path, struct options *options, struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ char *text = NULL;
        const struct value *document;
        size_t length = 0;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = read_text(path, &text, &length, err)) < 0 ||
            (r = yaml_parse(arena, text, length, NULL, &document, err)) < 0)
                return r;
        return read_document(path, document, options, err);
}
