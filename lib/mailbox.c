#include "lib/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct letter {
        void (*run)(void *data);
        void *data;
};

/* Posters fill @in; the loop takes it whole, and gives them the other one. */
struct mailbox {
        uv_async_t async;
        pthread_mutex_t lock;
        struct letter *in, *out;
        unsigned n, size;
        bool closed;
};

static void deliver(struct mailbox *mailbox) {
        struct letter *letters;
        unsigned n;

        pthread_mutex_lock(&mailbox->lock);
        letters = mailbox->in;
        n = mailbox->n;
        mailbox->in = mailbox->out;
        mailbox->out = letters;
        mailbox->n = 0;
        pthread_mutex_unlock(&mailbox->lock);
        for (unsigned i = 0; i < n; i++)
                letters[i].run(letters[i].data);
}

static void on_async(uv_async_t *async) {
        deliver(async->data);
}

int mailbox_new(uv_loop_t *loop, unsigned size, struct mailbox **ret_mailbox) {
        struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
        int r;

        if (!mailbox)
                return -ENOMEM;
        pthread_mutex_init(&mailbox->lock, NULL);
        mailbox->size = size;
        mailbox->in = calloc(size, sizeof(*mailbox->in));
        mailbox->out = calloc(size, sizeof(*mailbox->out));
        r = mailbox->in && mailbox->out ? uv_async_init(loop, &mailbox->async, on_async) : -ENOMEM;
        if (r < 0) {
                mailbox_free(mailbox);
                return r;
        }
        mailbox->async.data = mailbox;
        *ret_mailbox = mailbox;
        return 0;
}

int mailbox_post(struct mailbox *mailbox, void (*run)(void *data), void *data) {
        bool first = false;
        int r = 0;

        pthread_mutex_lock(&mailbox->lock);
        if (mailbox->closed)
                r = -EPIPE;
        else if (mailbox->n == mailbox->size)
                r = -EAGAIN;
        else {
                first = mailbox->n == 0;
                mailbox->in[mailbox->n++] = (struct letter){ run, data };
        }
        /* Within the lock: the handle is closed by who has it. */
        if (first)
                uv_async_send(&mailbox->async);
        pthread_mutex_unlock(&mailbox->lock);
        return r;
}

void mailbox_close(struct mailbox *mailbox) {
        pthread_mutex_lock(&mailbox->lock);
        mailbox->closed = true;
        pthread_mutex_unlock(&mailbox->lock);
        deliver(mailbox);
        uv_close((uv_handle_t *)&mailbox->async, NULL);
}

void mailbox_free(struct mailbox *mailbox) {
        if (!mailbox)
                return;
        pthread_mutex_destroy(&mailbox->lock);
        free(mailbox->in);
        free(mailbox->out);
        free(mailbox);
}
