#include "kube/check/check.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add(struct check *c, const char *child, const char *kind, const char *value, const char *detail) {
        size_t before = TRAIL_ENTER(c, "%s", child);

        problem_error(c->problems, c->path, "%s%s%.256s%s%s", kind, *value ? ": " : "", value, *detail ? ": " : "",
                      detail);
        TRAIL_LEAVE(c, before);
}

/* As Go's %q does in the cases that matter here. */
static const char *quote(const char *value, char text[256]) {
        snprintf(text, 256, "\"%.250s\"", value ?: "");
        return text;
}

void check_required(struct check *c, const char *child, const char *detail) {
        add(c, child, "Required value", "", detail);
}

void check_forbidden(struct check *c, const char *child, const char *detail) {
        add(c, child, "Forbidden", "", detail);
}

void check_invalid(struct check *c, const char *child, const char *value, const char *detail) {
        char text[256];

        add(c, child, "Invalid value", quote(value, text), detail);
}

void check_invalid_int(struct check *c, const char *child, int64_t value, const char *detail) {
        char text[32];

        snprintf(text, sizeof(text), "%" PRId64, value);
        add(c, child, "Invalid value", text, detail);
}

void check_duplicate(struct check *c, const char *child, const char *value) {
        char text[256];

        add(c, child, "Duplicate value", quote(value, text), "");
}

void check_not_found(struct check *c, const char *child, const char *value) {
        char text[256];

        add(c, child, "Not found", quote(value, text), "");
}

void check_unsupported(struct check *c, const char *child, const char *value, const char *const *supported) {
        char text[256], detail[512] = "supported values: ";
        size_t at = strlen(detail);

        for (size_t i = 0; supported[i] && at < sizeof(detail); i++)
                at += (size_t)snprintf(detail + at, sizeof(detail) - at, "%s\"%s\"", i > 0 ? ", " : "", supported[i]);
        add(c, child, "Unsupported value", quote(value, text), detail);
}

void check_choice(struct check *c, const char *child, const char *value, const char *const *supported) {
        for (size_t i = 0; value && supported[i]; i++)
                if (strcmp(value, supported[i]) == 0)
                        return;
        if (value)
                check_unsupported(c, child, value, supported);
}

void check_no_effect(struct check *c, const char *child, const void *given) {
        size_t before;

        if (!given)
                return;
        before = TRAIL_ENTER(c, "%s", child);
        problem_warning(c->problems, c->path, "not supported, has no effect");
        TRAIL_LEAVE(c, before);
}

void check_name_if(struct check *c, const char *child, enum name_rule rule, const char *name) {
        const char *problem = name ? name_problem(rule, name) : NULL;

        if (problem)
                check_invalid(c, child, name, problem);
}

void check_name(struct check *c, const char *child, enum name_rule rule, const char *name) {
        if (!name)
                check_required(c, child, "");
        check_name_if(c, child, rule, name);
}

void check_labels(struct check *c, const char *child, const string_map *labels) {
        list_for_each (label, labels) {
                check_name_if(c, child, NAME_QUALIFIED, label->key);
                check_name_if(c, child, NAME_LABEL_VALUE, label->value);
        }
}

void check_not_negative(struct check *c, const char *child, int64_t value) {
        if (value < 0)
                check_invalid_int(c, child, value, "must be greater than or equal to 0");
}

void check_id(struct check *c, const char *child, const struct opt_int *id) {
        if (id->set && (id->value < 0 || id->value > INT32_MAX))
                check_invalid_int(c, child, id->value, "must be between 0 and 2147483647, inclusive");
}

void check_ip(struct check *c, const char *child, const char *address) {
        unsigned char bytes[16];

        if (!address || (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1))
                check_invalid(c, child, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void check_no_backsteps(struct check *c, const char *child, const char *path) {
        for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
                if (strcspn(p, "/") == 2 && p[0] == '.' && p[1] == '.') {
                        check_invalid(c, child, path, "must not contain '..'");
                        return;
                }
}

void check_relative(struct check *c, const char *child, const char *path) {
        if (*path == '/')
                check_invalid(c, child, path, "must be a relative path");
        check_no_backsteps(c, child, path);
}
