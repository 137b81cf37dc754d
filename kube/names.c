#include "kube/names.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define LABEL_REGEX "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define UNDERSCORE_REGEX "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define LABEL_TEXT                                                                                                     \
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "        \
        "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "         \
        "'" LABEL_REGEX "')"
#define SUBDOMAIN_TEXT                                                                                                 \
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "     \
        "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '" LABEL_REGEX \
        "(\\." LABEL_REGEX ")*')"
#define KEY_TEXT                                                                                                       \
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "       \
        "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "                        \
        "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

static bool is_alnum(char c) {
        return isalnum((unsigned char)c);
}

static bool is_lower_alnum(char c) {
        return is_alnum(c) && !isupper((unsigned char)c);
}

/* One label of @length bytes: @extra beside lower case letters and digits, but not at its ends. */
static bool is_label(const char *p, size_t length, const char *extra) {
        if (length == 0 || !is_lower_alnum(p[0]) || !is_lower_alnum(p[length - 1]))
                return false;
        for (size_t i = 1; i + 1 < length; i++)
                if (!is_lower_alnum(p[i]) && !strchr(extra, p[i]))
                        return false;
        return true;
}

static bool is_subdomain(const char *p, const char *end, bool underscore) {
        for (;;) {
                const char *dot = memchr(p, '.', (size_t)(end - p)) ?: end;
                const char *begin = underscore && *p == '_' ? p + 1 : p;

                if (!is_label(begin, (size_t)(dot - begin), underscore ? "-_" : "-"))
                        return false;
                if (dot == end)
                        return true;
                p = dot + 1;
        }
}

/* What is wrong with one name. */
struct wrong {
        const char **texts;
        unsigned n;
};

static void say(struct wrong *w, const char *text) {
        if (w->n < NAME_PROBLEMS_MAX)
                w->texts[w->n++] = text;
}

static void say_if(struct wrong *w, bool wrong, const char *text) {
        if (wrong)
                say(w, text);
}

static bool is_subdomain_text(const char *name) {
        return is_subdomain(name, name + strlen(name), false);
}

static void check_label(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 63, "must be no more than 63 characters");
        if (!is_label(name, strlen(name), "-"))
                say(w, is_subdomain_text(name) ? "must not contain dots" : LABEL_TEXT);
}

static void check_label_1035(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 63, "must be no more than 63 characters");
        say_if(w, !is_label(name, strlen(name), "-") || (*name >= '0' && *name <= '9'),
               "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
               "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
               "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
}

static void check_subdomain(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 253, "must be no more than 253 characters");
        say_if(w, !is_subdomain_text(name), SUBDOMAIN_TEXT);
}

static void check_long(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 253, "must be no more than 253 bytes");
        say_if(w, !is_subdomain_text(name), SUBDOMAIN_TEXT);
}

static void check_underscore(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 253, "must be no more than 253 characters");
        say_if(w, !is_subdomain(name, name + strlen(name), true),
               "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
               "and "
               "must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
               "'" UNDERSCORE_REGEX "(\\." UNDERSCORE_REGEX ")*')");
}

/* A subdomain with no regard to case: each label's ends are letters or digits. */
static void check_caseless(struct wrong *w, const char *name) {
        bool good = true;

        for (const char *p = name; good; p = strchr(p, '.') + 1) {
                size_t n = strcspn(p, ".");

                good = n > 0 && is_alnum(p[0]) && is_alnum(p[n - 1]) && strspn(p, LOWER UPPER DIGITS "-") >= n;
                if (p[n] == '\0')
                        break;
        }
        say_if(w, strlen(name) > 253, "must be no more than 253 bytes");
        say_if(w, !good,
               "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with "
               "an alphanumeric character (e.g. 'Example.com', regex used for validation is '" LABEL_REGEX
               "(\\." LABEL_REGEX ")*')");
}

static void check_wildcard(struct wrong *w, const char *name) {
        say_if(w, strlen(name) > 253, "must be no more than 253 characters");
        say_if(w, strncmp(name, "*.", 2) != 0 || !is_subdomain_text(name + 2),
               "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
               "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
               "'*.example.com', regex used for validation is '\\*\\." LABEL_REGEX "(\\." LABEL_REGEX ")*')");
}

