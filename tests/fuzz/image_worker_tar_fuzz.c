/* Tar streams of any bytes, checksums made right so that the parsers behind them are reached: entries, content and
 * paths. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker/paths.h"
#include "images/worker/tar.h"

#define ENTRIES_MAX 4096

struct input {
        uint8_t *bytes;
        size_t n, at;
};

static int next(void *data, const uint8_t **ret_bytes, size_t *ret_n, struct err **err) {
        struct input *in = data;
        size_t n = in->n - in->at;

        (void)err;
        *ret_n = n < 2 * TAR_BLOCK ? n : 2 * TAR_BLOCK;
        *ret_bytes = in->bytes + in->at;
        in->at += *ret_n;
        return 0;
}

static void fix_checksums(uint8_t *bytes, size_t n) {
        for (size_t at = 0; at + TAR_BLOCK <= n; at += TAR_BLOCK) {
                unsigned sum = 0;
                char text[16];

                if (memcmp(bytes + at + 257, "ustar", 5) != 0)
                        continue;
                memset(bytes + at + 148, ' ', 8);
                for (size_t i = 0; i < TAR_BLOCK; i++)
                        sum += bytes[at + i];
                snprintf(text, sizeof(text), "%06o", sum & 0777777);
                memcpy(bytes + at + 148, text, 7);
        }
}

static void check_clean(const char *clean) {
        if (clean[0] == '/' || strncmp(clean, "../", 3) == 0 || strstr(clean, "/../") || strstr(clean, "//") ||
            strcmp(clean, "..") == 0)
                abort();
}

/* No clean path may leave the root, with @link in the place of any of its parts neither. */
static void check_path(const char *path, const char *link) {
        char clean[PATH_MAX], followed[PATH_MAX];

        if (layer_path_clean(path, clean, NULL) < 0)
                return;
        check_clean(clean);
        for (size_t begin = 0, end; clean[begin]; begin = end + (clean[end] == '/')) {
                end = begin + strcspn(clean + begin, "/");
                strcpy(followed, clean);
                if (layer_path_follow(followed, begin, end, link, NULL) == 0)
                        check_clean(followed);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { .bytes = malloc(size + 1), .n = size };
        const struct tar_source source = { .next = next, .data = &in };
        struct tar_reader *tar = tar_reader_new(&source);
        const struct tar_entry *e;
        const uint8_t *bytes;
        uint64_t total = 0;
        size_t n;

        memcpy(in.bytes, data, size);
        fix_checksums(in.bytes, size);
        for (int i = 0; i < ENTRIES_MAX && tar_next(tar, &e, NULL) > 0; i++) {
                check_path(e->path, e->link);
                check_path(e->link, e->path);
                while (tar_read(tar, &bytes, &n, NULL) > 0)
                        total += n + bytes[n - 1] % 1;
        }
        if (total > size)
                abort();
        tar_reader_free(tar);
        free(in.bytes);
        return 0;
}
