#include "api/controllers/secrets.h"

#include <string.h>

#include "kube/core_v1.h"
#include "kube/scalar.h"

const struct kube_bytes *secrets_get(const struct kube_secret *secret, const char *key) {
        list_for_each (entry, &secret->data)
                if (strcmp(entry->key, key) == 0)
                        return entry->value.length > 0 ? &entry->value : NULL;
        return NULL;
}

bool secrets_is(const struct kube_secret *secret, const char *key, const char *text) {
        const struct kube_bytes *value = secrets_get(secret, key);

        return value && value->length == strlen(text) && memcmp(value->data, text, value->length) == 0;
}

int64_t secrets_expiration(const struct kube_secret *secret) {
        const struct kube_bytes *value = secrets_get(secret, "expiration");
        struct kube_time time;

        if (!value)
                return INT64_MAX;
        return kube_time_parse((const char *)value->data, value->length, false, &time) ? time.seconds : 0;
}
