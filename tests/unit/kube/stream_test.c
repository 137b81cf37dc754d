/* Lists and watches as streams. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/stream/frames.h"
#include "kube/stream/list_reader.h"
#include "kube/stream/list_writer.h"
#include "kube/stream/watch.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "tests/unit/support/each_allocation.h"

#define MANY 50000

struct sum {
        uint64_t items, sum;
};

static int add_item(void *data, const struct value *item, const char *text, size_t length, struct err **err) {
        struct sum *sum = data;
        int64_t n;

        assert_true(value_integer(value_find(item, "spec.n"), &n));
        assert_int_equal(text[0], '{');
        assert_int_equal(text[length - 1], '}');
        sum->items++;
        sum->sum += (uint64_t)n;
        return 0;
}

static struct kube_list_reader new_reader(struct sum *sum) {
        struct kube_list_reader reader;

        assert_int_equal(kube_list_reader_init(&reader, add_item, sum), 0);
        reader.cut.data = NULL; /* set by who keeps it */
        return reader;
}

static int feed(void *data, struct bytes *piece) {
        return kube_list_reader_feed(data, (const char *)piece->data, piece->size, NULL);
}

/* As many items as one likes go from the writer to the reader through memory for one. */
static void test_endless_list(void **state) {
        struct sum sum = { 0 };
        _cleanup_kube_list_reader_ struct kube_list_reader reader = { 0 };
        _cleanup_kube_list_writer_ struct kube_list_writer writer = { .out = feed, .data = &reader };
        struct kube_list_head head;
        size_t before;

        assert_int_equal(kube_list_reader_init(&reader, add_item, &sum), 0);
        kube_list_writer_begin(&writer, "v1", "PodList", "{\"resourceVersion\":\"7\",\"remainingItemCount\":3}");
        before = mallinfo2().uordblks;
        for (int i = 0; i < MANY; i++) {
                char text[128];
                int n = snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"p%d\"},\"spec\":{\"n\":%d}}", i, i);

                kube_list_writer_item(&writer, text, (size_t)n);
        }
        assert_true(mallinfo2().uordblks < before + 4 * KUBE_LIST_PIECE);
        assert_int_equal(kube_list_writer_end(&writer), 0);
        assert_int_equal(kube_list_reader_end(&reader, &head, NULL), 0);
        assert_int_equal(sum.items, MANY);
        assert_int_equal(sum.sum, (uint64_t)MANY * (MANY - 1) / 2);
        assert_string_equal(head.api_version, "v1");
        assert_string_equal(head.kind, "PodList");
        assert_string_equal(head.resource_version, "7");
        assert_null(head.next);
        assert_int_equal(head.remaining, 3);
}

static void test_head_behind_items(void **state) {
        static const char text[] = "{\"items\":[{\"spec\":{\"n\":4}}],\"metadata\":{\"continue\":\"abc\"},"
                                   "\"extra\":[1],\"kind\":\"L\"}";
        struct sum sum = { 0 };
        struct kube_list_reader reader = new_reader(&sum);
        struct kube_list_head head;

        reader.cut.data = &reader;
        for (size_t i = 0; i < sizeof(text) - 1; i++)
                assert_int_equal(kube_list_reader_feed(&reader, text + i, 1, NULL), 0);
        assert_int_equal(kube_list_reader_end(&reader, &head, NULL), 0);
        assert_int_equal(sum.sum, 4);
        assert_string_equal(head.next, "abc");
        assert_null(head.api_version);
        assert_int_equal(head.remaining, -1);
        kube_list_reader_done(&reader);
}

static void test_bad_item(void **state) {
        struct sum sum = { 0 };
        struct kube_list_reader reader = new_reader(&sum);
        _cleanup_err_ struct err *err = NULL;

        reader.cut.data = &reader;
        assert_int_equal(kube_list_reader_feed(&reader, "{\"items\":[{\"spec\":{\"n\":1}},{x}]", 33, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), "items[1]"));
        kube_list_reader_done(&reader);
}

struct pieces {
        struct bytes *shared;
        size_t n, bytes;
        bool was_shared;
        int fail_at;
};

static int count_piece(void *data, struct bytes *piece) {
        struct pieces *pieces = data;

        pieces->bytes += piece->size;
        pieces->was_shared = pieces->was_shared || piece == pieces->shared;
        assert_true(piece == pieces->shared || piece->size <= KUBE_LIST_PIECE);
        return (int)++pieces->n == pieces->fail_at ? -EPIPE : 0;
}

static void test_shared_items(void **state) {
        struct bytes *large = bytes_new(KUBE_LIST_SHARED), *small = bytes_new(KUBE_LIST_SHARED - 1);
        struct pieces pieces = { .shared = large };
        _cleanup_kube_list_writer_ struct kube_list_writer writer = { .out = count_piece, .data = &pieces };

        assert_true(large && small);
        memset(large->data, '1', large->size);
        memset(small->data, '2', small->size);
        kube_list_writer_begin(&writer, "v1", "L", NULL);
        kube_list_writer_item_bytes(&writer, small);
        kube_list_writer_item_bytes(&writer, large);
        kube_list_writer_item_bytes(&writer, small);
        assert_int_equal(kube_list_writer_end(&writer), 0);
        assert_true(pieces.was_shared);
        assert_int_equal(pieces.n, 3);
        assert_int_equal(pieces.bytes,
                         strlen("{\"kind\":\"L\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[,,]}\n") +
                                 large->size + 2 * small->size);
        bytes_unref(large);
        bytes_unref(small);
}

