#include "lib/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/loaded.h"

#define STEPS_MAX 1000000     /* from one place in the text */
#define PLACES_FIRST 16       /* that are tried at once, before it is known how long that takes */
#define PLACES_MAX (1u << 20) /* at most */
#define FAST_US 1000          /* more are tried at once if it was faster */
#define TIME_MAX_US 250000    /* of the processor, of one match */
#define DEPTH_KIB 1024        /* memory of one */
#define WORDS_MAX 256

/* clang-format off */
#define FUNCTIONS(f)                                                                                                   \
        f(pcre2_compile_8) f(pcre2_code_free_8) f(pcre2_match_8) f(pcre2_match_data_create_from_pattern_8)             \
        f(pcre2_match_data_free_8) f(pcre2_match_context_create_8) f(pcre2_match_context_free_8)                       \
        f(pcre2_set_match_limit_8) f(pcre2_set_heap_limit_8) f(pcre2_set_offset_limit_8) f(pcre2_get_error_message_8)
/* clang-format on */

static struct functions {
#define MEMBER(name) __typeof__(name) *name;
        FUNCTIONS(MEMBER)
#undef MEMBER
} functions;

static const struct loaded_symbol symbols[] = {
#define SYMBOL(name) { #name, offsetof(struct functions, name) },
        FUNCTIONS(SYMBOL)
#undef SYMBOL
};

static struct loaded_library library = {
        .file = "libpcre2-8.so.0",
        .package = "libpcre2-8-0",
        .symbols = symbols,
        .n = ELEMENTS(symbols),
        .functions = &functions,
        .lock = PTHREAD_MUTEX_INITIALIZER,
};

struct pattern {
        pcre2_code_8 *code;
        pcre2_match_data_8 *data;
        pcre2_match_context_8 *context;
};

static int compile(struct pattern *pattern, const char *text, bool ignore_case, struct err **err) {
        uint32_t flags =
                PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT | (ignore_case ? PCRE2_CASELESS : 0);
        unsigned char words[WORDS_MAX] = "";
        PCRE2_SIZE at;
        int error;

        if (strlen(text) > PATTERN_TEXT_MAX)
                return err_set(err, EINVAL, "longer than %d bytes", PATTERN_TEXT_MAX);
        pattern->code = functions.pcre2_compile_8((PCRE2_SPTR8)text, PCRE2_ZERO_TERMINATED, flags, &error, &at, NULL);
        if (pattern->code)
                return 0;
        functions.pcre2_get_error_message_8(error, words, sizeof(words));
        return err_set(err, EINVAL, "error parsing regexp: %s at offset %zu", (char *)words, (size_t)at);
}

int pattern_new(const char *text, bool ignore_case, struct pattern **ret_pattern, struct err **err) {
        struct pattern *p;
        int r = loaded_get(&library, err);

        if (r < 0)
                return -ENOENT;
        if (!(p = calloc(1, sizeof(*p))))
                return err_set(err, ENOMEM, "out of memory");
        if ((r = compile(p, text, ignore_case, err)) < 0) {
                pattern_free(p);
                return r;
        }
        p->data = functions.pcre2_match_data_create_from_pattern_8(p->code, NULL);
        p->context = functions.pcre2_match_context_create_8(NULL);
        if (!p->data || !p->context) {
                pattern_free(p);
                return err_set(err, ENOMEM, "out of memory");
        }
        functions.pcre2_set_match_limit_8(p->context, STEPS_MAX);
        functions.pcre2_set_heap_limit_8(p->context, DEPTH_KIB);
        *ret_pattern = p;
        return 0;
}

void pattern_free(struct pattern *p) {
        if (!p)
                return;
        functions.pcre2_match_data_free_8(p->data);
        functions.pcre2_match_context_free_8(p->context);
        functions.pcre2_code_free_8(p->code);
        free(p);
}

/* libpcre2 counts the steps from each place anew, and in a long text there are many places. */
bool pattern_matches(struct pattern *p, const char *text, size_t length) {
        int64_t began = length > PLACES_FIRST ? clock_us(CLOCK_THREAD_CPUTIME_ID) : 0, before = began, now;
        size_t at = 0, places = PLACES_FIRST;
        uint32_t flags = 0;

        for (;;) {
                int r;

                functions.pcre2_set_offset_limit_8(p->context, at + places - 1);
                r = functions.pcre2_match_8(p->code, (PCRE2_SPTR8)text, length, at, flags, p->data, p->context);
                if (r != PCRE2_ERROR_NOMATCH)
                        return r >= 0;
                at += places;
                while (at < length && ((unsigned char)text[at] & 0xc0) == 0x80)
                        at++;
                if (at > length || (now = clock_us(CLOCK_THREAD_CPUTIME_ID)) - began > TIME_MAX_US)
                        return false;
                places = now - before > FAST_US ? (places + 1) / 2 : places < PLACES_MAX ? places * 2 : places;
                before = now;
                flags = PCRE2_NO_UTF_CHECK; /* of all of it, by the first */
        }
}
