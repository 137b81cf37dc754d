/* An ordered index of objects: a B+tree of pointers, for looking up, ranges, neighbours, prefixes and ranks.
 *
 * An index has one order, of its objects; objects that compare equal cannot both be in it. It is asked with keys of any
 * type: a key comes with the function that compares it with an object. One that says "equal" to many objects asks for
 * all of them (a prefix of a name, a namespace of a namespace and name), as long as they stand side by side in the
 * order. INDEX_TEXT_ORDER() and INDEX_PAIR_ORDER() write these functions for keys of one text and of two.
 *
 * The objects are the caller's, live as long as they are in the index, and keep what they are ordered by. An object
 * costs about 9 bytes where objects come in order, 13 where they come in any. Steps are O(log n). Not for several
 * threads at once while it changes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Less than, equal to or greater than 0: what @key asks for stands before, is or stands behind @object. */
typedef int (*index_compare)(const void *key, const void *object);

struct index_node;
struct index_leaf;

struct index {
        index_compare order; /* of two objects */
        struct index_node *root;
        struct index_leaf *last;
        uint64_t changes;
};

#define INDEX_INIT(order_)                                                                                             \
        { .order = (order_) }

/* Frees the index; the objects are the caller's. It is empty afterwards. */
void index_clear(struct index *index);

size_t index_count(const struct index *index);

/* 0, -EEXIST when one that compares equal is there, -ENOMEM; then nothing is changed. */
int index_add(struct index *index, void *object);

/* Takes out the object that compares equal to @object and returns it; NULL: there is none. Needs no memory. */
void *index_remove(struct index *index, const void *object);

/* The first object that equals @key; NULL: none. */
void *index_find(const struct index *index, index_compare compare, const void *key);

/* How many objects stand before what equals @key. */
size_t index_rank(const struct index *index, index_compare compare, const void *key);

/* A place in the index: at an object, or behind the last. A change of the index makes it useless, which is asserted:
 * go on with index_seek_after() and the key of the last object seen. */
struct index_cursor {
        const struct index *index;
        struct index_leaf *leaf;
        uint32_t at;
        uint64_t changes;
};

/* At the first object that does not stand before @key. NULL as @compare: the first of all. */
struct index_cursor index_seek(const struct index *index, index_compare compare, const void *key);

/* At the first object that stands behind all that equal @key. NULL as @compare: behind the last of all. */
struct index_cursor index_seek_after(const struct index *index, index_compare compare, const void *key);

/* The object at the cursor; NULL behind the last. */
void *index_at(const struct index_cursor *cursor);

/* Moves on and returns the object there; NULL behind the last. */
void *index_next(struct index_cursor *cursor);

/* Moves back and returns the object there; NULL, and no move, at the first. */
void *index_previous(struct index_cursor *cursor);

/* Each object of @index that equals @key, in order. */
#define INDEX_EACH(type, object, index, compare, key)                                                                  \
        for (struct index_cursor object##_at = index_seek((index), (compare), (key)), *object##_once = &object##_at;   \
             object##_once; object##_once = NULL)                                                                      \
                for (type *object = index_at(&object##_at); object && (compare)((key), object) == 0;                   \
                     object = index_next(&object##_at))

/* For objects of @type with a text @member: name_order() for the index, name_key() to look up a `const char *`, and
 * name_prefix() for all that begin with one. */
#define INDEX_TEXT_ORDER(name, type, member)                                                                           \
        INDEX_FUNCTION name##_key(const void *key, const void *object) {                                               \
                return strcmp(key, ((const type *)object)->member);                                                    \
        }                                                                                                              \
        INDEX_FUNCTION name##_order(const void *a, const void *b) {                                                    \
                return name##_key(((const type *)a)->member, b);                                                       \
        }                                                                                                              \
        INDEX_FUNCTION name##_prefix(const void *key, const void *object) {                                            \
                return strncmp(key, ((const type *)object)->member, strlen(key));                                      \
        }

/* A key of two texts. @second NULL in name_key(): all with this @first, and NULL in both: all. */
struct index_pair {
        const char *first, *second;
};

/* For objects of @type ordered by @one, and by @two within: name_order(), and name_key() for a struct index_pair. */
#define INDEX_PAIR_ORDER(name, type, one, two)                                                                         \
        INDEX_FUNCTION name##_key(const void *key, const void *object) {                                               \
                const struct index_pair *pair = key;                                                                   \
                int c = pair->first ? strcmp(pair->first, ((const type *)object)->one) : 0;                            \
                                                                                                                       \
                return c || !pair->second ? c : strcmp(pair->second, ((const type *)object)->two);                     \
        }                                                                                                              \
        INDEX_FUNCTION name##_order(const void *a, const void *b) {                                                    \
                const struct index_pair pair = { ((const type *)a)->one, ((const type *)a)->two };                     \
                                                                                                                       \
                return name##_key(&pair, b);                                                                           \
        }

#define INDEX_FUNCTION __attribute__((unused)) static int
