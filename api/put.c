#include "api/put.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "api/rest/meta.h"
#include "api/server/codec.h"
#include "api/state/resource.h"
#include "api/state/state.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
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

int api_put(struct api_state *state, struct arena *arena, struct api_resource *of, const struct value *tree,
            int64_t expected) {
        struct api_change change = { 0 };
        struct problems problems;
        struct api_json json = { 0 };
        int r;

        problems_init(&problems, arena, NULL, NULL);
        r = api_settle(arena, of->kind->type, tree, true, &problems, &json);
        r = r ?: json.text ? 0 : -EINVAL;
        r = r ?: json_parse(arena, json.text, json.length, NULL, &tree, NULL);
        r = r ?: api_change_init(&change, state, of, arena, tree, &json);
        r = r ?: make(&change, expected);
        api_change_deinit(&change);
        return r;
}

int api_put_new(struct api_state *state, struct arena *arena, struct api_resource *of, const char *json,
                size_t length) {
        const struct value *tree;
        struct value_edit edit;
        int r = json_parse(arena, json, length, NULL, &tree, NULL);

        if (r < 0)
                return r;
        value_edit_begin(&edit, arena, tree);
        r = api_meta_stamp(arena, &edit);
        tree = value_edit_end(&edit);
        return r ?: tree ? api_put(state, arena, of, tree, STORE_ABSENT) : -ENOMEM;
}
