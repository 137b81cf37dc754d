/* JSON in pieces: any division of the bytes gives the same values and the same end. The first byte says the mode and
 * the longest value, the second how the rest is divided. Values that are JSON, and a list that is cut well, are what
 * the whole would be read as. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/stream/frames.h"
#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/json_cut.h"
#include "lib/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
        uint64_t hash;
        uint32_t items, members;
        int end;
};

static int see(void *data, const char *key, const char *text, size_t length, struct err **err) {
        struct seen *seen = data;

        if (length == 0)
                abort();
        seen->hash = seen->hash * 31 + hash_bytes(text, length) + (key ? hash_bytes(key, strlen(key)) : 0);
        seen->items += !key;
        seen->members += key != NULL;
        return 0;
}

/* Pieces are in memory of their own, so that nothing beside them is read. */
static int feed(struct json_cut *cut, const uint8_t *bytes, size_t n) {
        char *piece = malloc(n + 1);
        int r;

        memcpy(piece, bytes, n);
        piece = realloc(piece, n ? n : 1);
        r = json_cut_feed(cut, piece, n, NULL);
        free(piece);
        return r;
}

static struct seen run(uint8_t mode, const uint8_t *bytes, size_t n, unsigned seed) {
        struct seen seen = { 0 };
        struct json_cut cut = {
                .mode = mode & 1 ? JSON_CUT_LIST : JSON_CUT_SEQUENCE,
                .list = "items",
                .value_max = mode & 2 ? 16 : 4096,
                .value = see,
                .data = &seen,
        };
        int r = 0;

        for (size_t at = 0; r >= 0 && at < n;) {
                size_t piece = seed == 0 ? n : 1 + (seed = seed * 1103515245 + 12345) / 65536 % 7;

                piece = piece < n - at ? piece : n - at;
                r = feed(&cut, bytes + at, piece);
                at += piece;
        }
        seen.end = r < 0 ? r : json_cut_end(&cut, NULL);
        json_cut_done(&cut);
        return seen;
}

static void check_list(const uint8_t *bytes, size_t n, const struct seen *seen) {
        struct arena *arena = arena_new();
        const struct value *whole, *items;

        if (json_parse(arena, (const char *)bytes, n, NULL, &whole, NULL) >= 0 && value_is(whole, VALUE_MAP)) {
                items = value_get(whole, "items");
                if (seen->end == 0 &&
                    (seen->items != value_count(items) || seen->members + (items != NULL) != whole->count))
                        abort();
                if (seen->end == -EINVAL && (!items || value_is(items, VALUE_LIST) || value_is(items, VALUE_NULL)))
                        abort();
        }
        arena_free(arena);
}

static int see_frame(void *data, const uint8_t *frame, size_t length, struct err **err) {
        struct seen *seen = data;

        seen->hash = seen->hash * 31 + hash_bytes(frame, length);
        seen->items++;
        return 0;
}

static struct seen run_frames(const uint8_t *bytes, size_t n, size_t piece) {
        struct seen seen = { 0 };
        struct kube_frames frames = { .frame = see_frame, .data = &seen, .max = 1000 };
        int r = 0;

        for (size_t at = 0; r >= 0 && at < n; at += piece)
                r = kube_frames_feed(&frames, bytes + at, n - at < piece ? n - at : piece, NULL);
        seen.end = r < 0 ? r : kube_frames_end(&frames, NULL);
        kube_frames_done(&frames);
        return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct seen whole, parts;

        if (size < 2)
                return 0;
        whole = run(data[0], data + 2, size - 2, 0);
        parts = run(data[0], data + 2, size - 2, data[1] + 1u);
        if (memcmp(&whole, &parts, sizeof(whole)) != 0)
                abort();
        if ((data[0] & 3) == 1)
                check_list(data + 2, size - 2, &whole);
        whole = run_frames(data + 2, size - 2, size);
        parts = run_frames(data + 2, size - 2, data[1] % 8 + 1u);
        if (memcmp(&whole, &parts, sizeof(whole)) != 0)
                abort();
        return 0;
}
