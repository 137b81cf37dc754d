/* Objects stand in leaves, which are linked; an inner node knows of each child the first object and how many there are
 * below, and nothing that outlives them. Full nodes are split on the way down, each by one allocation, so that a failed
 * one leaves a tree that is whole. Nodes that became small are joined with a neighbour on the way up where both fit
 * well into one; nothing is allocated then. */
#include "lib/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define LEAF_MAX 60  /* 504 bytes: what malloc() gives for 512 */
#define INNER_MAX 25 /* as much */

/* Two neighbours are joined when one has less than a quarter and both together at most three quarters of a node. */
#define IS_SMALL(n, max) ((n) < (max) / 4)
#define FITS(n, max) ((n) <= (max)*3 / 4)

struct index_node {
        uint32_t n;
        uint32_t level; /* 0: a leaf */
};

struct index_leaf {
        struct index_node node;
        struct index_leaf *next, *previous;
        void *objects[LEAF_MAX];
};

struct inner {
        struct index_node node;
        struct index_node *children[INNER_MAX];
        void *first[INNER_MAX];
        uint32_t counts[INNER_MAX];
};

static struct inner *inner_of(struct index_node *node) {
        return (struct inner *)node;
}

static struct index_leaf *leaf_of(struct index_node *node) {
        return (struct index_leaf *)node;
}

static void *first_of(struct index_node *node) {
        return node->level > 0 ? inner_of(node)->first[0] : leaf_of(node)->objects[0];
}

static uint32_t count_of(const struct index_node *node) {
        const struct inner *inner = (const struct inner *)node;
        uint32_t count = 0;

        if (node->level == 0)
                return node->n;
        for (uint32_t i = 0; i < node->n; i++)
                count += inner->counts[i];
        return count;
}

static bool is_full(const struct index_node *node) {
        return node->n == (node->level > 0 ? INNER_MAX : LEAF_MAX);
}

/* Opens a gap of one at @at of @n elements, or closes the one that is there. */
#define OPEN(array, at, n) memmove((array) + (at) + 1, (array) + (at), ((n) - (at)) * sizeof((array)[0]))
#define CLOSE(array, at, n) memmove((array) + (at), (array) + (at) + 1, ((n) - (at)-1) * sizeof((array)[0]))

/* ---- where a key is ---- */

struct question {
        index_compare compare;
        const void *key;
        bool after; /* looks for the first that stands behind the key; else for the first that does not stand before */
};

static bool is_left(const struct question *q, const void *object) {
        int c;

        if (!q->compare)
                return q->after;
        c = q->compare(q->key, object);
        return q->after ? c >= 0 : c > 0;
}

