/* Arrays that grow while they are filled: their room doubles, so that an item more costs the same however many there
 * are.
 *
 *     int r = GROW(list->items, list->room, list->n + 1, ITEMS_MAX);
 *
 *     if (r < 0)
 *             return r;
 *     list->items[list->n++] = item;
 */
#pragma once

#include <stddef.h>

/* Of what has its maximum elsewhere: in the bytes that it is read from, in the table that it is made of. */
#define GROW_NO_MAX ((size_t)-1)

/* Has room for @wanted items in @items, a pointer that is the caller's to free; NULL, with a @room of 0, is an empty
 * array.
 * @room says, in items and in a variable of any unsigned type, for how many there is room, and never passes @max.
 * What is new is not initialized. Returns 0, -E2BIG where @wanted is more than @max or than @room's type can say, or
 * -ENOMEM; on an error all is as it was. */
#define GROW(items, room, wanted, max)                                                                                 \
        ({                                                                                                             \
                size_t _wanted = (wanted), _room = (room);                                                             \
                void *_items = (items);                                                                                \
                int _r = 0;                                                                                            \
                                                                                                                       \
                if (_wanted > _room) {                                                                                 \
                        _r = grow_items(&_items, &_room, _wanted, GROW_LESSER((max), (__typeof__(room))-1),            \
                                        sizeof(*(items)));                                                             \
                        (items) = _items;                                                                              \
                        (room) = (__typeof__(room))_room;                                                              \
                }                                                                                                      \
                _r;                                                                                                    \
        })

#define GROW_LESSER(a, b) ((size_t)(a) < (size_t)(b) ? (size_t)(a) : (size_t)(b))

/* What GROW() is made of; @size is an item's. */
int grow_items(void **items, size_t *room, size_t wanted, size_t max, size_t size);
