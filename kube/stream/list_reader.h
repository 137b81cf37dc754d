/* A list of objects (PodList), read item by item while it comes: of its size nothing is kept but one item. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/json_cut.h"

struct arena;
struct err;
struct value;

#define KUBE_LIST_ITEM_MAX ((size_t)8 << 20) /* bytes of an item's JSON, and of the list's metadata */

/* What stands around the items. Texts are NULL where they are not given, and live as long as the reader. */
struct kube_list_head {
        const char *api_version, *kind;
        const char *resource_version, *next; /* metadata.continue */
        int64_t remaining;                   /* metadata.remainingItemCount; -1: not given */
};

/* @item and @text, its JSON, are gone after the call. A negative errno ends the reading with it. */
typedef int (*kube_list_item)(void *data, const struct value *item, const char *text, size_t length, struct err **err);

struct kube_list_reader {
        kube_list_item item;
        void *data;

        /* The reader's. */
        struct json_cut cut;
        struct arena *items, *around;
        struct kube_list_head head;
        uint64_t count;
};

/* 0 or -ENOMEM. */
int kube_list_reader_init(struct kube_list_reader *reader, kube_list_item item, void *data);
void kube_list_reader_done(struct kube_list_reader *reader);
#define _cleanup_kube_list_reader_ __attribute__((cleanup(kube_list_reader_done)))

/* As json_cut_feed(); errors name the item. */
int kube_list_reader_feed(struct kube_list_reader *reader, const char *bytes, size_t n, struct err **err);

/* No more comes; what stood around the items is known. @ret_head may be NULL. */
int kube_list_reader_end(struct kube_list_reader *reader, struct kube_list_head *ret_head, struct err **err);
