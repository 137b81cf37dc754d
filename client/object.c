#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"

struct client_object *client_object_new(int64_t revision, const char *namespace, const char *name, struct bytes *json) {
        size_t n_namespace = strlen(namespace) + 1, n_name = strlen(name) + 1;
        struct client_object *object = malloc(sizeof(*object) + n_namespace + n_name);
        char *texts = (char *)(object + 1);

        if (!object)
                return NULL;
        *object = (struct client_object){ .refs = 1,
                                          .revision = revision,
                                          .namespace = texts,
                                          .name = texts + n_namespace,
                                          .json = bytes_ref(json) };
        memcpy(texts, namespace, n_namespace);
        memcpy(texts + n_namespace, name, n_name);
        return object;
}

struct client_object *client_object_ref(struct client_object *object) {
        object->refs++;
        return object;
}

struct client_object *client_object_unref(struct client_object *object) {
        if (object && --object->refs == 0) {
                bytes_unref(object->json);
                free(object);
        }
        return NULL;
}

void client_object_unrefp(struct client_object **object) {
        client_object_unref(*object);
}

int client_object_tree(struct arena *arena, const struct client_object *object, const struct value **ret_tree) {
        return json_parse(arena, (const char *)object->json->data, object->json->size, NULL, ret_tree, NULL);
}

int client_object_read(struct arena *arena, const struct client_object *object, const struct kube_type *type,
                       void *typed) {
        return kube_json_read(arena, type, (const char *)object->json->data, object->json->size, NULL, typed);
}

bool client_object_mentions(const struct client_object *object, const char *text) {
        return memmem(object->json->data, object->json->size, text, strlen(text));
}
