#include "api/cache/follower.h"

#include <stddef.h>

#include "api/cache/object.h"

#define BATCH 16

static void on_changed(struct collection_listener *listener) {
        struct collection_follower *f = (void *)((char *)listener - offsetof(struct collection_follower, listener));
        struct collection_event events[BATCH];
        int64_t revision;
        int n;

        while ((n = collection_read(f->collection, f->next, events, BATCH, &revision)) > 0)
                for (int i = 0; i < n; i++, f->next++) {
                        bool gone = events[i].type == COLLECTION_DELETED;

                        f->told(f, gone ? NULL : events[i].object,
                                events[i].previous ?:
                                        gone       ? events[i].object :
                                                     NULL);
                        collection_event_clear(&events[i]);
                }
}

int collection_follow(struct collection *collection, struct collection_follower *f) {
        static const struct collection_query everything = { .limit = 0 };
        struct collection_page page = { 0 };
        int r = collection_list(collection, &everything, &page);

        for (size_t i = 0; r == 0 && i < page.n; i++)
                r = f->told(f, page.objects[i], NULL);
        r = r ?: collection_seek(collection, page.revision, &f->next);
        collection_page_clear(&page);
        if (r < 0)
                return r;
        f->collection = collection;
        f->listener.changed = on_changed;
        collection_listen(collection, &f->listener);
        return 0;
}

void collection_unfollow(struct collection_follower *f) {
        if (f->collection)
                collection_ignore(f->collection, &f->listener);
        f->collection = NULL;
}
