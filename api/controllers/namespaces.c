#include "api/controllers/namespaces.h"

#include <string.h>

#include "client/informer.h"
#include "lib/bytes.h"

/* A namespace that is being deleted says so in its metadata, which nothing else there looks like. */
bool namespaces_is_active(const struct informer *namespaces, const char *name) {
        static const char mark[] = "\"deletionTimestamp\":\"";
        const struct client_object *object = informer_find(namespaces, "", name);

        return object && !memmem(object->json->data, object->json->size, mark, sizeof(mark) - 1);
}
