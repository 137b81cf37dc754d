#include "images/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/files.h"
#include "images/layout.h"
#include "images/manifest.h"
#include "images/store_internal.h"
#include "images/strings.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/grow.h"
#include "lib/log.h"

#define ID_PREFIX_MIN 4

int image_store_open(const char *root_dir, struct image_store **ret_store, struct err **err) {
        _cleanup_close_ int lock = -EBADF;
        struct image_store *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return err_set(err, ENOMEM, "out of memory");
        r = image_layout_open(root_dir, &store->layout, err);
        if (r < 0) {
                free(store);
                return r;
        }
        if (image_layout_lock(&store->layout, IMAGE_LOCK_EXCLUSIVE, &lock, NULL) == 0)
                image_layout_sweep(&store->layout);
        *ret_store = store;
        return 0;
}

void image_store_close(struct image_store *store) {
        if (!store)
                return;
        image_layout_close(&store->layout);
        free(store);
}

const char *image_store_path(const struct image_store *store) {
        return store->layout.path;
}

static int read_manifest(struct image_store *store, const char *digest, struct manifest *ret, uint64_t *size,
                         struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r = image_file_read(store->layout.blobs, digest_hex(digest), IMAGE_MANIFEST_SIZE_MAX, &text, &n, err);

        if (r < 0 || (r = image_manifest_parse(text, n, ret, err)) < 0)
                return r;
        *size += n;
        return 0;
}

static int read_config(struct image_store *store, const char *digest, struct image_config *ret, uint64_t *size,
                       struct err **err) {
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r = image_file_read(store->layout.blobs, digest_hex(digest), IMAGE_CONFIG_SIZE_MAX, &text, &n, err);

        if (r < 0 || (r = image_config_parse(text, n, ret, err)) < 0)
                return r;
        *size += n;
        return 0;
}

/* The lowerdirs, topmost first, of config @config with digest @id; adds what they take to *@size. */
static int find_layers(struct image_store *store, const char *id, const struct image_config *config,
                       struct string_list *layers, uint64_t *size, struct err **err) {
        size_t n = 0;

        while (config->diff_ids && config->diff_ids[n])
                n++;
        while (n-- > 0) {
                char name[LAYER_NAME_MAX];
                uint64_t bytes;

                int r = image_layout_find_layer(&store->layout, config->diff_ids[n], id, name, &bytes, NULL);

                if (r < 0 && r != -ENOENT)
                        return err_errno(err, -r, "layer %s", config->diff_ids[n]);
                if (r < 0)
                        return err_set(err, EBADMSG, "layer %s is not unpacked; pull the image again",
                                       config->diff_ids[n]);
                if (image_string_list_addf(layers, "%s/layers/%s/fs", store->layout.path, name) < 0)
                        return err_set(err, ENOMEM, "out of memory");
                *size += bytes;
        }
        return 0;
}

static int load(struct image_store *store, const struct image_ref *ref, struct image **ret_image, struct err **err) {
        _cleanup_manifest_ struct manifest manifest = { .entries = NULL };
        _cleanup_strings_ struct string_list layers = { 0 };
        _cleanup_image_ struct image *image = calloc(1, sizeof(*image));
        int r;

        if (!image || !(image->id = strdup(ref->image_id)) || !(image->manifest = strdup(ref->manifest)))
                return err_set(err, ENOMEM, "out of memory");
        r = read_manifest(store, ref->manifest, &manifest, &image->size, err);
        if (r < 0)
                return r;
        if (strcmp(manifest.config.digest, ref->image_id) != 0)
                return err_set(err, EBADMSG, "manifest %s is another image's", ref->manifest);
        r = read_config(store, ref->image_id, &image->config, &image->size, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < manifest.n_layers; i++)
                image->size += manifest.layers[i].size;
        r = find_layers(store, ref->image_id, &image->config, &layers, &image->size, err);
        if (r < 0)
                return r;
        image->n_layers = layers.count;
        image->layers = image_string_list_take(&layers);
        if (!image->layers)
                return err_set(err, ENOMEM, "out of memory");
        *ret_image = TAKE_PTR(image);
        return 0;
}

/* One record of refs/, kept while the image is put together. */
struct name {
        struct image_ref ref;
        char *text; /* NULL for an image without a name */
        bool digest;
};

