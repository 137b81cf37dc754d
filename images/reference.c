#include "images/reference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

#define DEFAULT_HOST "docker.io"
#define DEFAULT_PATH "library/"

static bool is_lower(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c) {
        return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool image_digest_valid(const char *text) {
        if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != IMAGE_DIGEST_LENGTH)
                return false;
        return strspn(text + 7, "0123456789abcdef") == 64;
}

/* One component of a path: runs of lower-case letters and digits, joined by ".", "_", "__" or dashes. */
static bool component_valid(const char *p, size_t n) {
        size_t i = 0;

        while (i < n) {
                size_t run = i;

                while (i < n && is_lower(p[i]))
                        i++;
                if (i == run)
                        return false;
                if (i == n)
                        return true;
                if (p[i] == '.') {
                        i++;
                } else if (p[i] == '_') {
                        i += i + 1 < n && p[i + 1] == '_' ? 2 : 1;
                } else {
                        while (i < n && p[i] == '-')
                                i++;
                }
        }
        return false;
}

static bool path_valid(const char *path) {
        for (;;) {
                size_t n = strcspn(path, "/");

                if (!component_valid(path, n))
                        return false;
                if (path[n] == '\0')
                        return true;
                path += n + 1;
        }
}

static bool label_valid(const char *p, size_t n) {
        if (n == 0 || !is_alnum(p[0]) || !is_alnum(p[n - 1]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!is_alnum(p[i]) && p[i] != '-')
                        return false;
        return true;
}

/* A DNS name, an IPv4 address or an IPv6 address in brackets; then maybe a port. */
static bool host_valid(const char *host, size_t n) {
        size_t end = n;

        for (size_t i = n; i > 0 && host[i - 1] != ']'; i--)
                if (host[i - 1] == ':') {
                        if (i == n || strspn(host + i, "0123456789") < n - i)
                                return false;
                        end = i - 1;
                        break;
                }
        if (end > 2 && host[0] == '[')
                return host[end - 1] == ']' && strspn(host + 1, "0123456789abcdefABCDEF:") == end - 2;
        for (size_t i = 0, label = 0; i <= end; i++)
                if (i == end || host[i] == '.') {
                        if (!label_valid(host + label, i - label))
                                return false;
                        label = i + 1;
                }
        return true;
}

/* The length of the host in front of @name, 0 when the name begins with its path. */
static size_t host_length(const char *name, size_t n) {
        size_t first = strcspn(name, "/");

        if (first >= n)
                return 0;
        for (size_t i = 0; i < first; i++)
                if (name[i] == '.' || name[i] == ':' || (name[i] >= 'A' && name[i] <= 'Z'))
                        return first;
        return first == 9 && strncmp(name, "localhost", 9) == 0 ? first : 0;
}

static int parse_name(const char *text, size_t n, struct image_reference *ref, struct err **err) {
        size_t host = host_length(text, n);
        int length;

        if (n > IMAGE_NAME_MAX)
                return err_set(err, EINVAL, "name is longer than %d characters", IMAGE_NAME_MAX);
        if (host == 0) {
                bool one = memchr(text, '/', n) == NULL;

                length = snprintf(ref->name, sizeof(ref->name), DEFAULT_HOST "/%s%.*s", one ? DEFAULT_PATH : "", (int)n,
                                  text);
        } else if (host == 15 && strncmp(text, "index.docker.io", host) == 0) {
                length = snprintf(ref->name, sizeof(ref->name), DEFAULT_HOST "%.*s", (int)(n - host), text + host);
        } else {
                length = snprintf(ref->name, sizeof(ref->name), "%.*s", (int)n, text);
        }
        if (length < 0 || (size_t)length >= sizeof(ref->name))
                return err_set(err, EINVAL, "name is longer than %d characters", IMAGE_NAME_MAX);

        ref->host_length = (unsigned short)strcspn(ref->name, "/");
        if (strcmp(ref->name + ref->host_length, "/") == 0)
                return err_set(err, EINVAL, "there is no name behind the host");
        if (ref->host_length == 9 && strchr(ref->name + 10, '/') == NULL &&
            strncmp(ref->name, DEFAULT_HOST, 9) == 0) { /* "docker.io/nginx" */
                size_t path = strlen(ref->name) - 10, add = strlen(DEFAULT_PATH);

                if ((size_t)length + add >= sizeof(ref->name))
                        return err_set(err, EINVAL, "name is longer than %d characters", IMAGE_NAME_MAX);
                memmove(ref->name + 10 + add, ref->name + 10, path + 1);
                memcpy(ref->name + 10, DEFAULT_PATH, add);
        }
        if (!host_valid(ref->name, ref->host_length))
                return err_set(err, EINVAL, "\"%.*s\" is no host name", ref->host_length, ref->name);
        if (!path_valid(image_reference_path(ref)))
                return err_set(err, EINVAL,
                               "name \"%s\" may only hold lower-case letters and digits, joined by . _ - and /",
                               image_reference_path(ref));
        return 0;
}

static int parse_tag(const char *tag, size_t n, struct image_reference *ref, struct err **err) {
        if (n == 0 || n > IMAGE_TAG_MAX)
                return err_set(err, EINVAL, "the tag must have 1 to %d characters", IMAGE_TAG_MAX);
        for (size_t i = 0; i < n; i++)
                if (!is_alnum(tag[i]) && tag[i] != '_' && (i == 0 || (tag[i] != '.' && tag[i] != '-')))
                        return err_set(err, EINVAL, "tag \"%.*s\" may only hold letters, digits, _ . and -", (int)n,
                                       tag);
        memcpy(ref->tag, tag, n);
        ref->tag[n] = '\0';
        return 0;
}

static int parse(const char *text, struct image_reference *ref, struct err **err) {
        const char *at = strchr(text, '@'), *colon = NULL;
        size_t n = at ? (size_t)(at - text) : strlen(text);
        int r;

        if (at) {
                if (!image_digest_valid(at + 1))
                        return err_set(err, EINVAL, "digest \"%.*s\" is not sha256: and 64 lower-case hex digits", 100,
                                       at + 1);
                memcpy(ref->digest, at + 1, IMAGE_DIGEST_LENGTH + 1);
        }
        for (size_t i = n; i > 0 && text[i - 1] != '/'; i--)
                if (text[i - 1] == ':') {
                        colon = text + i - 1;
                        break;
                }
        if (colon) {
                r = parse_tag(colon + 1, n - (size_t)(colon + 1 - text), ref, err);
                if (r < 0)
                        return r;
                n = (size_t)(colon - text);
        } else if (!at) {
                strcpy(ref->tag, "latest");
        }
        if (n == 0)
                return err_set(err, EINVAL, "there is no name");
        if (!colon && !at && n == 64 && strspn(text, "0123456789abcdef") == 64)
                return err_set(err, EINVAL, "a name may not be 64 hex digits, which is an image's id");
        return parse_name(text, n, ref, err);
}

int image_reference_parse(const char *text, struct image_reference *ret_reference, struct err **err) {
        struct image_reference ref = { .host_length = 0 };
        struct err *cause = NULL;
        int r = parse(text, &ref, &cause);

        if (r < 0) {
                err_wrap(&cause, r, "image reference \"%.*s\"", IMAGE_REFERENCE_MAX, text);
                return err_move(err, cause);
        }
        *ret_reference = ref;
        return 0;
}

const char *image_reference_format(const struct image_reference *ref, char ret_text[IMAGE_REFERENCE_MAX + 1]) {
        snprintf(ret_text, IMAGE_REFERENCE_MAX + 1, "%s%s%s%s%s", ref->name, *ref->tag ? ":" : "", ref->tag,
                 *ref->digest ? "@" : "", ref->digest);
        return ret_text;
}

const char *image_reference_path(const struct image_reference *ref) {
        return ref->name + ref->host_length + 1;
}

const char *image_reference_host(const struct image_reference *ref, char ret_host[IMAGE_NAME_MAX + 1]) {
        snprintf(ret_host, IMAGE_NAME_MAX + 1, "%.*s", ref->host_length, ref->name);
        return ret_host;
}
