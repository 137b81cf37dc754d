#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/nearest.h"

const struct cli_option cli_no_options[] = { {} };

static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t n) {
        for (const struct cli_option *o = options; o->name; o++)
                if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
                        return o;
        return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *options, char letter) {
        for (const struct cli_option *o = options; o->name; o++)
                if (o->letter == letter)
                        return o;
        return NULL;
}

static int unknown(const struct cli_option *options, const char *text, struct err **err) {
        _cleanup_free_ char *name = strndup(text, strcspn(text, "="));
        struct nearest nearest;

        if (!name)
                return err_set(err, ENOMEM, "out of memory");
        nearest = nearest_to(name);
        for (const struct cli_option *o = options; o->name; o++)
                nearest_try(&nearest, o->name);
        if (nearest.name)
                return err_set(err, EINVAL, "unknown option --%s; did you mean --%s?", name, nearest.name);
        return err_set(err, EINVAL, "unknown option --%s; see --help", name);
}

static int set(const struct cli_option *option, const char *value, struct err **err) {
        struct cli_values *list;
        char *end;

        switch (option->kind) {
        case CLI_FLAG:
                if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
                        return err_set(err, EINVAL, "--%s: \"%s\" is neither true nor false", option->name, value);
                *(bool *)option->target = !value || strcmp(value, "true") == 0;
                return 0;
        case CLI_TEXT:
                *(const char **)option->target = value;
                return 0;
        case CLI_NUMBER:
                errno = 0;
                *(int64_t *)option->target = strtoll(value, &end, 10);
                if (errno || end == value || *end)
                        return err_set(err, EINVAL, "--%s: \"%s\" is no whole number", option->name, value);
                return 0;
        case CLI_LIST:
                list = option->target;
                if (list->n == CLI_VALUES_MAX)
                        return err_set(err, E2BIG, "--%s: given more than %d times", option->name, CLI_VALUES_MAX);
                list->values[list->n++] = value;
                return 0;
        }
        return 0;
}

/* "--name", "--name=value", "--name value". @next is the argument behind; *ret_used says whether it was taken. */
static int read_long(const struct cli_option *options, const char *text, const char *next, bool *ret_used,
                     struct err **err) {
        const char *equals = strchr(text, '='), *value = equals ? equals + 1 : NULL;
        const struct cli_option *option = find_long(options, text, equals ? (size_t)(equals - text) : strlen(text));

        if (!option)
                return unknown(options, text, err);
        if (!value && option->kind != CLI_FLAG) {
                if (!next)
                        return err_set(err, EINVAL, "--%s needs a value", text);
                value = next;
                *ret_used = true;
        }
        return set(option, value, err);
}

/* "-a", "-aq", "-n value", "-nvalue", "-n=value". */
static int read_letters(const struct cli_option *options, const char *text, const char *next, bool *ret_used,
                        struct err **err) {
        for (; *text; text++) {
                const struct cli_option *option = find_letter(options, *text);
                int r;

                if (!option)
                        return err_set(err, EINVAL, "unknown option -%c; see --help", *text);
                if (option->kind == CLI_FLAG) {
                        r = set(option, NULL, err);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (text[1])
                        return set(option, text + 1 + (text[1] == '='), err);
                if (!next)
                        return err_set(err, EINVAL, "-%c needs a value", *text);
                *ret_used = true;
                return set(option, next, err);
        }
        return 0;
}

static bool asks_for_help(const char *argument) {
        return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int cli_options_read(const struct cli_option *options, char **arguments, int n, bool rest, int *ret_n,
                     struct err **err) {
        bool only_positional = false;
        int kept = 0;

        for (int i = 0; i < n; i++) {
                const char *next = i + 1 < n ? arguments[i + 1] : NULL;
                bool used = false;
                int r;

                if (only_positional || arguments[i][0] != '-' || arguments[i][1] == '\0') {
                        arguments[kept++] = arguments[i];
                        only_positional |= rest;
                        continue;
                }
                if (strcmp(arguments[i], "--") == 0) {
                        only_positional = true;
                        continue;
                }
                if (asks_for_help(arguments[i]))
                        return 1;
                if (arguments[i][1] == '-')
                        r = read_long(options, arguments[i] + 2, next, &used, err);
                else
                        r = read_letters(options, arguments[i] + 1, next, &used, err);
                if (r < 0)
                        return r;
                i += used;
        }
        /* `exec ID -- command`, as kubectl has it */
        if (rest && kept > 1 && strcmp(arguments[1], "--") == 0) {
                memmove(arguments + 1, arguments + 2, (size_t)(kept - 2) * sizeof(*arguments));
                kept--;
        }
        *ret_n = kept;
        return 0;
}

void cli_options_help(const struct cli_option *options) {
        for (const struct cli_option *o = options; o->name; o++) {
                char left[64], letter[8] = "    ";

                if (o->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
                snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
                         o->value ? o->value : "");
                printf("  %-32s %s\n", left, o->help);
        }
        printf("  %-32s %s\n", "-h, --help", "show this help");
}
