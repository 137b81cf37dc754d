/* The starter of workers, with this program itself as a worker that answers what its request tells it to. */
#include "images/transfer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "images/message.h"
#include "images/progress.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static void answer(struct message *m) {
        send(IMAGE_SOCKET_FD, m->bytes, m->n, 0);
        m->n = 0;
}

/* The reference says what to do; the password must have come through the socket only. */
static int be_worker(void) {
        static struct message q, m;
        ssize_t n = recv(IMAGE_SOCKET_FD, q.bytes, sizeof(q.bytes), 0);
        const char *what;

        if (n <= 0)
                return 1;
        q.n = (size_t)n;
        what = image_message_get(&q, "reference");
        if (strcmp(what, "hang") == 0)
                pause();
        if (strcmp(what, "crash") == 0)
                abort();
        if (strcmp(what, "silent") == 0)
                return 0;
        image_message_add(&m, "kind", "progress");
        image_message_add(&m, "digest", "sha256:x");
        image_message_add(&m, "phase", "downloading");
        image_message_add_number(&m, "done", 5);
        image_message_add_number(&m, "total", 10);
        answer(&m);
        if (strcmp(what, "fail") == 0) {
                image_message_add(&m, "kind", "error");
                image_message_add_number(&m, "code", ENOENT);
                image_message_add(&m, "text", image_message_get(&q, "password"));
        } else {
                image_message_add(&m, "kind", "result");
                image_message_add(&m, "image", "sha256:id");
                image_message_add(&m, "reference", "a");
                image_message_add(&m, "reference", "b");
        }
        answer(&m);
        return 0;
}

struct outcome {
        int done, code;
        unsigned progress;
        char text[256], image[80];
        unsigned references;
};

static void on_progress(void *data, const struct image_progress *p) {
        struct outcome *o = data;

        assert_string_equal(p->phase, "downloading");
        assert_int_equal(p->total, 10);
        o->progress++;
}

static void on_done(void *data, const struct image_transfer_result *result, const struct err *err) {
        struct outcome *o = data;

        o->done++;
        o->code = err_code(err);
        snprintf(o->text, sizeof(o->text), "%s", err_text(err));
        if (!result)
                return;
        snprintf(o->image, sizeof(o->image), "%s", result->image_id);
        while (result->references[o->references])
                o->references++;
}

static struct image_transfer *start(uv_loop_t *loop, const char *what, struct outcome *o) {
        static const struct image_transfer_callbacks callbacks = { .progress = on_progress, .done = on_done };
        struct image_transfer_request request = { .kind = IMAGE_PULL,
                                                  .root_dir = "/tmp",
                                                  .reference = what,
                                                  .auth = { .password = "secret" },
                                                  .worker = "/proc/self/exe" };
        struct image_transfer *transfer;

        assert_int_equal(image_transfer_start(loop, &request, &callbacks, o, &transfer, NULL), 0);
        return transfer;
}

static const struct {
        const char *what, *says;
        int code;
        unsigned progress;
} rows[] = {
        { "good", NULL, 0, 1 },
        { "fail", "secret", ENOENT, 1 },
        { "crash", "was killed by signal 6", EIO, 0 },
        { "silent", "ended without an answer", EIO, 0 },
};

