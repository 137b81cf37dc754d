/* The words of refusals. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "lib/arena.h"
#include "lib/texts.h"

void pod_words_add(struct pod_check *c, struct pod_words *words, const char *text) {
        if (words->n == words->room) {
                uint32_t room = words->room * 2 + 4;
                const char **items = arena_alloc_array(c->arena, room, sizeof(*items));

                if (!items) {
                        c->error = -ENOMEM;
                        return;
                }
                if (words->n > 0)
                        memcpy(items, words->items, words->n * sizeof(*items));
                words->items = items;
                words->room = room;
        }
        words->items[words->n++] = text ?: "";
}

void pod_words_add_made(struct pod_check *c, struct pod_words *words, const char *text) {
        if (text)
                pod_words_add(c, words, text);
        else
                c->error = -ENOMEM;
}

void pod_words_settle(struct pod_words *words) {
        uint32_t n = 0;

        if (words->n == 0)
                return;
        qsort(words->items, words->n, sizeof(*words->items), texts_order);
        for (uint32_t i = 0; i < words->n; i++)
                if (n == 0 || strcmp(words->items[n - 1], words->items[i]) != 0)
                        words->items[n++] = words->items[i];
        words->n = n;
}

static const char *join(struct pod_check *c, const struct pod_words *words, const char *quote, const char *between) {
        size_t length = 1;
        char *text, *to;

        for (uint32_t i = 0; i < words->n; i++)
                length += strlen(words->items[i]) + 2 * strlen(quote) + strlen(between);
        text = to = arena_alloc(c->arena, length);
        if (!text) {
                c->error = -ENOMEM;
                return "";
        }
        for (uint32_t i = 0; i < words->n; i++) {
                to = stpcpy(to, i > 0 ? between : "");
                to = stpcpy(stpcpy(stpcpy(to, quote), words->items[i]), quote);
        }
        return text;
}

const char *pod_words_quote(struct pod_check *c, const struct pod_words *words) {
        return join(c, words, "\"", ", ");
}

const char *pod_words_join(struct pod_check *c, const struct pod_words *words, const char *between) {
        return join(c, words, "", between);
}

const char *pod_words_containers(struct pod_check *c, const struct pod_words *names) {
        const char *text =
                arena_printf(c->arena, "%s %s", names->n == 1 ? "container" : "containers", pod_words_quote(c, names));

        if (!text)
                c->error = -ENOMEM;
        return text ?: "";
}

void pod_check_refuse(struct pod_check *c, const char *reason, const char *format, ...) {
        va_list arguments;
        char *text = NULL;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        c->reason = reason;
        c->detail = n >= 0 ? arena_strndup(c->arena, text, (size_t)n) : NULL;
        if (!c->detail)
                c->error = -ENOMEM;
        if (n >= 0)
                free(text);
}

const char *pod_check_setters(struct pod_check *c, bool pod, const struct pod_words *containers) {
        struct pod_words setters = { 0 };

        if (pod)
                pod_words_add(c, &setters, "pod");
        if (containers->n > 0)
                pod_words_add(c, &setters, pod_words_containers(c, containers));
        return setters.n > 0 ? pod_words_join(c, &setters, " and ") : NULL;
}

bool pod_check_owns_users(const struct pod_check *c) {
        return c->spec->host_users == TRI_FALSE;
}

bool pod_check_is_windows(const struct pod_check *c) {
        return c->spec->os && kube_is(c->spec->os->name, "windows");
}

bool pod_check_one_of(const char *text, const char *const *list, uint32_t n) {
        for (uint32_t i = 0; i < n; i++)
                if (strcmp(list[i], text) == 0)
                        return true;
        return false;
}