struct names {
        struct name *items;
        size_t count, room;
        const char *only; /* image id, or NULL for all */
};

static void names_clear(struct names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i].text);
        free(names->items);
}

static int add_name(void *data, const struct image_reference *reference, const struct image_ref *ref) {
        char text[IMAGE_REFERENCE_MAX + 1];
        struct names *names = data;
        struct name *n;
        int r;

        if (names->only && strcmp(names->only, ref->image_id) != 0)
                return 0;
        if ((r = GROW(names->items, names->room, names->count + 1, GROW_NO_MAX)) < 0)
                return r;
        n = &names->items[names->count];
        *n = (struct name){ .ref = *ref };
        if (reference) {
                n->digest = *reference->digest;
                n->text = strdup(image_reference_format(reference, text));
                if (!n->text)
                        return -ENOMEM;
        }
        names->count++;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        const struct name *x = a, *y = b;

        return strcmp(x->ref.image_id, y->ref.image_id) ?: strcmp(x->ref.manifest, y->ref.manifest);
}

static int add_texts(const struct name *name, struct string_list *tags, struct string_list *digests) {
        int r;

        if (!name->text)
                return 0;
        if (name->digest)
                return image_string_list_add(digests, name->text);
        if ((r = image_string_list_add(tags, name->text)) < 0)
                return r;
        return image_string_list_addf(digests, "%.*s@%s", (int)(strrchr(name->text, ':') - name->text), name->text,
                                      name->ref.manifest);
}

/* Texts of the @n records at @names, which are one image's. Every tag implies a digest: NAME@MANIFEST. */
static int set_names(struct image *image, const struct name *names, size_t n) {
        _cleanup_strings_ struct string_list tags = { 0 }, digests = { 0 };
        int r;

        for (size_t i = 0; i < n; i++)
                if ((r = add_texts(&names[i], &tags, &digests)) < 0)
                        return r;
        image_string_list_sort(&tags);
        image_string_list_sort(&digests);
        image->repo_tags = image_string_list_take(&tags);
        image->repo_digests = image_string_list_take(&digests);
        return image->repo_tags && image->repo_digests ? 0 : -ENOMEM;
}

/* Loads the image of the @n records at @names by the first that is whole. */
static int load_named(struct image_store *store, const struct name *names, size_t n, struct image **ret,
                      struct err **err) {
        _cleanup_image_ struct image *image = NULL;
        struct err *first = NULL;
        int r = -ENOENT;

        for (size_t i = 0; i < n; i++) {
                if (i > 0 && strcmp(names[i].ref.manifest, names[i - 1].ref.manifest) == 0)
                        continue;
                r = load(store, &names[i].ref, &image, &first);
                if (r == 0)
                        break;
        }
        if (r < 0 || (r = set_names(image, names, n)) < 0) {
                err_wrap(&first, r, "image %s (%s)", names[0].ref.image_id, names[0].text ?: "without a name");
                if (!first)
                        return err_set(err, ENOMEM, "out of memory");
                err_move(err, first);
                return r;
        }
        err_free(first);
        *ret = TAKE_PTR(image);
        return 0;
}

static int collect_names(struct image_store *store, const char *only, struct names *names, struct err **err) {
        int r;

        names->only = only;
        r = image_refs(&store->layout, add_name, names, err);
        if (r == -ENOMEM)
                err_set(err, ENOMEM, "out of memory");
        if (r == 0 && names->count > 0)
                qsort(names->items, names->count, sizeof(*names->items), compare_names);
        return r;
}

int image_store_list(struct image_store *store, struct image ***ret_images, size_t *ret_n, struct err **err) {
        _cleanup_(names_clear) struct names names = { .items = NULL };
        struct image **images;
        size_t n = 0, end;
        int r = collect_names(store, NULL, &names, err);

        if (r < 0)
                return r;
        images = calloc(names.count + 1, sizeof(struct image *));
        if (!images)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < names.count; i = end) {
                _cleanup_err_ struct err *broken = NULL;

                for (end = i + 1; end < names.count; end++)
                        if (strcmp(names.items[i].ref.image_id, names.items[end].ref.image_id) != 0)
                                break;
                if (load_named(store, &names.items[i], end - i, &images[n], &broken) == 0)
                        n++;
                else
                        log_warning("image store %s: left out: %s", store->layout.path, err_text(broken));
        }
        *ret_images = images;
        *ret_n = n;
        return 0;
}

