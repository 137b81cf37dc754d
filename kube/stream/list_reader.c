#include "kube/stream/list_reader.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

static const struct value_options options = { .bytes_max = KUBE_LIST_ITEM_MAX };

static int take_item(struct kube_list_reader *reader, const char *text, size_t length, struct err **err) {
        const struct value *item;
        int r;

        arena_reset(reader->items);
        r = json_parse(reader->items, text, length, &options, &item, err);
        if (r < 0)
                return err_wrap(err, r, "items[%llu]", (unsigned long long)reader->count);
        reader->count++;
        return reader->item(reader->data, item, text, length, err);
}

static void take_metadata(struct kube_list_head *head, const struct value *metadata) {
        head->resource_version = value_string(value_get(metadata, "resourceVersion"));
        head->next = value_string(value_get(metadata, "continue"));
        if (!value_integer(value_get(metadata, "remainingItemCount"), &head->remaining))
                head->remaining = -1;
}

static int take_member(struct kube_list_reader *reader, const char *key, const char *text, size_t length,
                       struct err **err) {
        const struct value *value;
        int r;

        if (strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0 && strcmp(key, "metadata") != 0)
                return 0;
        r = json_parse(reader->around, text, length, &options, &value, err);
        if (r < 0)
                return err_wrap(err, r, "%s", key);
        if (*key == 'm')
                take_metadata(&reader->head, value);
        else
                *(*key == 'a' ? &reader->head.api_version : &reader->head.kind) = value_string(value);
        return 0;
}

static int take(void *data, const char *key, const char *text, size_t length, struct err **err) {
        return key ? take_member(data, key, text, length, err) : take_item(data, text, length, err);
}

int kube_list_reader_init(struct kube_list_reader *reader, kube_list_item item, void *data) {
        *reader = (struct kube_list_reader){ .item = item, .data = data, .head.remaining = -1 };
        reader->cut = (struct json_cut){
                .mode = JSON_CUT_LIST, .list = "items", .value_max = KUBE_LIST_ITEM_MAX, .value = take, .data = reader
        };
        reader->items = arena_new();
        reader->around = arena_new();
        return reader->items && reader->around ? 0 : -ENOMEM;
}

void kube_list_reader_done(struct kube_list_reader *reader) {
        json_cut_done(&reader->cut);
        reader->items = arena_free(reader->items);
        reader->around = arena_free(reader->around);
}

int kube_list_reader_feed(struct kube_list_reader *reader, const char *bytes, size_t n, struct err **err) {
        return json_cut_feed(&reader->cut, bytes, n, err);
}

int kube_list_reader_end(struct kube_list_reader *reader, struct kube_list_head *ret_head, struct err **err) {
        int r = json_cut_end(&reader->cut, err);

        if (r >= 0 && ret_head)
                *ret_head = reader->head;
        return r;
}
