#include "images/message.h"

#include <stdio.h>
#include <string.h>

void image_message_add(struct message *m, const char *key, const char *value) {
        size_t n_key = strlen(key) + 1, n_value = value ? strlen(value) + 1 : 0;

        if (!value)
                return;
        if (m->full || n_key + n_value > sizeof(m->bytes) - m->n) {
                m->full = true;
                return;
        }
        memcpy(m->bytes + m->n, key, n_key);
        memcpy(m->bytes + m->n + n_key, value, n_value);
        m->n += n_key + n_value;
}

void image_message_add_number(struct message *m, const char *key, unsigned long long value) {
        char text[24];

        snprintf(text, sizeof(text), "%llu", value);
        image_message_add(m, key, text);
}

bool image_message_next(const struct message *m, size_t *at, const char **ret_key, const char **ret_value) {
        const char *key, *value;

        if (*at >= m->n)
                return false;
        key = m->bytes + *at;
        value = key + strlen(key) + 1;
        *at = (size_t)(value + strlen(value) + 1 - m->bytes);
        *ret_key = key;
        *ret_value = value;
        return true;
}

const char *image_message_get(const struct message *m, const char *key) {
        const char *k, *value;

        for (size_t at = 0; image_message_next(m, &at, &k, &value);)
                if (strcmp(k, key) == 0)
                        return value;
        return NULL;
}

bool image_message_valid(const struct message *m) {
        size_t nuls = 0;

        if (m->n == 0 || m->n > sizeof(m->bytes) || m->bytes[m->n - 1] != '\0')
                return false;
        for (size_t i = 0; i < m->n; i++)
                nuls += m->bytes[i] == '\0';
        return nuls % 2 == 0;
}
