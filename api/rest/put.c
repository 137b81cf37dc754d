#include "api/rest/put.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/rest/meta.h"
#include "api/rest/own.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/log.h"
#include "lib/value.h"
#include "lib/value_edit.h"

struct pending {
        pthread_mutex_t lock;
        pthread_cond_t decided;
        bool done;
        int code;
};

static void on_decided(struct api_change *change, int code, const char *text) {
        struct pending *p = change->data;

        pthread_mutex_lock(&p->lock);
        p->done = true;
        p->code = code;
        pthread_cond_signal(&p->decided);
        pthread_mutex_unlock(&p->lock);
}

static int make(struct api_change *change, int64_t expected) {
        struct pending p = { .lock = PTHREAD_MUTEX_INITIALIZER, .decided = PTHREAD_COND_INITIALIZER };
        int r;

        change->done = on_decided;
        change->data = &p;
        change->expected = expected;
        change->lazy = true;
        r = api_change_submit(change);
        if (r < 0)
                return r;
        pthread_mutex_lock(&p.lock);
        while (!p.done)
                pthread_cond_wait(&p.decided, &p.lock);
        pthread_mutex_unlock(&p.lock);
        return p.code == -EEXIST ? 0 : p.code;
}

/* What @tree is once it is defaulted and checked, as the change that puts it. */
static int fill(struct api_change *change, struct api_state *state, struct arena *arena, struct api_resource *of,
                const struct value *tree) {
        struct api_json json = { 0 };
        struct problems problems;
        int r;

        problems_init(&problems, arena, NULL, NULL);
        if ((r = api_settle(arena, of->kind->type, tree, true, &problems, &json)) < 0)
                return r;
        if (!json.text)
                return -EINVAL;
        r = json_parse(arena, json.text, json.length, NULL, &tree, NULL);
        return r < 0 ? r : api_change_init(change, state, of, arena, tree, &json);
}

int api_put_tree(struct api_state *state, struct arena *arena, struct api_resource *of, const struct value *tree,
                 int64_t expected) {
        struct api_change change = { 0 };
        int r = fill(&change, state, arena, of, tree);

        if (r == 0)
                r = make(&change, expected);
        api_change_deinit(&change);
        return r;
}

static void on_later(struct api_change *change, int code, const char *text) {
        if (code < 0 && code != -EEXIST && code != -ESTALE && code != -ENOENT)
                log_error("%s cannot be made: %s", change->key, text ?: strerror(-code));
        api_change_deinit(change);
        free(change);
}

int api_put_later(struct api_state *state, struct api_resource *of, struct arena *arena, const struct value *tree,
                  int64_t expected) {
        struct api_change *change = calloc(1, sizeof(*change));
        int r = change ? fill(change, state, arena, of, tree) : -ENOMEM;

        if (r < 0) {
                free(change);
                return r;
        }
        change->expected = expected;
        change->lazy = true;
        change->done = on_later;
        r = api_change_submit(change);
        if (r < 0)
                on_later(change, r, NULL);
        return 0;
}

const char *api_put_text(struct arena *arena, const struct kube_type *type, const void *object) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        kube_json_write(&w, type, object);
        return json_writer_text(&w, arena);
}

int api_put_typed(struct api_state *state, struct arena *arena, struct api_resource *of, const void *object,
                  int64_t expected) {
        const char *text = api_put_text(arena, of->kind->type, object);
        const struct value *tree;
        int r = text ? json_parse(arena, text, strlen(text), NULL, &tree, NULL) : -ENOMEM;

        return r ?: api_put_tree(state, arena, of, tree, expected);
}

int api_put_stamp(struct arena *arena, const struct api_resource *of, const struct value **object) {
        struct value_edit edit;
        int r;

        value_edit_begin(&edit, arena, *object);
        r = api_meta_stamp(arena, &edit);
        *object = value_edit_end(&edit);
        return r ?: *object ? api_own_server(arena, of->kind, NULL, NULL, object) : -ENOMEM;
}

int api_put_new(struct api_state *state, struct arena *arena, struct api_resource *of, const char *json,
                size_t length) {
        const struct value *tree;
        int r = json_parse(arena, json, length, NULL, &tree, NULL);

        if (r < 0 || (r = api_put_stamp(arena, of, &tree)) < 0)
                return r;
        return api_put_tree(state, arena, of, tree, STORE_ABSENT);
}
