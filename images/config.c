#include "images/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "images/document.h"
#include "images/reference.h"
#include "images/store.h"
#include "images/strings.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/value.h"

/* null and missing are the same; anything else must be a string. */
static int get_text(const struct value *map, const char *key, char **ret_text, struct err **err) {
        const struct value *value = value_get(map, key);

        if (value_is_null(value))
                return 0;
        if (!value_string(value))
                return err_set(err, EINVAL, "%s is %s, not a string", key, value_kind_name(value));
        *ret_text = strdup(value_string(value));
        return *ret_text ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int get_list(const struct value *map, const char *key, char ***ret_list, struct err **err) {
        _cleanup_strings_ struct string_list list = { 0 };
        const struct value *value = value_get(map, key);

        if (value_is_null(value))
                return 0;
        if (!value_is(value, VALUE_LIST))
                return err_set(err, EINVAL, "%s is %s, not a list", key, value_kind_name(value));
        for (uint32_t i = 0; i < value_count(value); i++) {
                const char *text = value_string(value_at(value, i));

                if (!text)
                        return err_set(err, EINVAL, "%s[%u] is %s, not a string", key, i,
                                       value_kind_name(value_at(value, i)));
                if (image_string_list_add(&list, text) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        }
        if (list.count > 0)
                *ret_list = image_string_list_take(&list);
        return 0;
}

/* A set as Go writes one: a map whose values say nothing. */
static int get_set(const struct value *map, const char *key, char ***ret_list, struct err **err) {
        _cleanup_strings_ struct string_list list = { 0 };
        const struct value *value = value_get(map, key);

        if (value_is_null(value))
                return 0;
        if (!value_is(value, VALUE_MAP))
                return err_set(err, EINVAL, "%s is %s, not a map", key, value_kind_name(value));
        for (uint32_t i = 0; i < value_count(value); i++)
                if (image_string_list_add(&list, value->members[i].key) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        if (list.count > 0)
                *ret_list = image_string_list_take(&list);
        return 0;
}

static int get_labels(const struct value *map, struct image_pair **ret_labels, struct err **err) {
        const struct value *value = value_get(map, "Labels");
        struct image_pair *labels;

        if (value_is_null(value) || (value_is(value, VALUE_MAP) && value_count(value) == 0))
                return 0;
        if (!value_is(value, VALUE_MAP))
                return err_set(err, EINVAL, "Labels is %s, not a map", value_kind_name(value));
        labels = calloc(value_count(value) + 1, sizeof(*labels));
        if (!labels)
                return err_set(err, ENOMEM, "out of memory");
        *ret_labels = labels;
        for (uint32_t i = 0; i < value_count(value); i++) {
                const struct value_member *m = &value->members[i];

                if (!value_string(&m->value))
                        return err_set(err, EINVAL, "label %s is %s, not a string", m->key, value_kind_name(&m->value));
                labels[i] = (struct image_pair){ .key = strdup(m->key), .value = strdup(value_string(&m->value)) };
                if (!labels[i].key || !labels[i].value)
                        return err_set(err, ENOMEM, "out of memory");
        }
        return 0;
}

static int get_diff_ids(const struct value *root, struct image_config *config, struct err **err) {
        int r = get_list(value_get(root, "rootfs"), "diff_ids", &config->diff_ids, err);
        size_t n = 0;

        if (r < 0)
                return r;
        for (; config->diff_ids && config->diff_ids[n]; n++)
                if (!image_digest_valid(config->diff_ids[n]))
                        return err_set(err, EINVAL, "diff_ids[%zu] is no sha256 digest", n);
        if (n > IMAGE_LAYERS_MAX)
                return err_set(err, E2BIG, "%zu layers; at most %d can be mounted", n, IMAGE_LAYERS_MAX);
        return 0;
}

static int read_config(const struct value *root, void *data, struct err **err) {
        struct image_config *c = data;
        const struct value *run = value_get(root, "config");
        const struct {
                const struct value *map;
                const char *key;
                char **text;
        } texts[] = {
                { root, "architecture", &c->architecture },
                { root, "os", &c->os },
                { root, "variant", &c->variant },
                { root, "created", &c->created },
                { root, "author", &c->author },
                { run, "User", &c->user },
                { run, "WorkingDir", &c->workdir },
                { run, "StopSignal", &c->stop_signal },
        };
        int r;

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                r = get_text(texts[i].map, texts[i].key, texts[i].text, err);
                if (r < 0)
                        return r;
        }
        if ((r = get_list(run, "Entrypoint", &c->entrypoint, err)) < 0 ||
            (r = get_list(run, "Cmd", &c->cmd, err)) < 0 || (r = get_list(run, "Env", &c->env, err)) < 0 ||
            (r = get_set(run, "Volumes", &c->volumes, err)) < 0 ||
            (r = get_set(run, "ExposedPorts", &c->exposed_ports, err)) < 0 ||
            (r = get_labels(run, &c->labels, err)) < 0)
                return r;
        return get_diff_ids(root, c, err);
}

static void clear(void *data) {
        image_config_clear(data);
}

int image_config_parse(const char *text, size_t n, struct image_config *ret_config, struct err **err) {
        static const struct document_kind kind = { "image config", IMAGE_CONFIG_SIZE_MAX, read_config, clear };
        struct image_config config = { 0 };
        int r = image_document_parse(&kind, text, n, &config, err);

        if (r == 0)
                *ret_config = config;
        return r;
}

void image_config_clear(struct image_config *c) {
        char *texts[] = {
                c->architecture, c->os, c->variant, c->created, c->author, c->user, c->workdir, c->stop_signal
        };
        char **lists[] = { c->entrypoint, c->cmd, c->env, c->volumes, c->exposed_ports, c->diff_ids };

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                free(texts[i]);
        for (size_t i = 0; i < ELEMENTS(lists); i++)
                image_strings_free(lists[i]);
        for (struct image_pair *p = c->labels; p && p->key; p++) {
                free(p->key);
                free(p->value);
        }
        free(c->labels);
        *c = (struct image_config){ 0 };
}

void image_free(struct image *image) {
        if (!image)
                return;
        free(image->id);
        free(image->manifest);
        image_strings_free(image->repo_tags);
        image_strings_free(image->repo_digests);
        image_config_clear(&image->config);
        image_strings_free(image->layers);
        free(image);
}

void image_freep(struct image **image) {
        image_free(*image);
        *image = NULL;
}

void image_list_free(struct image **images, size_t n) {
        for (size_t i = 0; i < n; i++)
                image_free(images[i]);
        free(images);
}
