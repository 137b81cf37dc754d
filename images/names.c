#include <errno.h>
#include <string.h>

#include "images/files.h"
#include "images/store_internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* Finds any record of one image, and how many there are. */
struct search {
        const char *id;
        struct image_ref ref;
        size_t count;
};

static int count_record(void *data, const struct image_reference *reference, const struct image_ref *ref) {
        struct search *search = data;

        (void)reference;
        if (strcmp(ref->image_id, search->id) == 0) {
                search->ref = *ref;
                search->count++;
        }
        return 0;
}

int image_store_tag(struct image_store *store, const char *name, const char *text, struct err **err) {
        char id[IMAGE_DIGEST_LENGTH + 1];
        struct search search = { .id = id };
        _cleanup_close_ int lock = -EBADF;
        struct image_reference reference;
        int r;

        if ((r = image_reference_parse(text, &reference, err)) < 0)
                return r;
        if (*reference.digest)
                return err_set(err, EINVAL, "image reference \"%s\": a new name has a tag, not a digest", text);
        if ((r = image_layout_lock(&store->layout, IMAGE_LOCK_SHARED, &lock, err)) < 0 ||
            (r = image_store_resolve(store, name, id, err)) < 0 ||
            (r = image_refs(&store->layout, count_record, &search, err)) < 0)
                return r;
        if (search.count == 0)
                return err_set(err, ENOENT, "image %s is not here", name);
        return image_ref_write(&store->layout, &reference, &search.ref, err);
}

int image_store_untag(struct image_store *store, const char *text, struct err **err) {
        _cleanup_close_ int lock = -EBADF;
        struct image_reference reference;
        struct search search = { .count = 0 };
        struct image_ref ref;
        int r;

        if ((r = image_reference_parse(text, &reference, err)) < 0 ||
            (r = image_layout_lock(&store->layout, IMAGE_LOCK_SHARED, &lock, err)) < 0 ||
            (r = image_ref_read(&store->layout, &reference, &ref, err)) < 0)
                return r;
        search.id = ref.image_id;
        if ((r = image_refs(&store->layout, count_record, &search, err)) < 0)
                return r;
        if (search.count == 1 && (r = image_ref_write_unnamed(&store->layout, &ref, err)) < 0)
                return r;
        if (*reference.digest)
                *reference.tag = '\0';
        return image_ref_remove(&store->layout, &reference, err);
}

struct removal {
        struct image_store *store;
        const char *id;
        struct err **err;
};

static int remove_record(void *data, const struct image_reference *reference, const struct image_ref *ref) {
        const struct removal *removal = data;

        if (strcmp(ref->image_id, removal->id) != 0)
                return 0;
        return reference ? image_ref_remove(&removal->store->layout, reference, removal->err) :
                           image_ref_remove_unnamed(&removal->store->layout, ref, removal->err);
}

int image_store_remove(struct image_store *store, const char *name, struct err **err) {
        char id[IMAGE_DIGEST_LENGTH + 1];
        struct removal removal = { .store = store, .id = id, .err = err };
        struct err *cause = NULL;
        int r = image_store_resolve(store, name, id, &cause);

        if (r == -ENOENT) {
                err_free(cause);
                return 0;
        }
        if (r < 0)
                return err_move(err, cause);
        return image_refs(&store->layout, remove_record, &removal, err);
}
