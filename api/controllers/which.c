/* --controllers: "*" is all, "NAME" that one, "-NAME" not that one; the last word about one counts. */
#include <errno.h>
#include <string.h>

#include "api/controllers/internal.h"
#include "lib/err.h"

/* The word at @text, and *ret_next behind its comma. */
static size_t word_of(const char *text, const char **ret_next) {
        size_t n = strcspn(text, ",");

        *ret_next = text + n + (text[n] == ',');
        return n;
}

static bool is_word(const char *name, const char *word, size_t n) {
        return strlen(name) == n && strncmp(name, word, n) == 0;
}

static bool is_named(const struct controller_kind *kind, const char *word, size_t n) {
        return is_word(kind->name, word, n) || is_word(kind->alias, word, n);
}

bool controllers_want(const char *which, const struct controller_kind *kind) {
        bool wanted = false;
        const char *next;

        for (const char *at = which ?: "*"; *at; at = next) {
                size_t n = word_of(at, &next);

                if (is_word("*", at, n) || is_named(kind, at, n))
                        wanted = true;
                else if (*at == '-' && is_named(kind, at + 1, n - 1))
                        wanted = false;
        }
        return wanted;
}

static bool is_known(const char *word, size_t n) {
        if (is_word("*", word, n) || n == 0)
                return true;
        if (*word == '-') {
                word++;
                n--;
        }
        for (unsigned i = 0; i < controller_kinds_count; i++)
                if (is_named(controller_kinds[i], word, n))
                        return true;
        return false;
}

int controllers_check(const char *which, struct err **err) {
        const char *next;

        for (const char *at = which ?: ""; *at; at = next) {
                size_t n = word_of(at, &next);

                if (!is_known(at, n))
                        return err_set(err, EINVAL, "--controllers: \"%.*s\" is no controller", (int)n, at);
        }
        return 0;
}
