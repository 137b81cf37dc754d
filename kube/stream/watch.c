#include "kube/stream/watch.h"

#include <errno.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"

static const char *const names[] = {
        [KUBE_WATCH_ADDED] = "ADDED",       [KUBE_WATCH_MODIFIED] = "MODIFIED", [KUBE_WATCH_DELETED] = "DELETED",
        [KUBE_WATCH_BOOKMARK] = "BOOKMARK", [KUBE_WATCH_ERROR] = "ERROR",
};

const char *kube_watch_type_name(enum kube_watch_type type) {
        return names[type];
}

static int take_event(void *data, const char *key, const char *text, size_t length, struct err **err) {
        const struct value_options options = { .name = "a watch event", .bytes_max = KUBE_WATCH_EVENT_MAX };
        struct kube_watch_reader *reader = data;
        const struct value *event, *object;
        const char *type;
        int r;

        arena_reset(reader->arena);
        r = json_parse(reader->arena, text, length, &options, &event, err);
        if (r < 0)
                return r;
        type = value_string_or(value_get(event, "type"), "");
        object = value_get(event, "object");
        for (size_t i = 0; value_is(object, VALUE_MAP) && i < ELEMENTS(names); i++)
                if (strcmp(names[i], type) == 0)
                        return reader->event(reader->data, (enum kube_watch_type)i, object, err);
        return err_set(err, EINVAL, "a watch event of type \"%.40s\" with %s as its object", type,
                       value_kind_name(object));
}

int kube_watch_reader_init(struct kube_watch_reader *reader, kube_watch_event event, void *data) {
        *reader = (struct kube_watch_reader){ .event = event, .data = data, .arena = arena_new() };
        reader->cut = (struct json_cut){
                .mode = JSON_CUT_SEQUENCE, .value_max = KUBE_WATCH_EVENT_MAX, .value = take_event, .data = reader
        };
        return reader->arena ? 0 : -ENOMEM;
}

void kube_watch_reader_done(struct kube_watch_reader *reader) {
        json_cut_done(&reader->cut);
        reader->arena = arena_free(reader->arena);
}

int kube_watch_reader_feed(struct kube_watch_reader *reader, const char *bytes, size_t n, struct err **err) {
        return json_cut_feed(&reader->cut, bytes, n, err);
}

int kube_watch_reader_end(struct kube_watch_reader *reader, struct err **err) {
        return json_cut_end(&reader->cut, err);
}

struct bytes *kube_watch_event_bytes(enum kube_watch_type type, const char *object, size_t length) {
        static const char begin[] = "{\"type\":\"", middle[] = "\",\"object\":", end[] = "}\n";
        const char *name = names[type];
        const struct {
                const char *text;
                size_t length;
        } parts[] = {
                { begin, sizeof(begin) - 1 }, { name, strlen(name) },   { middle, sizeof(middle) - 1 },
                { object, length },           { end, sizeof(end) - 1 },
        };
        struct bytes *bytes;
        size_t size = 0;

        for (size_t i = 0; i < ELEMENTS(parts); i++)
                size += parts[i].length;
        bytes = bytes_new(size);
        size = 0;
        for (size_t i = 0; bytes && i < ELEMENTS(parts); i++) {
                memcpy(bytes->data + size, parts[i].text, parts[i].length);
                size += parts[i].length;
        }
        return bytes;
}
