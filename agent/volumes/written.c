#include "agent/volumes/written.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volumes/atomic_writer.h"
#include "agent/volumes/nested.h"
#include "agent/volumes/tmpfs.h"
#include "agent/volumes/tree.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* A volume's files as they are put together. */
struct written {
        const struct pod_files *files;
        struct arena *arena;
        const struct opt_int *mode; /* of files that have none of their own */
        struct atomic_file *list;
        size_t n, room;
        size_t left; /* bytes of files that may still come */
};

static const struct kube_pod_security_context *security_of(const struct pod_files *files) {
        return files->pod->spec.security_context;
}

static gid_t group_of(const struct pod_files *files) {
        const struct kube_pod_security_context *security = security_of(files);

        return security && security->fs_group.set ? (gid_t)security->fs_group.value : (gid_t)-1;
}

/* The user that all containers run as; 0: there is none, or they differ (pkg/volume/util, FsUserFrom()). */
static uid_t user_of(const struct pod_files *files) {
        const struct kube_pod_security_context *shared = security_of(files);
        const kube_container_items *const lists[] = { &files->pod->spec.init_containers, &files->pod->spec.containers };
        int64_t user = -1;

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                list_for_each (c, lists[i]) {
                        const struct opt_int *own = c->security_context && c->security_context->run_as_user.set ?
                                                            &c->security_context->run_as_user :
                                                    shared ? &shared->run_as_user :
                                                             NULL;

                        if (!own || !own->set || (user >= 0 && user != own->value))
                                return 0;
                        user = own->value;
                }
        return user > 0 ? (uid_t)user : 0;
}

/* Its own, or the volume's; readable for the group when there is an fsGroup. */
static mode_t file_mode(const struct written *w, const struct opt_int *own) {
        mode_t mode = own && own->set ? (mode_t)own->value :
                      w->mode->set    ? (mode_t)w->mode->value :
                                        POD_VOLUME_MODE_DEFAULT;

        return group_of(w->files) != (gid_t)-1 ? mode | 0440 : mode;
}

static int add(struct written *w, const struct atomic_file *file, struct err **err) {
        size_t room = w->room ? w->room * 2 : 16;
        struct atomic_file *more;

        if (w->n == ATOMIC_FILES_MAX)
                return err_set(err, E2BIG, "more than %d files", ATOMIC_FILES_MAX);
        if (file->length > w->left)
                return err_set(err, E2BIG, "the files of the pod's volumes have more than %zu bytes",
                               WRITTEN_BYTES_MAX);
        w->left -= file->length;
        if (w->n == w->room) {
                if (!(more = arena_alloc_array(w->arena, room, sizeof(*more))))
                        return err_set(err, ENOMEM, "out of memory");
                if (w->n)
                        memcpy(more, w->list, w->n * sizeof(*more));
                w->list = more;
                w->room = room;
        }
        w->list[w->n++] = *file;
        return 0;
}

/* -- downwardAPI ------------------------------------------------------------------------------------------- */

static int downward_text(const struct pod_files *files, struct arena *arena,
                         const struct kube_downward_api_volume_file *item, const char **ret_text, struct err **err) {
        const struct kube_container *container;

        if (item->field_ref)
                return pod_field_value(arena, files->pod, &files->facts, item->field_ref->field_path, ret_text, err);
        if (!item->resource_field_ref)
                return err_set(err, EINVAL, "file %s has no source", item->path);
        container = item->resource_field_ref->container_name ?
                            pod_find_container(files->pod, item->resource_field_ref->container_name) :
                            NULL;
        if (!container)
                return err_set(err, EINVAL, "no container %s", item->resource_field_ref->container_name);
        return pod_resource_value(arena, &(struct pod_place){ files->pod, container, &files->facts },
                                  item->resource_field_ref, ret_text, err);
}

