/* Streams of watch events: in JSON {"type":"ADDED","object":{...}} one after the other, in protobuf messages each
 * behind its length, four bytes of it, the highest first. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/json_cut.h"

struct arena;
struct bytes;
struct err;
struct value;

#define KUBE_WATCH_EVENT_MAX ((size_t)8 << 20) /* bytes of an event, of either form */

enum kube_watch_type {
        KUBE_WATCH_ADDED,
        KUBE_WATCH_MODIFIED,
        KUBE_WATCH_DELETED,
        KUBE_WATCH_BOOKMARK,
        KUBE_WATCH_ERROR
};

/* @object is gone after the call. A negative errno ends the reading with it. */
typedef int (*kube_watch_event)(void *data, enum kube_watch_type type, const struct value *object, struct err **err);

struct kube_watch_reader {
        kube_watch_event event;
        void *data;

        /* The reader's. */
        struct json_cut cut;
        struct arena *arena;
};

/* 0 or -ENOMEM. */
int kube_watch_reader_init(struct kube_watch_reader *reader, kube_watch_event event, void *data);
void kube_watch_reader_done(struct kube_watch_reader *reader);
#define _cleanup_kube_watch_reader_ __attribute__((cleanup(kube_watch_reader_done)))

/* As json_cut_feed(); -EINVAL also for what is no event, or of a type that is not known. */
int kube_watch_reader_feed(struct kube_watch_reader *reader, const char *bytes, size_t n, struct err **err);

/* The stream has ended: -EINVAL when it did so within an event. */
int kube_watch_reader_end(struct kube_watch_reader *reader, struct err **err);

/* An event of @object, which is JSON, with a newline behind it; NULL without memory. */
struct bytes *kube_watch_event_bytes(enum kube_watch_type type, const char *object, size_t length);

const char *kube_watch_type_name(enum kube_watch_type type);
