/* Messages between the agent and nacelle-image: pairs of texts in one packet of a SOCK_SEQPACKET socket, each text with
 * its NUL.
 *
 * The first pair's key is "kind". A request has kind "pull", "import", "push", "export" or "login" and the fields of
 * struct image_transfer_request; answers are "progress" (digest, phase, done, total), then one "result" (image,
 * manifest, reference...) or "error" (code, text).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define IMAGE_MESSAGE_MAX 65536 /* bytes of one packet */
#define IMAGE_SOCKET_FD 3       /* the worker's end */

struct message {
        size_t n;  /* bytes used */
        bool full; /* a pair did not fit */
        char bytes[IMAGE_MESSAGE_MAX];
};

/* Appends a pair; nothing when @value is NULL. */
void image_message_add(struct message *message, const char *key, const char *value);
void image_message_add_number(struct message *message, const char *key, unsigned long long value);

/* The value of the first pair with @key; NULL when there is none. Points into the message, which must have come whole
 * (image_message_valid()). */
const char *image_message_get(const struct message *message, const char *key);

/* Steps through the pairs: *@at starts at 0. False at the end. */
bool image_message_next(const struct message *message, size_t *at, const char **ret_key, const char **ret_value);

/* Whether the bytes are whole pairs. */
bool image_message_valid(const struct message *message);