static void check_port(struct wrong *w, const char *name) {
        size_t length = strlen(name);

        say_if(w, length > 15, "must be no more than 15 characters");
        say_if(w, length == 0 || strspn(name, LOWER DIGITS "-") != length,
               "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
        say_if(w, !strpbrk(name, LOWER), "must contain at least one letter (a-z)");
        say_if(w, strstr(name, "--"), "must not contain consecutive hyphens");
        say_if(w, length > 0 && (name[0] == '-' || name[length - 1] == '-'), "must not begin or end with a hyphen");
}

static void check_env(struct wrong *w, const char *name) {
        say_if(w, !*name, "environment variable name must be non-empty");
        for (const char *p = name; *p; p++)
                if (*p < ' ' || *p > '~' || *p == '=') {
                        say(w, "a valid environment variable name must consist only of printable ASCII characters "
                               "other than '='");
                        return;
                }
}

static void check_header(struct wrong *w, const char *name) {
        say_if(w, !*name || strspn(name, LOWER UPPER DIGITS "-") != strlen(name),
               "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used "
               "for validation is '[-A-Za-z0-9]+')");
}

static bool is_key(const char *name) {
        size_t length = strlen(name);

        return length > 0 && is_alnum(name[0]) && is_alnum(name[length - 1]) &&
               strspn(name, LOWER UPPER DIGITS "-_.") == length;
}

static void check_qualified(struct wrong *w, const char *key) {
        const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

        if (strchr(name, '/')) {
                say(w, "a valid label key " KEY_TEXT " with an optional DNS subdomain prefix and '/' (e.g. "
                       "'example.com/MyName')");
                return;
        }
        if (slash == key)
                say(w, "prefix part must be non-empty");
        else if (slash) {
                say_if(w, slash - key > 253, "prefix part must be no more than 253 bytes");
                say_if(w, !is_subdomain(key, slash, false), "prefix part " SUBDOMAIN_TEXT);
        }
        say_if(w, !*name, "name part must be non-empty");
        say_if(w, strlen(name) > 63, "name part must be no more than 63 bytes");
        say_if(w, !is_key(name), "name part " KEY_TEXT);
}

static void check_label_value(struct wrong *w, const char *value) {
        say_if(w, strlen(value) > 63, "must be no more than 63 bytes");
        say_if(w, *value && !is_key(value),
               "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
               "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
}

static void check_map_key(struct wrong *w, const char *key) {
        say_if(w, strlen(key) > 253, "must be no more than 253 characters");
        say_if(w, !*key || strspn(key, LOWER UPPER DIGITS "-._") != strlen(key),
               "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
               "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')");
        if (strncmp(key, "..", 2) == 0)
                say(w, key[2] ? "must not start with '..'" : "must not be '..'");
        say_if(w, strcmp(key, ".") == 0, "must not be '.'");
}

static void check_segment(struct wrong *w, const char *name) {
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
                say(w, name[1] ? "may not be '..'" : "may not be '.'");
                return;
        }
        say_if(w, strchr(name, '/'), "may not contain '/'");
        say_if(w, strchr(name, '%'), "may not contain '%'");
}

static void check_identifier(struct wrong *w, const char *name) {
        say_if(w, !*name || strspn(name, LOWER UPPER DIGITS "_") != strlen(name) || (*name >= '0' && *name <= '9'),
               "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
               "characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is "
               "'[A-Za-z_][A-Za-z0-9_]*')");
}

static void check_nothing(struct wrong *w, const char *name) {
}

unsigned name_problems(enum name_rule rule, const char *name, const char *ret[NAME_PROBLEMS_MAX]) {
        static void (*const rules[])(struct wrong *, const char *) = {
                [NAME_LABEL] = check_label,
                [NAME_LABEL_1035] = check_label_1035,
                [NAME_SUBDOMAIN] = check_subdomain,
                [NAME_SUBDOMAIN_LONG] = check_long,
                [NAME_SUBDOMAIN_UNDERSCORE] = check_underscore,
                [NAME_SUBDOMAIN_CASELESS] = check_caseless,
                [NAME_WILDCARD] = check_wildcard,
                [NAME_PORT] = check_port,
                [NAME_ENV] = check_env,
                [NAME_HEADER] = check_header,
                [NAME_QUALIFIED] = check_qualified,
                [NAME_LABEL_VALUE] = check_label_value,
                [NAME_KEY] = check_map_key,
                [NAME_SEGMENT] = check_segment,
                [NAME_C_IDENTIFIER] = check_identifier,
                [NAME_ANY] = check_nothing,
        };
        struct wrong w = { .texts = ret };

        rules[rule](&w, name);
        return w.n;
}

const char *name_problem(enum name_rule rule, const char *name) {
        const char *texts[NAME_PROBLEMS_MAX];

        return name_problems(rule, name, texts) > 0 ? texts[0] : NULL;
}

const char *sysctl_name(const char *name, char ret[SYSCTL_NAME_MAX + 1]) {
        const char *first = strpbrk(name, "./");

        snprintf(ret, SYSCTL_NAME_MAX + 1, "%s", name);
        for (char *p = ret; first && *first == '/' && *p; p++)
                *p = (char)(*p == '/' ? '.' : *p == '.' ? '/' : *p);
        return ret;
}