/* The hex digits that @name may be an id by; NULL when it cannot be. */
static const char *as_id_prefix(const char *name) {
        const char *hex = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
        size_t n = strlen(hex);

        return n >= ID_PREFIX_MIN && n <= 64 && strspn(hex, "0123456789abcdef") == n ? hex : NULL;
}

struct match {
        const char *prefix;
        char id[IMAGE_DIGEST_LENGTH + 1]; /* "" until found */
        bool ambiguous;
};

static int match_id(void *data, const struct image_reference *reference, const struct image_ref *ref) {
        struct match *match = data;

        (void)reference;
        if (strncmp(digest_hex(ref->image_id), match->prefix, strlen(match->prefix)) != 0)
                return 0;
        if (*match->id && strcmp(match->id, ref->image_id) != 0)
                match->ambiguous = true;
        strcpy(match->id, ref->image_id);
        return 0;
}

static int resolve_reference(struct image_store *store, const char *name, struct image_ref *ret_ref, struct err **err) {
        struct image_reference reference;
        int r = image_reference_parse(name, &reference, err);

        return r < 0 ? r : image_ref_read(&store->layout, &reference, ret_ref, err);
}

int image_store_resolve(struct image_store *store, const char *name, char ret_id[IMAGE_DIGEST_LENGTH + 1],
                        struct err **err) {
        struct match match = { .prefix = as_id_prefix(name) };
        struct image_ref ref;
        struct err *cause = NULL;
        int r = resolve_reference(store, name, &ref, &cause);

        if (r >= 0) {
                strcpy(ret_id, ref.image_id);
                return 0;
        }
        if (!match.prefix || (r != -ENOENT && r != -EINVAL))
                return err_move(err, cause);
        err_free(cause);
        r = image_refs(&store->layout, match_id, &match, err);
        if (r < 0)
                return r;
        if (match.ambiguous)
                return err_set(err, EINVAL, "several images have ids that begin with %s", match.prefix);
        if (!*match.id)
                return err_set(err, ENOENT, "image %s is not here", name);
        strcpy(ret_id, match.id);
        return 0;
}

int image_store_find(struct image_store *store, const char *name, struct image **ret_image, struct err **err) {
        _cleanup_(names_clear) struct names names = { .items = NULL };
        char id[IMAGE_DIGEST_LENGTH + 1];
        int r = image_store_resolve(store, name, id, err);

        if (r < 0 || (r = collect_names(store, id, &names, err)) < 0)
                return r;
        if (names.count == 0)
                return err_set(err, ENOENT, "image %s is not here", name);
        r = load_named(store, names.items, names.count, ret_image, err);
        return r < 0 && r != -ENOMEM ? -EBADMSG : r;
}

int image_store_read_config(struct image_store *store, const char *image_id, char **ret_text, size_t *ret_n,
                            struct err **err) {
        if (!image_digest_valid(image_id))
                return err_set(err, EINVAL, "\"%.100s\" is no image's id", image_id);
        return image_file_read(store->layout.blobs, digest_hex(image_id), IMAGE_CONFIG_SIZE_MAX, ret_text, ret_n, err);
}

int image_store_layers(struct image_store *store, const char *image_id, char ***ret_layers, struct err **err) {
        _cleanup_strings_ struct string_list layers = { 0 };
        struct image_config config;
        uint64_t size = 0;
        int r;

        if (!image_digest_valid(image_id))
                return err_set(err, EINVAL, "\"%.100s\" is no image's id", image_id);
        r = read_config(store, image_id, &config, &size, err);
        if (r < 0)
                return err_wrap(err, r, "image %s", image_id);
        r = find_layers(store, image_id, &config, &layers, &size, err);
        image_config_clear(&config);
        if (r < 0)
                return err_wrap(err, r, "image %s", image_id);
        *ret_layers = image_string_list_take(&layers);
        return *ret_layers ? 0 : err_set(err, ENOMEM, "out of memory");
}
