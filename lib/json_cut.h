/* JSON that comes in pieces of any size, cut into its values: bytes are pushed in, each value that is complete is
 * handed out as text. What is kept is one value at most, so that lists of any length, and streams without an end, can
 * be read.
 *
 *     JSON_CUT_SEQUENCE  values one after the other, with or without white space between (watch events)
 *     JSON_CUT_LIST      one map; each item of one of its lists, and each other member, in whatever order they come
 *
 * A text that is handed out has its brackets closed and its strings ended; whether it is JSON says json_parse().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

struct err;

#define JSON_CUT_KEY_MAX 256 /* bytes of a member's name in the map, as written */

enum json_cut_mode { JSON_CUT_SEQUENCE, JSON_CUT_LIST };

/* @key is NULL for a value of the sequence and an item of the list. Nothing is NUL-terminated but @key; all is gone
 * after the call. A negative errno ends the reading with it. */
typedef int (*json_cut_value)(void *data, const char *key, const char *text, size_t length, struct err **err);

struct json_cut {
        enum json_cut_mode mode;
        const char *list; /* JSON_CUT_LIST: the name of the list; null is an empty one */
        size_t value_max; /* bytes of a value; 0: VALUE_BYTES_MAX */
        json_cut_value value;
        void *data;

        /* The rest is the cutter's; zeroed at first. */
        uint8_t state, escape; /* escape: within a string, 1, and 2 behind a backslash */
        bool bare;             /* the value is a number or a word: it ends where something else begins */
        bool list_seen;
        uint8_t depth;
        char closers[VALUE_DEPTH_MAX];
        char key[JSON_CUT_KEY_MAX];
        size_t key_length;
        char *text; /* of the value that is not complete yet */
        size_t length, size;
        int error;
};

/* Takes the next @n bytes. 0, or what was wrong, for good: -EINVAL, -E2BIG (a value or a key is too long, or too deep),
 * -ENOMEM, or what value() gave. */
int json_cut_feed(struct json_cut *cut, const char *bytes, size_t n, struct err **err);

/* No more comes. -EINVAL when that is too early; a sequence may be empty. */
int json_cut_end(struct json_cut *cut, struct err **err);

void json_cut_done(struct json_cut *cut);
#define _cleanup_json_cut_ __attribute__((cleanup(json_cut_done)))
