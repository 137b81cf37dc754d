/* A list whose links are embedded in its objects: adding and removing allocate nothing and cost the same at any length.
 *
 *     struct waiter {
 *             struct list_node in_queue;
 *     };
 *     LIST_DEFINE(waiters, struct waiter, in_queue)
 *
 *     struct waiters queue = { 0 };
 *     waiters_append(&queue, waiter);
 *     LIST_EACH (waiters, w, &queue) …
 *
 * LIST_DEFINE makes the list's type and its functions, which take objects and not links: what is put into a list that
 * is not for it does not compile. An object that is in a list is never added again, nor one removed that is in none:
 * both are asserted. A list belongs to where it is in memory (its ends point to it) unless it is empty; a zeroed list
 * and a zeroed link are empty. An object that is freed must have been removed. Not for several threads at once.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
        struct list_node *next, *previous; /* NULL: in no list */
};

/* The functions below are for LIST_DEFINE. */
static inline void list_link(struct list_node *head, struct list_node *before, struct list_node *node) {
        if (!head->next)
                head->next = head->previous = head;
        if (!before->next)
                before = head;
        assert(!node->next);
        node->next = before;
        node->previous = before->previous;
        before->previous->next = node;
        before->previous = node;
}

static inline void list_unlink(struct list_node *node) {
        assert(node->next && node->next->previous == node && node->previous->next == node);
        node->previous->next = node->next;
        node->next->previous = node->previous;
        *node = (struct list_node){ 0 };
}

static inline void list_splice(struct list_node *to, struct list_node *from) {
        if (!to->next)
                to->next = to->previous = to;
        if (!from->next || from->next == from)
                return;
        from->next->previous = to->previous;
        from->previous->next = to;
        to->previous->next = from->next;
        to->previous = from->previous;
        from->next = from->previous = from;
}

static inline bool list_linked(const struct list_node *node) {
        return node->next;
}

/* NULL at the end, where the list's own link stands. */
static inline void *list_object(const struct list_node *head, const struct list_node *node, size_t offset) {
        return node && node != head ? (char *)node - offset : NULL;
}

/* The type `struct NAME`, and for it:
 *
 *     append, prepend         to the end, to the front
 *     insert(list, at, o)     in front of @at, which is in the list; NULL: at the end
 *     remove(o)               out of the list it is in
 *     contains(o)             whether it is in one
 *     first, last             NULL when the list is empty
 *     next, previous(list, o) NULL at the end
 *     pop                     the first, removed; NULL when the list is empty
 *     is_empty
 *     take(to, from)          moves all of @from to the end of @to
 *
 * Where @type is not complete yet, LIST_TYPE makes the list's type and LIST_FUNCTIONS, later, what works on it.
 */
#define LIST_DEFINE(name, type, member)                                                                                \
        LIST_TYPE(name);                                                                                               \
        LIST_FUNCTIONS(name, type, member)

#define LIST_TYPE(name)                                                                                                \
        struct name {                                                                                                  \
                struct list_node head;                                                                                 \
        }

#define LIST_FUNCTIONS(name, type, member)                                                                             \
        LIST_FUNCTION(void) name##_append(struct name *list, type *object) {                                           \
                list_link(&list->head, &list->head, &object->member);                                                  \
        }                                                                                                              \
        LIST_FUNCTION(void) name##_insert(struct name *list, type *at, type *object) {                                 \
                list_link(&list->head, at ? &at->member : &list->head, &object->member);                               \
        }                                                                                                              \
        LIST_FUNCTION(void) name##_prepend(struct name *list, type *object) {                                          \
                list_link(&list->head, list->head.next ? list->head.next : &list->head, &object->member);              \
        }                                                                                                              \
        LIST_FUNCTION(void) name##_remove(type *object) {                                                              \
                list_unlink(&object->member);                                                                          \
        }                                                                                                              \
        LIST_FUNCTION(bool) name##_contains(const type *object) {                                                      \
                return list_linked(&object->member);                                                                   \
        }                                                                                                              \
        LIST_FUNCTION(type *) name##_first(const struct name *list) {                                                  \
                return list_object(&list->head, list->head.next, offsetof(type, member));                              \
        }                                                                                                              \
        LIST_FUNCTION(type *) name##_last(const struct name *list) {                                                   \
                return list_object(&list->head, list->head.previous, offsetof(type, member));                          \
        }                                                                                                              \
        LIST_FUNCTION(type *) name##_next(const struct name *list, const type *object) {                               \
                return list_object(&list->head, object->member.next, offsetof(type, member));                          \
        }                                                                                                              \
        LIST_FUNCTION(type *) name##_previous(const struct name *list, const type *object) {                           \
                return list_object(&list->head, object->member.previous, offsetof(type, member));                      \
        }                                                                                                              \
        LIST_FUNCTION(bool) name##_is_empty(const struct name *list) {                                                 \
                return !name##_first(list);                                                                            \
        }                                                                                                              \
        LIST_FUNCTION(type *) name##_pop(struct name *list) {                                                          \
                type *object = name##_first(list);                                                                     \
                                                                                                                       \
                if (object)                                                                                            \
                        name##_remove(object);                                                                         \
                return object;                                                                                         \
        }                                                                                                              \
        LIST_FUNCTION(void) name##_take(struct name *to, struct name *from) {                                          \
                list_splice(&to->head, &from->head);                                                                   \
        }

#define LIST_FUNCTION(result) __attribute__((unused)) static inline result

/* Walks @list, which is of struct NAME, with @object from the first to the last. The body may remove @object (and free
 * it), but nothing else of the list. */
#define LIST_EACH(name, object, list)                                                                                  \
        for (__typeof__(name##_first(list)) object = name##_first(list),                                               \
                                            object##_next = object ? name##_next(list, object) : NULL;                 \
             object; object = object##_next, object##_next = object ? name##_next(list, object) : NULL)