/* The number of @objects, of @n, that stand left of what is asked for. */
static uint32_t left_of(const struct question *q, void *const *objects, uint32_t n) {
        uint32_t low = 0, high = n;

        while (low < high) {
                uint32_t middle = (low + high) / 2;

                if (is_left(q, objects[middle]))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The child that the question leads to. */
static uint32_t child_of(const struct question *q, const struct inner *inner) {
        uint32_t n = left_of(q, inner->first, inner->node.n);

        return n > 0 ? n - 1 : 0;
}

static struct index_cursor seek(const struct index *index, const struct question *q) {
        struct index_cursor cursor = { .index = index, .changes = index->changes };
        struct index_node *node = index->root;

        if (!node)
                return cursor;
        while (node->level > 0)
                node = inner_of(node)->children[child_of(q, inner_of(node))];
        cursor.leaf = leaf_of(node);
        cursor.at = left_of(q, cursor.leaf->objects, node->n);
        if (cursor.at == node->n && cursor.leaf->next) {
                cursor.leaf = cursor.leaf->next;
                cursor.at = 0;
        }
        return cursor;
}

struct index_cursor index_seek(const struct index *index, index_compare compare, const void *key) {
        return seek(index, &(struct question){ compare, key, false });
}

struct index_cursor index_seek_after(const struct index *index, index_compare compare, const void *key) {
        return seek(index, &(struct question){ compare, key, true });
}

void *index_at(const struct index_cursor *cursor) {
        assert(cursor->changes == cursor->index->changes);
        return cursor->leaf && cursor->at < cursor->leaf->node.n ? cursor->leaf->objects[cursor->at] : NULL;
}

void *index_next(struct index_cursor *cursor) {
        if (!index_at(cursor))
                return NULL;
        cursor->at++;
        if (cursor->at == cursor->leaf->node.n && cursor->leaf->next) {
                cursor->leaf = cursor->leaf->next;
                cursor->at = 0;
        }
        return index_at(cursor);
}

void *index_previous(struct index_cursor *cursor) {
        assert(cursor->changes == cursor->index->changes);
        if (!cursor->leaf || (cursor->at == 0 && !cursor->leaf->previous))
                return NULL;
        if (cursor->at == 0) {
                cursor->leaf = cursor->leaf->previous;
                cursor->at = cursor->leaf->node.n;
        }
        cursor->at--;
        return index_at(cursor);
}

void *index_find(const struct index *index, index_compare compare, const void *key) {
        struct index_cursor cursor = index_seek(index, compare, key);
        void *object = index_at(&cursor);

        return object && compare(key, object) == 0 ? object : NULL;
}

size_t index_rank(const struct index *index, index_compare compare, const void *key) {
        const struct question q = { compare, key, false };
        struct index_node *node = index->root;
        size_t rank = 0;

        if (!node)
                return 0;
        while (node->level > 0) {
                struct inner *inner = inner_of(node);
                uint32_t at = child_of(&q, inner);

                for (uint32_t i = 0; i < at; i++)
                        rank += inner->counts[i];
                node = inner->children[at];
        }
        return rank + left_of(&q, leaf_of(node)->objects, node->n);
}

size_t index_count(const struct index *index) {
        return index->root ? count_of(index->root) : 0;
}

/* ---- adding ---- */

static void describe(struct inner *inner, uint32_t at) {
        inner->first[at] = first_of(inner->children[at]);
        inner->counts[at] = count_of(inner->children[at]);
}

static void put_child(struct inner *inner, uint32_t at, struct index_node *child) {
        OPEN(inner->children, at, inner->node.n);
        OPEN(inner->first, at, inner->node.n);
        OPEN(inner->counts, at, inner->node.n);
        inner->children[at] = child;
        inner->node.n++;
        describe(inner, at);
}

static void drop_child(struct inner *inner, uint32_t at) {
        CLOSE(inner->children, at, inner->node.n);
        CLOSE(inner->first, at, inner->node.n);
        CLOSE(inner->counts, at, inner->node.n);
        inner->node.n--;
}

/* Moves what stands from @from on in @left to the end of @right, which is of the same level. */
static void move_tail(struct index_node *left, uint32_t from, struct index_node *right) {
        uint32_t n = left->n - from;

        if (left->level > 0) {
                struct inner *a = inner_of(left), *b = inner_of(right);

                memcpy(b->children + right->n, a->children + from, n * sizeof(a->children[0]));
                memcpy(b->first + right->n, a->first + from, n * sizeof(a->first[0]));
                memcpy(b->counts + right->n, a->counts + from, n * sizeof(a->counts[0]));
        } else {
                memcpy(leaf_of(right)->objects + right->n, leaf_of(left)->objects + from, n * sizeof(void *));
        }
        right->n += n;
        left->n = from;
}

static void link_leaf(struct index *index, struct index_leaf *left, struct index_leaf *leaf) {
        leaf->previous = left;
        leaf->next = left ? left->next : NULL;
        if (leaf->next)
                leaf->next->previous = leaf;
        else
                index->last = leaf;
        if (left)
                left->next = leaf;
}

static struct index_node *new_node(uint32_t level) {
        struct index_node *node = calloc(1, level > 0 ? sizeof(struct inner) : sizeof(struct index_leaf));

        if (node)
                node->level = level;
        return node;
}

/* Splits child @at, which is full. What grows at its end alone is left nearly full. */
static bool split(struct index *index, struct inner *inner, uint32_t at, bool appending) {
        struct index_node *left = inner->children[at], *right = new_node(left->level);

        if (!right)
                return false;
        move_tail(left, appending ? left->n - 1 : left->n / 2, right);
        if (left->level == 0)
                link_leaf(index, leaf_of(left), leaf_of(right));
        put_child(inner, at + 1, right);
        describe(inner, at);
        return true;
}

static bool grow_root(struct index *index) {
        struct index_node *root = new_node(index->root ? index->root->level + 1 : 0);

        if (!root)
                return false;
        if (index->root)
                put_child(inner_of(root), 0, index->root);
        else
                link_leaf(index, NULL, leaf_of(root));
        index->root = root;
        return true;
}

/* Room for one more along the way to @q. */
static bool make_room(struct index *index, const struct question *q, bool appending) {
        struct index_node *node;

        if ((!index->root || is_full(index->root)) && !grow_root(index))
                return false;
        for (node = index->root; node->level > 0;) {
                struct inner *inner = inner_of(node);
                uint32_t at = child_of(q, inner);

                if (is_full(inner->children[at])) {
                        if (!split(index, inner, at, appending))
                                return false;
                        at = child_of(q, inner);
                }
                node = inner->children[at];
        }
        return true;
}

static void insert(struct index_node *node, const struct question *q, void *object) {
        if (node->level > 0) {
                struct inner *inner = inner_of(node);
                uint32_t at = child_of(q, inner);

                insert(inner->children[at], q, object);
                inner->first[at] = first_of(inner->children[at]);
                inner->counts[at]++;
        } else {
                struct index_leaf *leaf = leaf_of(node);
                uint32_t at = left_of(q, leaf->objects, node->n);

                OPEN(leaf->objects, at, node->n);
                leaf->objects[at] = object;
                node->n++;
        }
}

int index_add(struct index *index, void *object) {
        const struct question q = { index->order, object, false };
        struct index_leaf *last = index->last;
        bool appending = last && index->order(object, last->objects[last->node.n - 1]) > 0;

        if (!appending && index_find(index, index->order, object))
                return -EEXIST;
        index->changes++;
        if (!make_room(index, &q, appending))
                return -ENOMEM;
        insert(index->root, &q, object);
        return 0;
}

/* ---- removing ---- */

static void free_node(struct index *index, struct index_node *node) {
        if (node->level == 0) {
                struct index_leaf *leaf = leaf_of(node);

                if (leaf->previous)
                        leaf->previous->next = leaf->next;
                if (leaf->next)
                        leaf->next->previous = leaf->previous;
                else
                        index->last = leaf->previous;
        }
        free(node);
}

/* Joins child @at with the one behind it where that is worth while. */
static bool join(struct index *index, struct inner *inner, uint32_t at) {
        struct index_node *left = inner->children[at], *right;
        uint32_t max = left->level > 0 ? INNER_MAX : LEAF_MAX;

        if (at + 1 >= inner->node.n)
                return false;
        right = inner->children[at + 1];
        if ((!IS_SMALL(left->n, max) && !IS_SMALL(right->n, max)) || !FITS(left->n + right->n, max))
                return false;
        move_tail(right, 0, left);
        free_node(index, right);
        drop_child(inner, at + 1);
        describe(inner, at);
        return true;
}

static void *take(struct index *index, struct index_node *node, const struct question *q) {
        struct inner *inner = inner_of(node);
        uint32_t at;
        void *object;

        if (node->level == 0) {
                struct index_leaf *leaf = leaf_of(node);

                at = left_of(q, leaf->objects, node->n);
                object = leaf->objects[at];
                CLOSE(leaf->objects, at, node->n);
                node->n--;
                return object;
        }
        /* Behind the first that equals the key: where the key's own object is the first, its child and not the one
         * before. */
        at = child_of(&(struct question){ q->compare, q->key, true }, inner);
        object = take(index, inner->children[at], q);
        if (inner->children[at]->n == 0) {
                free_node(index, inner->children[at]);
                drop_child(inner, at);
                return object;
        }
        describe(inner, at);
        if (!join(index, inner, at) && at > 0)
                join(index, inner, at - 1);
        return object;
}

void *index_remove(struct index *index, const void *object) {
        const struct question q = { index->order, object, false };
        struct index_node *root;
        void *found;

        if (!index_find(index, index->order, object))
                return NULL;
        index->changes++;
        found = take(index, index->root, &q);
        while ((root = index->root) && (root->n == 0 || (root->level > 0 && root->n == 1))) {
                index->root = root->n > 0 ? inner_of(root)->children[0] : NULL;
                free_node(index, root);
        }
        return found;
}

/* As deep as the tree is high: some six levels for all that memory holds. */
static void free_below(struct index_node *node) {
        for (uint32_t i = 0; node->level > 0 && i < node->n; i++)
                free_below(inner_of(node)->children[i]);
        free(node);
}

void index_clear(struct index *index) {
        if (index->root)
                free_below(index->root);
        index->root = NULL;
        index->last = NULL;
        index->changes++;
}
