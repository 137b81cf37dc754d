/* What keys and values of label selectors may be, in the words of k8s.io/apimachinery's validation. */
#include <ctype.h>
#include <string.h>

#include "kube/selector/text.h"

#define KEY_FORM "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
#define KEY_TEXT                                                                                                       \
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "       \
        "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '" KEY_FORM "')"
#define PREFIX_TEXT                                                                                                    \
        "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "  \
        "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "     \
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define VALUE_TEXT                                                                                                     \
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "      \
        "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "   \
        "validation is '(" KEY_FORM ")?')"

#define NAME_MAX_BYTES 63
#define PREFIX_MAX_BYTES 253

/* Sentences about one name, in the order in which they are found. */
struct findings {
        const char *texts[6];
        size_t n;
};

static void find(struct findings *f, const char *text) {
        f->texts[f->n++] = text;
}

static bool is_alphanumeric(char c) {
        return isascii(c) && isalnum(c);
}

static bool is_name(const char *p, size_t length) {
        if (length == 0 || !is_alphanumeric(p[0]) || !is_alphanumeric(p[length - 1]))
                return false;
        for (size_t i = 0; i < length; i++)
                if (!is_alphanumeric(p[i]) && (!p[i] || !strchr("-_.", p[i])))
                        return false;
        return true;
}

static bool is_dns_label(const char *p, size_t length) {
        if (length == 0 || p[0] == '-' || p[length - 1] == '-')
                return false;
        for (size_t i = 0; i < length; i++)
                if (!(p[i] >= 'a' && p[i] <= 'z') && !(p[i] >= '0' && p[i] <= '9') && p[i] != '-')
                        return false;
        return true;
}

static bool is_subdomain(const char *p, size_t length) {
        const char *end = p + length;

        for (;;) {
                const char *dot = memchr(p, '.', (size_t)(end - p));

                if (!is_dns_label(p, (size_t)((dot ? dot : end) - p)))
                        return false;
                if (!dot)
                        return true;
                p = dot + 1;
        }
}

static void check_prefix(struct findings *f, const char *prefix, size_t length) {
        if (length == 0) {
                find(f, "prefix part must be non-empty");
                return;
        }
        if (length > PREFIX_MAX_BYTES)
                find(f, "prefix part must be no more than 253 bytes");
        if (!is_subdomain(prefix, length))
                find(f, PREFIX_TEXT);
}

static void check_key(struct findings *f, const char *key) {
        const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
        size_t length = strlen(name);

        if (strchr(name, '/')) {
                find(f, "a valid label key " KEY_TEXT " with an optional DNS subdomain prefix and '/' (e.g. "
                        "'example.com/MyName')");
                return;
        }
        if (slash)
                check_prefix(f, key, (size_t)(slash - key));
        if (length == 0)
                find(f, "name part must be non-empty");
        else if (length > NAME_MAX_BYTES)
                find(f, "name part must be no more than 63 bytes");
        if (!is_name(name, length))
                find(f, "name part " KEY_TEXT);
}

static void check_value(struct findings *f, const char *value) {
        size_t length = strlen(value);

        if (length > NAME_MAX_BYTES)
                find(f, "must be no more than 63 bytes");
        if (length > 0 && !is_name(value, length))
                find(f, VALUE_TEXT);
}

/* A field's error; false when there is nothing to tell. */
static bool tell(struct selector_words *w, const char *path, const char *value, const struct findings *f) {
        if (f->n == 0)
                return false;
        selector_words_add(w, "%s: Invalid value: ", path);
        selector_words_quote(w, value, strlen(value));
        for (size_t i = 0; i < f->n; i++)
                selector_words_add(w, "%s%s", i ? "; " : ": ", f->texts[i]);
        return true;
}

bool selector_key_check(const char *key, struct selector_words *w) {
        struct findings f = { 0 };

        check_key(&f, key);
        return !tell(w, "<nil>", key, &f);
}

/* Errors of a requirement: alone, or several in brackets. Where the first one ends is not known to be the last. */
struct aggregate {
        struct selector_words words;
        size_t n;
};

static void aggregate(struct aggregate *a, const char *path, const char *value, const struct findings *f) {
        if (f->n == 0)
                return;
        if (a->n++ > 0)
                selector_words_add(&a->words, ", ");
        tell(&a->words, path, value, f);
}

static void check_number(struct aggregate *a, const struct selector_requirement *r) {
        struct findings f = { 0 };
        int64_t n;

        if (!selector_number(r->values[0], &n))
                find(&f, "for 'Gt', 'Lt' operators, the value must be an integer");
        aggregate(a, "values[0]", r->values[0], &f);
}

bool selector_requirement_check(const struct selector_requirement *r, struct selector_words *w) {
        struct aggregate a = { 0 };
        struct findings key = { 0 };

        check_key(&key, r->key);
        aggregate(&a, "key", r->key, &key);
        if (r->op == SELECTOR_GREATER || r->op == SELECTOR_LESS)
                check_number(&a, r);
        for (uint32_t i = 0; i < r->n; i++) {
                struct selector_words path = { 0 };
                struct findings value = { 0 };

                selector_words_add(&path, "values[%u][%s]", i, r->key);
                check_value(&value, r->values[i]);
                aggregate(&a, path.text, r->values[i], &value);
        }
        selector_words_add(w, a.n > 1 ? "[%s]" : "%s", a.words.text);
        return a.n == 0;
}