static void test_writer_failure(void **state) {
        struct pieces pieces = { .fail_at = 1 };
        _cleanup_kube_list_writer_ struct kube_list_writer writer = { .out = count_piece, .data = &pieces };

        kube_list_writer_begin(&writer, "v1", "L", NULL);
        assert_int_equal(kube_list_writer_flush(&writer), -EPIPE);
        kube_list_writer_item(&writer, "1", 1);
        assert_int_equal(kube_list_writer_end(&writer), -EPIPE);
        assert_int_equal(pieces.n, 1);
}

static int note_event(void *data, enum kube_watch_type type, const struct value *object, struct err **err) {
        char *text = data;

        sprintf(text + strlen(text), "%s:%s ", kube_watch_type_name(type), value_string(value_get(object, "kind")));
        return 0;
}

static void test_watch(void **state) {
        struct bytes *added = kube_watch_event_bytes(KUBE_WATCH_ADDED, "{\"kind\":\"Pod\"}", 14);
        static const char more[] = "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\"}}"
                                   "{\"object\":{\"kind\":\"Status\"},\"type\":\"ERROR\"}\n\n";
        _cleanup_kube_watch_reader_ struct kube_watch_reader reader = { 0 };
        char text[256] = "";

        assert_non_null(added);
        assert_int_equal(kube_watch_reader_init(&reader, note_event, text), 0);
        assert_int_equal(kube_watch_reader_feed(&reader, (const char *)added->data, added->size, NULL), 0);
        assert_string_equal(text, "ADDED:Pod ");
        for (size_t i = 0; i < sizeof(more) - 1; i++)
                assert_int_equal(kube_watch_reader_feed(&reader, more + i, 1, NULL), 0);
        assert_string_equal(text, "ADDED:Pod BOOKMARK:Pod ERROR:Status ");
        assert_int_equal(kube_watch_reader_end(&reader, NULL), 0);
        assert_int_equal(kube_watch_reader_feed(&reader, "{\"type\":\"GONE\",\"object\":{}}", 27, NULL), -EINVAL);
        bytes_unref(added);
}

static int note_frame(void *data, const uint8_t *frame, size_t length, struct err **err) {
        char *text = data;

        sprintf(text + strlen(text), "%.*s|", (int)length, (const char *)frame);
        return 0;
}

static void test_frames(void **state) {
        static const uint8_t stream[] = "\0\0\0\003abc\0\0\0\0\0\0\0\004defg";

        for (size_t n = 1; n <= sizeof(stream); n++) {
                char text[64] = "";
                _cleanup_kube_frames_ struct kube_frames frames = { .frame = note_frame, .data = text, .max = 4 };

                for (size_t at = 0; at < sizeof(stream) - 1; at += n) {
                        size_t size = sizeof(stream) - 1 - at < n ? sizeof(stream) - 1 - at : n;

                        assert_int_equal(kube_frames_feed(&frames, stream + at, size, NULL), 0);
                }
                assert_string_equal(text, "abc||defg|");
                assert_int_equal(kube_frames_end(&frames, NULL), 0);
                assert_int_equal(kube_frames_feed(&frames, stream, 5, NULL), 0);
                assert_int_equal(kube_frames_end(&frames, NULL), -EINVAL);
        }
}

/* The length alone is told to be too much, and takes no memory. */
static void test_frame_bounds(void **state) {
        char text[64] = "";
        _cleanup_kube_frames_ struct kube_frames frames = { .frame = note_frame, .data = text, .max = 4 };
        uint8_t head[KUBE_FRAME_HEAD];

        kube_frame_head(5, head);
        assert_int_equal(kube_frames_feed(&frames, head, sizeof(head), NULL), -E2BIG);
        assert_int_equal(kube_frames_feed(&frames, head, 1, NULL), -E2BIG);
        assert_int_equal(kube_frames_end(&frames, NULL), -E2BIG);
}

static int count_item(void *data, const struct value *item, const char *text, size_t length, struct err **err) {
        return 0;
}

static int read_list(void) {
        static const char text[] = "{\"kind\":\"L\",\"items\":[{\"a\":[1,2]},{\"b\":\"c\"}],\"metadata\":{\"a\":1}}";
        struct kube_list_reader reader;
        int r = kube_list_reader_init(&reader, count_item, NULL);

        for (size_t i = 0; r >= 0 && i < sizeof(text) - 1; i++)
                r = kube_list_reader_feed(&reader, text + i, 1, NULL);
        if (r >= 0)
                r = kube_list_reader_end(&reader, NULL, NULL);
        kube_list_reader_done(&reader);
        return r;
}

static void test_allocations(void **state) {
        assert_true(fail_each_allocation(read_list) > 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_endless_list),   cmocka_unit_test(test_head_behind_items),
                cmocka_unit_test(test_bad_item),       cmocka_unit_test(test_shared_items),
                cmocka_unit_test(test_writer_failure), cmocka_unit_test(test_watch),
                cmocka_unit_test(test_frames),         cmocka_unit_test(test_frame_bounds),
                cmocka_unit_test(test_allocations),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
