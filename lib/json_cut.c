#include "lib/json_cut.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/json.h"

enum state {
        BEFORE_VALUE, /* of a sequence */
        BEFORE_MAP,
        BEFORE_FIRST_KEY, /* or the map's end */
        BEFORE_KEY,
        IN_KEY,
        BEFORE_COLON,
        BEFORE_MEMBER,     /* its value */
        BEFORE_FIRST_ITEM, /* or the list's end */
        BEFORE_ITEM,
        IN_VALUE,
        IN_MEMBER,
        IN_ITEM,
        AFTER_MEMBER,
        AFTER_ITEM,
        AFTER_MAP,
};

static int malformed(struct json_cut *cut, struct err **err, char found, const char *expected) {
        if (found >= 0x20 && found < 0x7f)
                return cut->error = err_set(err, EINVAL, "not JSON: expected %s, found '%c'", expected, found);
        return cut->error =
                       err_set(err, EINVAL, "not JSON: expected %s, found byte 0x%02x", expected, (unsigned char)found);
}

static bool is_space(char c) {
        return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_bare(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
               c == '.';
}

/* ---- the end of a value ---- */

static int open_bracket(struct json_cut *cut, char closer, struct err **err) {
        if (cut->depth == VALUE_DEPTH_MAX)
                return cut->error = err_set(err, E2BIG, "nested deeper than %d levels", VALUE_DEPTH_MAX);
        cut->closers[cut->depth++] = closer;
        return 0;
}

/* Goes on from @p to behind the value's end; NULL: it does not end before @end, or there was an error. */
static const char *find_end(struct json_cut *cut, const char *p, const char *end, struct err **err) {
        for (; p < end; p++) {
                if (cut->bare) {
                        if (!is_bare(*p))
                                return p;
                } else if (cut->escape == 2) {
                        cut->escape = 1;
                } else if (cut->escape == 1) {
                        cut->escape = *p == '"' ? 0 : *p == '\\' ? 2 : 1;
                        if (cut->escape == 0 && cut->depth == 0)
                                return p + 1;
                } else if (*p == '"') {
                        cut->escape = 1;
                } else if (*p == '{' || *p == '[') {
                        if (open_bracket(cut, *p == '{' ? '}' : ']', err) < 0)
                                return NULL;
                } else if (*p == '}' || *p == ']') {
                        if (cut->depth == 0 || cut->closers[cut->depth - 1] != *p) {
                                malformed(cut, err, *p, "another bracket");
                                return NULL;
                        }
                        if (--cut->depth == 0)
                                return p + 1;
                }
        }
        return NULL;
}

static int too_long(struct json_cut *cut, struct err **err) {
        return cut->error = err_set(err, E2BIG, "a value of more than %zu bytes", cut->value_max ?: VALUE_BYTES_MAX);
}

/* @n bytes more of a value, which it may have. */
static int keep(struct json_cut *cut, const char *from, size_t n, struct err **err) {
        if (GROW(cut->text, cut->size, cut->length + n, GROW_NO_MAX) < 0)
                return cut->error = err_set(err, ENOMEM, "out of memory");
        memcpy(cut->text + cut->length, from, n);
        cut->length += n;
        return 0;
}

static int hand_out(struct json_cut *cut, const char *text, size_t length, struct err **err) {
        bool member = cut->state == IN_MEMBER;
        int r;

        cut->length = 0;
        cut->bare = false;
        cut->state = member ? AFTER_MEMBER : cut->state == IN_ITEM ? AFTER_ITEM : BEFORE_VALUE;
        if (member && cut->list_seen && strcmp(cut->key, cut->list) == 0)
                return 0; /* null */
        r = cut->value(cut->data, member ? cut->key : NULL, text, length, err);
        if (r < 0)
                cut->error = r;
        return r;
}

/* The end of the value within [@p, @end), and within the bytes that it may have: so that what is wrong with it is the
 * same in whatever pieces it comes. NULL: not there, or an error. */
static const char *find_end_within(struct json_cut *cut, const char *p, const char *end, struct err **err) {
        size_t left = (cut->value_max ?: VALUE_BYTES_MAX) - cut->length;
        const char *last = (size_t)(end - p) > left ? p + left : end, *behind = find_end(cut, p, last, err);

        if (behind || cut->error < 0 || last == end)
                return behind;
        if (cut->bare && !is_bare(*last))
                return last;
        too_long(cut, err);
        return NULL;
}

/* The value's bytes from @p on; a value that lies within one piece is not copied. NULL: an error. */
static const char *take_value(struct json_cut *cut, const char *p, const char *end, struct err **err) {
        const char *behind = find_end_within(cut, p, end, err);
        int r;

        if (!behind)
                return cut->error < 0 || keep(cut, p, (size_t)(end - p), err) < 0 ? NULL : end;
        if (cut->length == 0) {
                r = hand_out(cut, p, (size_t)(behind - p), err);
        } else {
                r = keep(cut, p, (size_t)(behind - p), err);
                if (r >= 0)
                        r = hand_out(cut, cut->text, cut->length, err);
        }
        return r < 0 ? NULL : behind;
}

static int begin_value(struct json_cut *cut, char c, enum state state, struct err **err) {
        cut->bare = is_bare(c);
        if (!cut->bare && c != '"' && c != '{' && c != '[')
                return malformed(cut, err, c, "a value");
        cut->depth = 0;
        cut->escape = 0;
        cut->state = (uint8_t)state;
        return 0;
}

/* ---- the map around the list ---- */

/* A key may be written with escapes. */
static int unescape_key(struct json_cut *cut, struct err **err) {
        char quoted[JSON_CUT_KEY_MAX + 2];
        int n = snprintf(quoted, sizeof(quoted), "\"%s\"", cut->key);
        struct arena *arena = arena_new();
        const struct value *key;
        int r = arena ? json_parse(arena, quoted, (size_t)n, NULL, &key, err) : err_set(err, ENOMEM, "out of memory");

        if (r >= 0)
                snprintf(cut->key, sizeof(cut->key), "%s", value_string_or(key, ""));
        arena_free(arena);
        return r;
}

static const char *take_key(struct json_cut *cut, const char *p, const char *end, struct err **err) {
        for (; p < end; p++) {
                if (cut->escape == 1 && *p == '"')
                        break;
                if (*p == '\0' || cut->key_length == sizeof(cut->key) - 1) {
                        if (*p == '\0')
                                malformed(cut, err, *p, "a key");
                        else
                                cut->error = err_set(err, E2BIG, "a key of more than %zu bytes", sizeof(cut->key) - 1);
                        return NULL;
                }
                cut->key[cut->key_length++] = *p;
                cut->escape = cut->escape == 1 && *p == '\\' ? 2 : 1;
        }
        if (p == end)
                return p;
        cut->key[cut->key_length] = '\0';
        cut->state = BEFORE_COLON;
        cut->error = unescape_key(cut, err);
        return cut->error < 0 ? NULL : p + 1;
}

/* The list itself is entered; null in its place is an empty one. */
static int begin_member(struct json_cut *cut, char c, struct err **err) {
        if (strcmp(cut->key, cut->list) != 0)
                return begin_value(cut, c, IN_MEMBER, err);
        if (cut->list_seen)
                return cut->error = err_set(err, EINVAL, "not JSON: key \"%s\" already set in map", cut->list);
        cut->list_seen = true;
        if (c == 'n')
                return begin_value(cut, c, IN_MEMBER, err);
        if (c != '[')
                return cut->error = err_set(err, EINVAL, "%s: expected a list", cut->list);
        cut->state = BEFORE_FIRST_ITEM;
        return 0;
}

/* One byte between values. @ret_stays: it is the first of a value. */
static int step(struct json_cut *cut, char c, bool *ret_stays, struct err **err) {
        enum state state = (enum state)cut->state;

        switch (state) {
        case BEFORE_VALUE:
                *ret_stays = true;
                return begin_value(cut, c, IN_VALUE, err);
        case BEFORE_MAP:
                cut->state = BEFORE_FIRST_KEY;
                return c == '{' ? 0 : malformed(cut, err, c, "a map");
        case BEFORE_FIRST_KEY:
        case BEFORE_KEY:
                cut->key_length = 0;
                cut->escape = 1;
                cut->state = c == '"' ? IN_KEY : AFTER_MAP;
                return c == '"' || (c == '}' && state == BEFORE_FIRST_KEY) ? 0 : malformed(cut, err, c, "a key");
        case BEFORE_COLON:
                cut->state = BEFORE_MEMBER;
                return c == ':' ? 0 : malformed(cut, err, c, "':'");
        case BEFORE_MEMBER:
                *ret_stays = c != '[' || strcmp(cut->key, cut->list) != 0;
                return begin_member(cut, c, err);
        case BEFORE_FIRST_ITEM:
        case BEFORE_ITEM:
                *ret_stays = c != ']' || state == BEFORE_ITEM;
                cut->state = AFTER_MEMBER;
                return *ret_stays ? begin_value(cut, c, IN_ITEM, err) : 0;
        case AFTER_MEMBER:
                cut->state = c == ',' ? BEFORE_KEY : AFTER_MAP;
                return c == ',' || c == '}' ? 0 : malformed(cut, err, c, "',' or '}'");
        case AFTER_ITEM:
                cut->state = c == ',' ? BEFORE_ITEM : AFTER_MEMBER;
                return c == ',' || c == ']' ? 0 : malformed(cut, err, c, "',' or ']'");
        default:
                return malformed(cut, err, c, "nothing more");
        }
}

int json_cut_feed(struct json_cut *cut, const char *bytes, size_t n, struct err **err) {
        const char *p = bytes, *end = bytes + n;

        if (cut->mode == JSON_CUT_LIST && cut->state == BEFORE_VALUE)
                cut->state = BEFORE_MAP;
        if (cut->error < 0)
                return err_set(err, -cut->error, "the stream has failed before");
        while (p && p < end) {
                bool stays = false;

                if (cut->state >= IN_VALUE && cut->state <= IN_ITEM) {
                        p = take_value(cut, p, end, err);
                } else if (cut->state == IN_KEY) {
                        p = take_key(cut, p, end, err);
                } else if (is_space(*p)) {
                        p++;
                } else if (step(cut, *p, &stays, err) < 0) {
                        return cut->error;
                } else {
                        p += !stays;
                }
        }
        return cut->error;
}

int json_cut_end(struct json_cut *cut, struct err **err) {
        if (cut->error < 0)
                return err_set(err, -cut->error, "the stream has failed before");
        if (cut->state == IN_VALUE && cut->bare)
                return hand_out(cut, cut->text, cut->length, err);
        if (cut->state == (cut->mode == JSON_CUT_LIST ? AFTER_MAP : BEFORE_VALUE))
                return 0;
        return cut->error = err_set(err, EINVAL, "not JSON: it ends too early");
}

void json_cut_done(struct json_cut *cut) {
        free(cut->text);
        cut->text = NULL;
        cut->size = cut->length = 0;
}
