#include "kube/stream/list_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

int kube_list_writer_flush(struct kube_list_writer *w) {
        _cleanup_bytes_ struct bytes *piece = NULL;

        if (w->error < 0 || w->length == 0)
                return w->error;
        piece = bytes_copy(w->gathered, w->length);
        w->error = piece ? w->out(w->data, piece) : -ENOMEM;
        w->length = 0;
        return w->error;
}

static void put(struct kube_list_writer *w, const char *text, size_t length) {
        if (!w->gathered)
                w->gathered = malloc(KUBE_LIST_PIECE);
        if (!w->gathered)
                w->error = w->error < 0 ? w->error : -ENOMEM;
        while (length > 0 && w->error >= 0) {
                size_t n = KUBE_LIST_PIECE - w->length;

                n = n < length ? n : length;
                memcpy(w->gathered + w->length, text, n);
                w->length += n;
                text += n;
                length -= n;
                if (w->length == KUBE_LIST_PIECE)
                        kube_list_writer_flush(w);
        }
}

static void put_text(struct kube_list_writer *w, const char *text) {
        put(w, text, strlen(text));
}

static void put_string(struct kube_list_writer *w, const char *text) {
        _cleanup_json_writer_ struct json_writer json = JSON_WRITER_INIT;
        _cleanup_free_ char *written = NULL;
        int r;

        json_string(&json, text);
        r = json_writer_finish(&json, &written, NULL);
        if (r < 0)
                w->error = w->error < 0 ? w->error : r;
        else
                put_text(w, written);
}

void kube_list_writer_begin(struct kube_list_writer *w, const char *api_version, const char *kind,
                            const char *metadata) {
        put_text(w, "{\"kind\":");
        put_string(w, kind);
        put_text(w, ",\"apiVersion\":");
        put_string(w, api_version);
        put_text(w, ",\"metadata\":");
        put_text(w, metadata ?: "{}");
        put_text(w, ",\"items\":[");
}

static void put_comma(struct kube_list_writer *w) {
        if (w->comma)
                put(w, ",", 1);
        w->comma = true;
}

void kube_list_writer_item(struct kube_list_writer *w, const char *text, size_t length) {
        put_comma(w);
        put(w, text, length);
}

void kube_list_writer_item_bytes(struct kube_list_writer *w, struct bytes *item) {
        put_comma(w);
        if (item->size < KUBE_LIST_SHARED)
                put(w, (const char *)item->data, item->size);
        else if (kube_list_writer_flush(w) >= 0)
                w->error = w->out(w->data, item);
}

int kube_list_writer_end(struct kube_list_writer *w) {
        put_text(w, "]}\n");
        return kube_list_writer_flush(w);
}

void kube_list_writer_done(struct kube_list_writer *w) {
        free(w->gathered);
        w->gathered = NULL;
}