static int add_downward(struct written *w, const kube_downward_api_volume_file_items *items, struct err **err) {
        list_for_each (item, items) {
                const char *text = NULL;
                int r = downward_text(w->files, w->arena, item, &text, err);

                if (r < 0)
                        return r;
                r = add(w,
                        &(struct atomic_file){ .path = item->path,
                                               .data = text,
                                               .length = strlen(text),
                                               .mode = file_mode(w, &item->mode) },
                        err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* -- configMap, secret ------------------------------------------------------------------------------------- */

/* What is asked of an object: all its keys, or some as files of other names. */
struct wanted {
        enum pod_object_kind kind;
        const char *name;
        const kube_key_to_path_items *items;
        enum tri optional;
};

static int add_key(struct written *w, const struct pod_object_key *key, const struct kube_key_to_path *item,
                   struct err **err) {
        const struct atomic_file file = { .path = item ? item->path : key->key,
                                          .data = key->data,
                                          .length = key->length,
                                          .mode = file_mode(w, item ? &item->mode : NULL) };

        return add(w, &file, err);
}

static int add_items(struct written *w, const struct wanted *wanted, const struct pod_object *object,
                     struct err **err) {
        list_for_each (item, wanted->items) {
                const struct pod_object_key *key = pod_object_find(object, item->key);
                int r = key ? add_key(w, key, item, err) : 0;

                if (r < 0)
                        return r;
                if (!key && wanted->optional != TRI_TRUE)
                        return err_set(err, ENOENT,
                                       wanted->kind == POD_SECRET ? "references non-existent secret key: %s" :
                                                                    "configmap references non-existent config key: %s",
                                       item->key);
        }
        return 0;
}

static int add_object(struct written *w, const struct wanted *wanted, struct err **err) {
        const struct pod_object *object = NULL;
        _cleanup_err_ struct err *inner = NULL;
        int r = pod_sources_object(w->files->facts.sources, wanted->kind, wanted->name, &object, &inner);

        if (r == -ENOENT && wanted->optional == TRI_TRUE)
                return 0;
        if (r < 0)
                return err_move(err, TAKE_PTR(inner));
        if (wanted->items->count)
                return add_items(w, wanted, object, err);
        for (size_t i = 0; r == 0 && i < object->n_keys; i++)
                r = add_key(w, &object->keys[i], NULL, err);
        return r;
}

/* -- projected --------------------------------------------------------------------------------------------- */

/* With a user or a group of its own a token is for these alone. */
static int add_token(struct written *w, const struct kube_service_account_token_projection *token, struct err **err) {
        struct atomic_file file = { .path = token->path, .mode = file_mode(w, NULL), .owner = user_of(w->files) };
        int r = pod_sources_token(w->files->facts.sources, token->audience ?: "", token->expiration_seconds.value,
                                  &file.data, err);

        if (r < 0)
                return r;
        if (file.owner)
                file.mode = 0600;
        if (group_of(w->files) != (gid_t)-1)
                file.mode = 0640;
        file.length = file.data ? strlen(file.data) : 0;
        return file.data ? add(w, &file, err) : 0;
}

static int add_projection(struct written *w, const struct kube_volume_projection *source, struct err **err) {
        const struct kube_config_map_projection *map = source->config_map;
        const struct kube_secret_projection *secret = source->secret;

        if (map)
                return add_object(w, &(struct wanted){ POD_CONFIG_MAP, map->name, &map->items, map->optional }, err);
        if (secret)
                return add_object(w, &(struct wanted){ POD_SECRET, secret->name, &secret->items, secret->optional },
                                  err);
        if (source->downward_api)
                return add_downward(w, &source->downward_api->items, err);
        if (source->service_account_token)
                return add_token(w, source->service_account_token, err);
        if (source->cluster_trust_bundle || source->pod_certificate)
                return err_set(err, EOPNOTSUPP, "nothing here makes projected sources of type %s",
                               source->cluster_trust_bundle ? "clusterTrustBundle" : "podCertificate");
        return 0;
}

/* All errors are told, as Go prints several: "[one, other]". */
static int add_projections(struct written *w, const struct kube_projected_volume_source *projected, struct err **err) {
        const char *text = NULL;
        size_t n = 0;
        int result = 0;

        list_for_each (source, &projected->sources) {
                _cleanup_err_ struct err *one = NULL;
                int r = add_projection(w, source, &one);

                if (r == 0)
                        continue;
                result = result && result != -EAGAIN ? result : r; /* it may be had later only if all may */
                text = n++ == 0 ? arena_strdup(w->arena, err_text(one)) :
                                  arena_printf(w->arena, "%s, %s", text ?: "", err_text(one));
        }
        if (result == 0)
                return 0;
        return err_set(err, -result, n == 1 ? "%s" : "[%s]", text ?: "out of memory");
}

/* -- all --------------------------------------------------------------------------------------------------- */

bool written_is(const struct kube_volume *volume) {
        return volume->config_map || volume->secret || volume->downward_api || volume->projected;
}

static int add_all(struct written *w, const struct kube_volume *volume, struct err **err) {
        const struct kube_config_map_volume_source *map = volume->config_map;
        const struct kube_secret_volume_source *secret = volume->secret;

        w->mode = map                  ? &map->default_mode :
                  secret               ? &secret->default_mode :
                  volume->downward_api ? &volume->downward_api->default_mode :
                                         &volume->projected->default_mode;
        if (map)
                return add_object(w, &(struct wanted){ POD_CONFIG_MAP, map->name, &map->items, map->optional }, err);
        if (secret)
                return add_object(
                        w, &(struct wanted){ POD_SECRET, secret->secret_name, &secret->items, secret->optional }, err);
        if (volume->downward_api)
                return add_downward(w, &volume->downward_api->items, err);
        return add_projections(w, volume->projected, err);
}

static int compare_files(const void *a, const void *b) {
        const struct atomic_file *const *one = a, *const *other = b;
        int c = strcmp((*one)->path, (*other)->path);

        return c ? c : *one < *other ? -1 : *one > *other;
}

/* Of several of one path the last counts. */
static int drop_doubles(struct written *w, struct err **err) {
        struct atomic_file **order = arena_alloc_array(w->arena, w->n + 1, sizeof(*order));
        struct atomic_file *kept = arena_alloc_array(w->arena, w->n + 1, sizeof(*kept));
        size_t n = 0;

        if (!order || !kept)
                return err_set(err, ENOMEM, "out of memory");
        for (size_t i = 0; i < w->n; i++)
                order[i] = &w->list[i];
        qsort(order, w->n, sizeof(*order), compare_files);
        for (size_t i = 0; i < w->n; i++)
                if (i + 1 == w->n || strcmp(order[i]->path, order[i + 1]->path) != 0)
                        kept[n++] = *order[i];
        w->list = kept;
        w->n = n;
        return 0;
}

static int make_directory(const struct pod_files *files, const struct kube_volume *volume, const char *path,
                          struct err **err) {
        mode_t mode = volume->config_map ? 0777 : 01777;
        gid_t gid = group_of(files);
        int r;

        if ((r = pod_tree_make(path, 0777, err)) < 0 ||
            (!volume->config_map && (r = tmpfs_make(files, 0, path, err)) < 0))
                return r;
        if (gid != (gid_t)-1 && (chown(path, (uid_t)-1, gid) < 0 || chmod(path, mode | S_ISGID) < 0))
                return err_errno(err, errno, "cannot give %s to group %u", path, gid);
        return 0;
}

static bool was_made(const char *path) {
        _cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        return dir >= 0 && fstatat(dir, "..data", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What the service has not said, after a start of the agent without it, is as it was. */
int written_make(const struct pod_files *files, const struct kube_volume *volume, const char *path, size_t *left,
                 struct err **err) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct written w = { .files = files, .arena = arena, .left = *left };
        _cleanup_err_ struct err *inner = NULL;
        int r;

        if (!arena)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = add_all(&w, volume, &inner)) < 0)
                return r == -EAGAIN && was_made(path) ? 0 : err_move(err, TAKE_PTR(inner));
        *left = w.left;
        if ((r = drop_doubles(&w, err)) < 0 || (r = make_directory(files, volume, path, err)) < 0)
                return r;
        if ((r = atomic_write(path, w.list, w.n, group_of(files), err)) < 0)
                return r;
        return nested_make(files, volume, path, err);
}
