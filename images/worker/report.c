#include "images/worker/report.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "images/image.h"
#include "images/message.h"
#include "images/progress.h"
#include "images/reference.h"
#include "images/strings.h"
#include "images/transfer.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/err.h"

struct blob_state {
        char digest[IMAGE_DIGEST_LENGTH + 1];
        const char *phase;
        uint64_t sent_ms;
};

struct report {
        int socket;
        pthread_mutex_t lock; /* guards all below */
        struct image_progress_board *board;
        struct blob_state blobs[IMAGE_LAYERS_MAX + 2];
        size_t n_blobs;
        struct string_list references;
        char image[IMAGE_DIGEST_LENGTH + 1], manifest[IMAGE_DIGEST_LENGTH + 1];
        uint64_t bytes; /* of the layers that came */
        struct message message;
};

struct report *report_new(int socket) {
        struct report *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        r->socket = socket;
        pthread_mutex_init(&r->lock, NULL);
        if (socket < 0 && !(r->board = image_progress_board_new(STDERR_FILENO))) {
                free(r);
                return NULL;
        }
        return r;
}

void report_free(struct report *r) {
        if (!r)
                return;
        image_progress_board_free(r->board);
        image_string_list_clear(&r->references);
        pthread_mutex_destroy(&r->lock);
        free(r);
}

/* Whether it is time to tell of @digest again. */
static bool is_due(struct report *r, const char *digest, const char *phase) {
        uint64_t now = (uint64_t)clock_ms(CLOCK_MONOTONIC);
        size_t i = 0;

        while (i < r->n_blobs && strcmp(r->blobs[i].digest, digest) != 0)
                i++;
        if (i == r->n_blobs) {
                if (i == ELEMENTS(r->blobs))
                        return false;
                snprintf(r->blobs[i].digest, sizeof(r->blobs[i].digest), "%s", digest);
                r->n_blobs++;
        } else if (r->blobs[i].phase == phase && now - r->blobs[i].sent_ms < REPORT_INTERVAL_MS) {
                return false;
        }
        r->blobs[i].phase = phase;
        r->blobs[i].sent_ms = now;
        return true;
}

static void send_message(struct report *r, int flags) {
        send(r->socket, r->message.bytes, r->message.n, flags | MSG_NOSIGNAL);
}

void report_progress(struct report *r, const char *digest, const char *phase, uint64_t done, uint64_t total) {
        const struct image_progress p = { .digest = digest, .phase = phase, .done = done, .total = total };

        pthread_mutex_lock(&r->lock);
        if (strcmp(phase, "done") == 0)
                r->bytes += total;
        if (!is_due(r, digest, phase)) {
                pthread_mutex_unlock(&r->lock);
                return;
        }
        if (r->socket < 0) {
                image_progress_board_update(r->board, &p);
        } else {
                r->message.n = 0;
                image_message_add(&r->message, "kind", "progress");
                image_message_add(&r->message, "digest", digest);
                image_message_add(&r->message, "phase", phase);
                image_message_add_number(&r->message, "done", done);
                image_message_add_number(&r->message, "total", total);
                send_message(r, MSG_DONTWAIT); /* a busy reader misses a figure, no more */
        }
        pthread_mutex_unlock(&r->lock);
}

void report_reference(struct report *r, const char *reference) {
        pthread_mutex_lock(&r->lock);
        image_string_list_add(&r->references, reference);
        pthread_mutex_unlock(&r->lock);
}

void report_image(struct report *r, const char *image_id, const char *manifest) {
        pthread_mutex_lock(&r->lock);
        snprintf(r->image, sizeof(r->image), "%s", image_id);
        snprintf(r->manifest, sizeof(r->manifest), "%s", manifest);
        pthread_mutex_unlock(&r->lock);
}

/* File names from archives and texts from servers reach terminals and logs: control characters do not. */
static void make_printable(char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

static void print_end(struct report *r, const char *error) {
        if (error) {
                fprintf(stderr, "nacelle-image: %s\n", error);
                return;
        }
        for (size_t i = 0; i < r->references.count; i++)
                printf("%s\n", r->references.items[i]);
        if (*r->image)
                printf("%s\n", r->image);
}

void report_end(struct report *r, const struct err *err) {
        char text[ERR_TEXT_MAX];

        snprintf(text, sizeof(text), "%s", err_text(err));
        make_printable(text);
        if (r->socket < 0) {
                print_end(r, err ? text : NULL);
                return;
        }
        r->message.n = 0;
        r->message.full = false;
        image_message_add(&r->message, "kind", err ? "error" : "result");
        if (err) {
                image_message_add_number(&r->message, "code", (unsigned long long)err_code(err));
                image_message_add(&r->message, "text", text);
        } else {
                image_message_add(&r->message, "image", r->image);
                image_message_add(&r->message, "manifest", r->manifest);
                image_message_add_number(&r->message, "bytes", r->bytes);
                for (size_t i = 0; i < r->references.count; i++)
                        image_message_add(&r->message, "reference", r->references.items[i]);
        }
        send_message(r, 0);
}
