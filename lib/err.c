#include "lib/err.h"

#include <assert.h>
#include <stdbool.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err {
        int code;
        char text[];
};

/* What is handed out when there is no memory for a text: shared, never freed. */
static struct err no_memory = { .code = 12 };

static struct err *err_new(int code, const char *text) {
        size_t n = strnlen(text, ERR_TEXT_MAX - 1);
        struct err *e = malloc(sizeof(*e) + n + 1);

        if (!e)
                return &no_memory;
        e->code = code;
        memcpy(e->text, text, n);
        e->text[n] = '\0';
        return e;
}

static bool wanted(struct err **err) {
        return err && !*err;
}

int err_setv(struct err **err, int code, const char *format, va_list arguments) {
        if (wanted(err)) {
                char text[ERR_TEXT_MAX];

                vsnprintf(text, sizeof(text), format, arguments);
                *err = err_new(code, text);
        }
        return -code;
}

int err_set(struct err **err, int code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        code = err_setv(err, code, format, ap);
        va_end(ap);
        return code;
}

int err_repeat(struct err **err, const struct err *other) {
        return err_set(err, other ? err_code(other) : ENOMEM, "%s", other ? err_text(other) : "out of memory");
}

int err_errno(struct err **err, int code, const char *format, ...) {
        if (wanted(err)) {
                char text[ERR_TEXT_MAX];
                va_list ap;
                int n;

                va_start(ap, format);
                n = vsnprintf(text, sizeof(text), format, ap);
                va_end(ap);
                if (n >= 0 && (size_t)n < sizeof(text))
                        snprintf(text + n, sizeof(text) - (size_t)n, ": %s", strerrordesc_np(code) ?: "unknown error");
                *err = err_new(code, text);
        }
        return -code;
}

int err_wrap(struct err **err, int code, const char *format, ...) {
        char text[ERR_TEXT_MAX];
        struct err *wrapped;
        va_list ap;
        int n;

        assert(code < 0);
        if (!err || !*err)
                return code;
        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= sizeof(text))
                return code;
        snprintf(text + n, sizeof(text) - (size_t)n, ": %s", err_text(*err));
        wrapped = err_new((*err)->code, text);
        if (wrapped != &no_memory) { /* without memory the inner text alone says more */
                err_free(*err);
                *err = wrapped;
        }
        return code;
}

const char *err_text(const struct err *err) {
        if (!err)
                return "no error text";
        return err == &no_memory ? "out of memory" : err->text;
}

int err_code(const struct err *err) {
        return err ? err->code : 0;
}

int err_move(struct err **to, struct err *from) {
        int code = -err_code(from);

        if (wanted(to))
                *to = from;
        else
                err_free(from);
        return code;
}

struct err *err_free(struct err *err) {
        if (err != &no_memory)
                free(err);
        return NULL;
}

void err_freep(struct err **err) {
        *err = err_free(*err);
}
