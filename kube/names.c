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

static const char *label_problem(const char *name) {
        if (strlen(name) > 63)
                return "must be no more than 63 bytes";
        if (strchr(name, '.'))
                return "must not contain dots";
        return is_label(name, strlen(name), "-") ? NULL : LABEL_TEXT;
}

static const char *subdomain_problem(const char *name) {
        if (strlen(name) > 253)
                return "must be no more than 253 bytes";
        return is_subdomain(name, name + strlen(name), false) ? NULL : SUBDOMAIN_TEXT;
}

static const char *underscore_problem(const char *name) {
        if (strlen(name) > 253)
                return "must be no more than 253 characters";
        return is_subdomain(name, name + strlen(name), true) ?
                       NULL :
                       "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' "
                       "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
                       "used for validation is '" UNDERSCORE_REGEX "(\\." UNDERSCORE_REGEX ")*')";
}

static const char *port_problem(const char *name) {
        size_t length = strlen(name);

        if (length > 15)
                return "must be no more than 15 characters";
        if (length == 0 || strspn(name, LOWER DIGITS "-") != length)
                return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
        if (!strpbrk(name, LOWER))
                return "must contain at least one letter (a-z)";
        if (strstr(name, "--"))
                return "must not contain consecutive hyphens";
        if (name[0] == '-' || name[length - 1] == '-')
                return "must not begin or end with a hyphen";
        return NULL;
}

static const char *env_problem(const char *name) {
        for (const char *p = name; *p; p++)
                if (*p < ' ' || *p > '~' || *p == '=')
                        return "a valid environment variable name must consist only of printable ASCII characters "
                               "other than '='";
        return NULL;
}

static const char *header_problem(const char *name) {
        if (*name && strspn(name, LOWER UPPER DIGITS "-") == strlen(name))
                return NULL;
        return "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used "
               "for validation is '[-A-Za-z0-9]+')";
}

static bool is_key(const char *name) {
        size_t length = strlen(name);

        return length > 0 && is_alnum(name[0]) && is_alnum(name[length - 1]) &&
               strspn(name, LOWER UPPER DIGITS "-_.") == length;
}

static const char *qualified_problem(const char *key) {
        const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

        if (strchr(name, '/'))
                return "a valid label key " KEY_TEXT " with an optional DNS subdomain prefix and '/' (e.g. "
                       "'example.com/MyName')";
        if (slash == key)
                return "prefix part must be non-empty";
        if (slash && slash - key > 253)
                return "prefix part must be no more than 253 bytes";
        if (slash && !is_subdomain(key, slash, false))
                return "prefix part " SUBDOMAIN_TEXT;
        if (!*name)
                return "name part must be non-empty";
        if (strlen(name) > 63)
                return "name part must be no more than 63 bytes";
        return is_key(name) ? NULL : "name part " KEY_TEXT;
}

static const char *label_value_problem(const char *value) {
        if (strlen(value) > 63)
                return "must be no more than 63 bytes";
        if (!*value || is_key(value))
                return NULL;
        return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
               "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

const char *name_problem(enum name_rule rule, const char *name) {
        static const char *(*const rules[])(const char *) = {
                [NAME_LABEL] = label_problem,
                [NAME_SUBDOMAIN] = subdomain_problem,
                [NAME_SUBDOMAIN_UNDERSCORE] = underscore_problem,
                [NAME_PORT] = port_problem,
                [NAME_ENV] = env_problem,
                [NAME_HEADER] = header_problem,
                [NAME_QUALIFIED] = qualified_problem,
                [NAME_LABEL_VALUE] = label_value_problem,
        };

        return rules[rule](name);
}

const char *sysctl_name(const char *name, char ret[SYSCTL_NAME_MAX + 1]) {
        const char *first = strpbrk(name, "./");

        snprintf(ret, SYSCTL_NAME_MAX + 1, "%s", name);
        for (char *p = ret; first && *first == '/' && *p; p++)
                *p = (char)(*p == '/' ? '.' : *p == '.' ? '/' : *p);
        return ret;
}