static void test_outcomes(void **state) {
        uv_loop_t loop;

        (void)state;
        uv_loop_init(&loop);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct outcome o = { .done = 0 };

                start(&loop, rows[i].what, &o);
                uv_run(&loop, UV_RUN_DEFAULT);
                assert_int_equal(o.done, 1);
                assert_int_equal(o.code, rows[i].code);
                assert_int_equal(o.progress, rows[i].progress);
                if (rows[i].says)
                        assert_non_null(strstr(o.text, rows[i].says));
                else
                        assert_true(strcmp(o.image, "sha256:id") == 0 && o.references == 2);
        }
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* More than run at once; those that hang and those that wait are cancelled. */
static void test_queue_and_cancel(void **state) {
        struct outcome outcomes[IMAGE_TRANSFERS_MAX + 4] = { { 0 } };
        struct image_transfer *transfers[ELEMENTS(outcomes)];
        uv_loop_t loop;

        (void)state;
        uv_loop_init(&loop);
        for (size_t i = 0; i < ELEMENTS(outcomes); i++)
                transfers[i] = start(&loop, i < IMAGE_TRANSFERS_MAX ? "hang" : "good", &outcomes[i]);
        image_transfer_cancel(transfers[ELEMENTS(outcomes) - 1]); /* in the queue */
        for (size_t i = 0; i < IMAGE_TRANSFERS_MAX; i++)
                image_transfer_cancel(transfers[i]);
        uv_run(&loop, UV_RUN_DEFAULT);
        for (size_t i = 0; i < ELEMENTS(outcomes); i++) {
                bool cancelled = i < IMAGE_TRANSFERS_MAX || i == ELEMENTS(outcomes) - 1;

                assert_int_equal(outcomes[i].done, 1);
                assert_int_equal(outcomes[i].code, cancelled ? ECANCELED : 0);
        }
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_missing_worker(void **state) {
        static const struct image_transfer_callbacks callbacks = { .done = on_done };
        struct image_transfer_request request = {
                .kind = IMAGE_PULL, .root_dir = "/", .reference = "x", .worker = "/none/such"
        };
        _cleanup_err_ struct err *err = NULL;
        uv_loop_t loop;

        (void)state;
        uv_loop_init(&loop);
        assert_int_equal(image_transfer_start(&loop, &request, &callbacks, NULL, NULL, &err), -ENOENT);
        assert_non_null(strstr(err_text(err), "/none/such"));
        assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_messages(void **state) {
        static struct message m;
        const char *key, *value;
        size_t at = 0;

        (void)state;
        m.n = 0;
        assert_false(image_message_valid(&m));
        image_message_add(&m, "a", "1");
        image_message_add(&m, "b", NULL);
        image_message_add(&m, "c", "");
        assert_true(image_message_valid(&m));
        assert_string_equal(image_message_get(&m, "c"), "");
        assert_null(image_message_get(&m, "1")); /* a value is no key */
        assert_true(image_message_next(&m, &at, &key, &value) && image_message_next(&m, &at, &key, &value));
        assert_false(image_message_next(&m, &at, &key, &value));
        m.n--;
        assert_false(image_message_valid(&m));
        m.bytes[m.n - 1] = 'x';
        assert_false(image_message_valid(&m));
        m.n = sizeof(m.bytes) - 4;
        image_message_add(&m, "k", "v");
        assert_false(m.full);
        image_message_add(&m, "k", "v");
        assert_true(m.full);
}

static void test_progress_lines(void **state) {
        static const struct {
                struct image_progress progress;
                unsigned columns;
                const char *line;
        } lines[] = {
                { { "sha256:0123456789abcdef", "waiting", 0, 5 }, 80, "0123456789ab  waiting    " },
                { { "sha256:0123456789abcdef", "done", 1500, 3000 },
                  64,
                  "0123456789ab  done         [=========>        ]  1.5 kB / 3.0 kB" },
                { { "sha256:0123456789abcdef", "downloading", 50, 100 }, 40, "0123456789ab  downloading" },
        };
        char text[IMAGE_PROGRESS_LINE_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                image_progress_format(&lines[i].progress, lines[i].columns, text);
                assert_string_equal(text, lines[i].line);
                assert_true(strlen(text) <= lines[i].columns);
        }
        for (unsigned columns = 0; columns < 300; columns++) {
                image_progress_format(&lines[1].progress, columns, text);
                assert_true(strlen(text) <= (columns < 40 ? 40 : columns));
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_outcomes),       cmocka_unit_test(test_queue_and_cancel),
                cmocka_unit_test(test_missing_worker), cmocka_unit_test(test_messages),
                cmocka_unit_test(test_progress_lines),
        };

        (void)argc;
        if (strcmp(argv[0], IMAGE_WORKER) == 0)
                return be_worker();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
