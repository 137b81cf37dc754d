#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "tests/bench/api_load.h"

static void ask(struct asker *a);

static bool is_over(const struct load *l) {
        return !l->runs || (l->options.count > 0 && l->begun >= l->options.count);
}

static void finish_if_done(struct load *l) {
        if (l->options.count > 0 && l->done + l->failed >= l->options.count)
                uv_stop(&l->loop);
}

/* The token of a list's next page, which stands in its first bytes. */
static void take_token(struct asker *a) {
        static const char key[] = "\"continue\":\"";
        const char *token;
        size_t n;

        a->head[a->n_head] = '\0';
        token = strstr(a->head, key);
        a->next[0] = '\0';
        if (!token)
                return;
        token += sizeof(key) - 1;
        n = strcspn(token, "\"");
        if (n < sizeof(a->next)) {
                memcpy(a->next, token, n);
                a->next[n] = '\0';
        }
}

static void count(struct asker *a, int error) {
        struct load *l = a->load;

        if (error < 0 || a->status < 200 || a->status > 299) {
                if (l->failed++ == 0)
                        fprintf(stderr, "api_load: %s %s: %d (%s) %.*s\n", a->ask.method, a->ask.target, a->status,
                                error ? strerror(-error) : "answered", (int)a->n_head, a->head);
                return;
        }
        l->done++;
        l->end_ns = load_now_ns();
        load_sample(&l->samples, (l->end_ns - a->since_ns) / 1000);
}

static void on_head(struct http_exchange *x, const struct http_response *response) {
        struct asker *a = http_data(x);

        a->status = response->status;
}

static void on_data(struct http_exchange *x, uint8_t *bytes, size_t n) {
        struct asker *a = http_data(x);
        size_t room = sizeof(a->head) - 1 - a->n_head, part = n < room ? n : room;

        memcpy(a->head + a->n_head, bytes, part);
        a->n_head += part;
        a->load->bytes += n;
}

static void on_closed(struct http_exchange *x, int error, const char *why) {
        struct asker *a = http_data(x);
        struct load *l = a->load;

        a->busy = false;
        if (!a->warm) {
                if (error < 0 || a->status != 200)
                        load_fail("the server does not answer: %d %s", a->status, why ?: strerror(-error));
                a->warm = true;
                return load_ready(l);
        }
        take_token(a);
        if (a->next[0] && error == 0 && a->status == 200)
                return ask(a); /* a list is all its pages */
        count(a, error);
        finish_if_done(l);
        if (l->options.rate <= 0)
                ask(a);
}

static const struct http_events events = { .head = on_head, .data = on_data, .closed = on_closed };

static void send_it(struct asker *a) {
        const struct load_options *o = &a->load->options;
        struct http_field fields[LOAD_HEADERS_MAX + 2] = { { "user-agent", "kubectl/v1.36.3 (linux/amd64)" } };
        struct http_client_request request = { .method = a->ask.method, .target = a->ask.target, .fields = fields };
        struct http_exchange *x;

        request.n_fields = 1;
        for (size_t i = 0; a->warm && i < o->n_headers; i++)
                fields[request.n_fields++] = o->headers[i];
        if (a->ask.type) {
                fields[request.n_fields++] = (struct http_field){ "content-type", a->ask.type };
                request.flags = HTTP_REQUEST_BODY;
                request.length = (int64_t)strlen(a->ask.body);
        }
        a->busy = true;
        a->status = 0;
        a->n_head = 0;
        if (http_client_request(a->client, &request, &events, a, &x) < 0)
                load_fail("cannot send %s %s", a->ask.method, a->ask.target);
        if (!a->ask.type)
                return;
        if (http_send(x, a->ask.body, strlen(a->ask.body)) < 0 || http_end(x, NULL, 0) < 0)
                load_fail("cannot send a body");
}

static void ask(struct asker *a) {
        struct load *l = a->load;

        if (!a->next[0]) {
                if (is_over(l))
                        return;
                l->begun++;
                a->made++;
                a->since_ns = load_now_ns();
        }
        l->options.workload->make(a, &a->ask);
        send_it(a);
}

void load_asker_connect(struct load *load, unsigned i) {
        struct asker *a = &load->askers[i];

        *a = (struct asker){ .load = load, .client = load_client(load), .number = i };
        a->ask.method = "GET";
        snprintf(a->ask.target, sizeof(a->ask.target), "/version");
        send_it(a);
}

/* --- at a rate: what is due goes to whoever is free --- */

static struct asker *free_asker(struct load *l) {
        for (unsigned i = 0; i < l->options.clients; i++) {
                struct asker *a = &l->askers[l->next_idle++ % l->options.clients];

                if (!a->busy)
                        return a;
        }
        return NULL;
}

static void on_pace(uv_timer_t *timer) {
        struct load *l = timer->data;
        double seconds = (double)(load_now_ns() - l->begin_ns) / 1e9;

        while (!is_over(l) && (double)(l->begun + l->late) < seconds * l->options.rate) {
                struct asker *a = free_asker(l);

                if (a)
                        ask(a);
                else
                        l->late++; /* the server does not keep up: this one is not made at all */
        }
}

void load_askers_begin(struct load *load) {
        if (load->options.rate > 0) {
                load->pace.data = load;
                uv_timer_start(&load->pace, on_pace, 0, 1);
                return;
        }
        for (unsigned i = 0; i < load->options.clients; i++)
                ask(&load->askers[i]);
}
