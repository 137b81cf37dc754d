/* A made-up client: what it is asked is kept, and answered when the test says so. Lists and watches show what the test
 * has put in. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/backend.h"
#include "lib/bytes.h"

#define FAKE_MAX 512

struct fake_call {
        struct client_call base;
        bool open;
        /* A request's. */
        uint16_t verb;
        char target[512], body[4096];
        client_done done;
        /* A list's, a watch's. */
        const struct kube_kind *kind;
        char fields[128];
        const struct client_list_events *list;
        const struct client_watch_events *watch;
        struct client_watch as_watch;
        int64_t revision;
        void *data;
};

struct fake_object {
        const struct kube_kind *kind;
        struct client_object *object;
};

struct fake {
        struct client base;
        struct fake_call sent[FAKE_MAX], lists[FAKE_MAX], watches[FAKE_MAX];
        unsigned n_sent, n_lists, n_watches;
        struct fake_object objects[FAKE_MAX];
        unsigned n_objects;
        int64_t revision;
        int list_error, watch_error;
};

static inline struct fake *fake_of(struct client *client) {
        return (struct fake *)client;
}

static inline int fake_send(struct client *client, const struct client_request *q, const char *target, client_done done,
                            void *data, struct client_call **ret_call) {
        struct fake *f = fake_of(client);
        struct fake_call *c = &f->sent[f->n_sent];

        assert_true(f->n_sent < FAKE_MAX);
        *c = (struct fake_call){ .base = { client }, .open = true, .verb = q->verb, .done = done, .data = data };
        snprintf(c->target, sizeof(c->target), "%s", target);
        snprintf(c->body, sizeof(c->body), "%.*s", (int)q->length, q->body ?: "");
        f->n_sent++;
        *ret_call = &c->base;
        return 0;
}

static inline int fake_list(struct client *client, const struct client_scope *scope,
                            const struct client_list_events *events, void *data, struct client_call **ret_call) {
        struct fake *f = fake_of(client);
        struct fake_call *c = &f->lists[f->n_lists];

        assert_true(f->n_lists < FAKE_MAX);
        *c = (struct fake_call){ .base = { client }, .open = true, .kind = scope->kind, .list = events, .data = data };
        snprintf(c->fields, sizeof(c->fields), "%s", scope->fields ?: "");
        f->n_lists++;
        *ret_call = &c->base;
        return 0;
}

static inline void fake_cancel(struct client_call *call) {
        ((struct fake_call *)call)->open = false;
}

static inline int fake_watch(struct client *client, const struct client_scope *scope, int64_t revision,
                             const struct client_watch_events *events, void *data, struct client_watch **ret_watch) {
        struct fake *f = fake_of(client);
        struct fake_call *c = &f->watches[f->n_watches];

        assert_true(f->n_watches < FAKE_MAX);
        if (f->watch_error < 0)
                return f->watch_error;
        *c = (struct fake_call){ .base = { client },
                                 .open = true,
                                 .kind = scope->kind,
                                 .watch = events,
                                 .data = data,
                                 .as_watch = { client },
                                 .revision = revision };
        f->n_watches++;
        *ret_watch = &c->as_watch;
        return 0;
}

static inline struct fake_call *fake_watch_of(struct client_watch *watch) {
        return (struct fake_call *)((char *)watch - offsetof(struct fake_call, as_watch));
}

static inline void fake_unwatch(struct client_watch *watch) {
        fake_watch_of(watch)->open = false;
}

static const struct client_backend fake_backend = { fake_send, fake_list, fake_cancel, fake_watch, fake_unwatch };

static inline void fake_init(struct fake *f, uv_loop_t *loop) {
        *f = (struct fake){ .base = { &fake_backend, loop, "fake" }, .revision = 1 };
}

static inline struct client_object *fake_object(struct fake *f, const char *namespace, const char *name,
                                                const char *json) {
        struct bytes *bytes = bytes_copy(json, strlen(json));
        struct client_object *object = client_object_new(++f->revision, namespace, name, bytes);

        bytes_unref(bytes);
        assert_non_null(object);
        return object;
}

/* Puts @json in the place of the object of its name; NULL: takes it out. Open watches are told. */
static inline void fake_put(struct fake *f, const struct kube_kind *kind, const char *namespace, const char *name,
                            const char *json) {
        struct client_object *object = fake_object(f, namespace, name, json ?: "{}");
        enum client_change change = CLIENT_ADDED;
        unsigned i = 0;

        while (i < f->n_objects && (f->objects[i].kind != kind || strcmp(f->objects[i].object->name, name) != 0 ||
                                    strcmp(f->objects[i].object->namespace, namespace) != 0))
                i++;
        if (i < f->n_objects) {
                change = json ? CLIENT_MODIFIED : CLIENT_DELETED;
                client_object_unref(f->objects[i].object);
                f->objects[i] = f->objects[--f->n_objects];
        }
        if (json)
                f->objects[f->n_objects++] = (struct fake_object){ kind, client_object_ref(object) };
        for (unsigned w = 0; w < f->n_watches; w++)
                if (f->watches[w].open && f->watches[w].kind == kind)
                        f->watches[w].watch->changed(f->watches[w].data, change, object);
        client_object_unref(object);
}

/* Answers lists that wait; returns how many did. */
static inline unsigned fake_answer_lists(struct fake *f) {
        unsigned n = 0;

        for (unsigned i = 0; i < f->n_lists; i++) {
                struct fake_call *c = &f->lists[i];

                if (!c->open)
                        continue;
                c->open = false;
                n++;
                for (unsigned o = 0; f->list_error == 0 && o < f->n_objects; o++)
                        if (f->objects[o].kind == c->kind)
                                c->list->object(c->data, f->objects[o].object);
                c->list->done(c->data, f->list_error, f->revision, f->list_error ? "made up" : "");
        }
        return n;
}

static inline void fake_end_watches(struct fake *f, int error) {
        unsigned n = f->n_watches;

        for (unsigned i = 0; i < n; i++)
                if (f->watches[i].open) {
                        f->watches[i].open = false;
                        f->watches[i].watch->ended(f->watches[i].data, error, "made up");
                }
}

/* The only request that waits. */
static inline struct fake_call *fake_next(struct fake *f) {
        struct fake_call *found = NULL;

        for (unsigned i = 0; i < f->n_sent; i++)
                if (f->sent[i].open) {
                        assert_null(found);
                        found = &f->sent[i];
                }
        return found;
}

static inline void fake_answer(struct fake_call *c, int code, const char *reason, const char *body) {
        struct bytes *bytes = bytes_copy(body, strlen(body));
        const struct client_answer answer = { .code = code, .reason = reason, .message = reason, .body = bytes };

        c->open = false;
        c->done(c->data, &answer);
        bytes_unref(bytes);
}

static inline void fake_done(struct fake *f) {
        for (unsigned i = 0; i < f->n_objects; i++)
                client_object_unref(f->objects[i].object);
}
