/* A list of objects, written item by item: what has been written goes on at once, in pieces. Items that are shared
 * bytes and not small go on as they are, uncopied; all else is gathered.
 *
 *     kube_list_writer_begin(&w, "v1", "PodList", "{\"resourceVersion\":\"7\"}");
 *     for (each pod)
 *             kube_list_writer_item_bytes(&w, pod->json);
 *     r = kube_list_writer_end(&w);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct bytes;

#define KUBE_LIST_PIECE ((size_t)32 * 1024) /* bytes that are gathered before they go on */
#define KUBE_LIST_SHARED ((size_t)4 * 1024) /* from here on shared bytes are not copied */

/* Takes a piece, whose reference stays the writer's: one more is taken by who keeps it. A negative errno sticks. */
typedef int (*kube_piece_out)(void *data, struct bytes *piece);

struct kube_list_writer {
        kube_piece_out out;
        void *data;

        /* The writer's; zeroed at first. */
        char *gathered;
        size_t length;
        bool comma;
        int error;
};

/* Failures stick, and are told by the end: -ENOMEM, or what out() gave. Texts are JSON; @metadata may be NULL. */
void kube_list_writer_begin(struct kube_list_writer *writer, const char *api_version, const char *kind,
                            const char *metadata);
void kube_list_writer_item(struct kube_list_writer *writer, const char *text, size_t length);
void kube_list_writer_item_bytes(struct kube_list_writer *writer, struct bytes *item);

/* Sends what is gathered on, for a reader that shall not wait. Returns the error that sticks, or 0. */
int kube_list_writer_flush(struct kube_list_writer *writer);
int kube_list_writer_end(struct kube_list_writer *writer);

void kube_list_writer_done(struct kube_list_writer *writer);
#define _cleanup_kube_list_writer_ __attribute__((cleanup(kube_list_writer_done)))
