/* What is packed comes back as it was, whatever it is and whichever dictionary it was packed with. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/cache/object.h"
#include "api/cache/pack.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define OBJECTS 5000 /* past the third dictionary */

static struct bytes *json_of(unsigned i) {
        char text[512];
        int n = snprintf(text, sizeof(text),
                         "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-%u\",\"namespace\":"
                         "\"default\",\"uid\":\"%08x-%04x\",\"labels\":{\"app\":\"web\"}},\"data\":{\"a\":\"%u\"}}\n",
                         i, i * 2654435761u, i & 0xffff, i * 7);

        return bytes_copy(text, (size_t)n);
}

static struct object *make(struct packer *packer, struct bytes *json) {
        static const struct object_label labels[] = { { "tier", "1" }, { "app", "web" } };
        static const char *const fields[] = { "n", "default", "other" };
        const struct object_parts parts = { 7, "default", "n", json, labels, fields, 2, 3 };
        struct object *plain = object_new(&parts), *packed;

        assert_non_null(plain);
        packed = object_pack(plain, packer);
        object_unref(plain);
        return packed;
}

static void expect(const struct object *object, const struct bytes *wanted) {
        _cleanup_bytes_ struct bytes *json = object_json(object);

        assert_non_null(json);
        assert_int_equal(json->size, wanted->size);
        assert_int_equal(object_json_size(object), wanted->size);
        assert_memory_equal(json->data, wanted->data, wanted->size);
        assert_string_equal(object->name, "n");
        assert_string_equal(object_label(object, "app"), "web");
        assert_string_equal(object->fields[2], "other");
        assert_ptr_equal(object->fields[1], object->namespace);
        assert_int_equal(object->revision, 7);
}

static void test_many(void **state) {
        struct packer *packer = packer_new();
        struct object **objects = calloc(OBJECTS, sizeof(struct object *));
        size_t plain = 0, packed = 0;

        for (unsigned i = 0; i < OBJECTS; i++) {
                _cleanup_bytes_ struct bytes *json = json_of(i);

                objects[i] = make(packer, json);
                plain += json->size;
                packed += objects[i]->dictionary ? objects[i]->packed_size : json->size;
        }
        assert_true(packed < plain / 3);
        packer_free(packer); /* dictionaries stay as long as what needs them */
        for (unsigned i = 0; i < OBJECTS; i++) {
                _cleanup_bytes_ struct bytes *json = json_of(i);

                expect(objects[i], json);
                object_unref(objects[i]);
        }
        free(objects);
        (void)state;
}

/* Nothing that is smaller for it; what is large, and empty; each first of its packer, and behind others. */
static void test_odd_ones(void **state) {
        static const size_t sizes[] = { 1, 2, 17, 1000, 16384, 65536, 65537, 3 << 20 };

        for (int random = 0; random < 2; random++) {
                struct packer *packer = packer_new();

                for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                        _cleanup_bytes_ struct bytes *json = bytes_new(sizes[i]);
                        struct object *object;

                        for (size_t at = 0; at < sizes[i]; at++)
                                json->data[at] = (uint8_t)(random ? rand() : 'x');
                        object = make(packer, json);
                        expect(object, json);
                        assert_true(!random || !object->dictionary || object->packed_size < sizes[i]);
                        assert_true(random || sizes[i] < 1000 || object->packed_size < sizes[i] / 50);
                        object_unref(object);
                }
                packer_free(packer);
        }
        (void)state;
}

/* An object that is packed stays what it is. */
static void test_twice(void **state) {
        struct packer *packer = packer_new();
        _cleanup_bytes_ struct bytes *json = json_of(1);
        struct object *once = make(packer, json), *twice = object_pack(once, packer);

        assert_non_null(once->dictionary);
        assert_ptr_equal(once, twice);
        object_unref(once);
        expect(twice, json);
        object_unref(twice);
        packer_free(packer);
        (void)state;
}

static void *read_all(void *data) {
        struct object **objects = data;

        for (int round = 0; round < 50; round++)
                for (unsigned i = 0; i < 100; i++) {
                        _cleanup_bytes_ struct bytes *json = json_of(i);

                        expect(objects[i], json);
                }
        return NULL;
}

/* Two packers change LZ4's prepared dictionary in turn while others read. */
static void test_readers(void **state) {
        struct packer *first = packer_new(), *second = packer_new();
        struct object *objects[100];
        pthread_t threads[2];

        for (unsigned i = 0; i < 100; i++) {
                _cleanup_bytes_ struct bytes *json = json_of(i);

                objects[i] = make(i % 2 ? first : second, json);
        }
        for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, read_all, objects), 0);
        for (unsigned i = 0; i < 2000; i++) {
                _cleanup_bytes_ struct bytes *json = json_of(i);

                object_unref(make(i % 2 ? second : first, json));
        }
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        packer_free(first);
        packer_free(second);
        for (unsigned i = 0; i < 100; i++)
                object_unref(objects[i]);
        (void)state;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_odd_ones),
                cmocka_unit_test(test_twice),
                cmocka_unit_test(test_readers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
