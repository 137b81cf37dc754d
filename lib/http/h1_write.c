#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/grow.h"
#include "lib/http/h1.h"

/* A head as text: fails once and for all. */
struct head {
        char *text;
        size_t n, size;
        bool failed;
};

static void head_freep(struct head *head) {
        free(head->text);
}
#define _cleanup_head_ _cleanup_(head_freep)

static void add(struct head *head, const char *text, size_t n) {
        head->failed = head->failed || GROW(head->text, head->size, head->n + n, GROW_NO_MAX) < 0;
        if (head->failed)
                return;
        memcpy(head->text + head->n, text, n);
        head->n += n;
}

static void add_text(struct head *head, const char *text) {
        add(head, text, strlen(text));
}

static void add_field(struct head *head, const char *name, const char *value) {
        add_text(head, name);
        add(head, ": ", 2);
        add_text(head, value);
        add(head, "\r\n", 2);
}

/* "user-agent" as "User-Agent": names' case means nothing, but for servers that think so. */
static void add_field_in_capitals(struct head *head, const char *name, const char *value) {
        size_t begin = head->n;

        add_field(head, name, value);
        if (head->failed)
                return;
        for (char *p = head->text + begin; *p != ':'; p++)
                if (*p >= 'a' && *p <= 'z' && (p == head->text + begin || p[-1] == '-'))
                        *p = (char)(*p - 'a' + 'A');
}

static void add_fields(struct head *head, const struct http_field *fields, size_t n) {
        for (size_t i = 0; i < n; i++)
                add_field(head, fields[i].name, fields[i].value);
}

static void add_length(struct head *head, int64_t length) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)length);
        add_field(head, "content-length", text);
}

static int write_ranges(struct http_connection *connection, struct iovec *ranges, unsigned n) {
        return connection->closing ? -EPIPE : transport_write(connection->stream, ranges, n);
}

static struct iovec range(const void *data, size_t size) {
        return (struct iovec){ (void *)(uintptr_t)data, size };
}

#define CHUNK_LINE 20

/* A head (may be empty) and a piece of the body behind it, which lies in @bytes if that is not NULL, as a chunk where
 * the message has chunks. */
static int write_piece(struct http_connection *connection, const struct head *head, const struct http_piece *piece,
                       struct bytes *bytes) {
        struct h1 *h1 = connection->state;
        struct bytes *owners[5] = { 0 };
        struct iovec ranges[5];
        char line[CHUNK_LINE];
        unsigned n = 0;

        if (head)
                ranges[n++] = range(head->text, head->n);
        if (piece->size > 0 && h1->chunked_out)
                ranges[n++] = range(line, (size_t)snprintf(line, sizeof(line), "%zx\r\n", piece->size));
        owners[n] = piece->size > 0 ? bytes : NULL;
        if (piece->size > 0)
                ranges[n++] = range(piece->data, piece->size);
        if (piece->size > 0 && h1->chunked_out)
                ranges[n++] = range("\r\n", 2);
        if (piece->end && h1->chunked_out)
                ranges[n++] = range("0\r\n\r\n", 5);
        if (n == 0)
                return 0;
        return connection->closing ? -EPIPE : transport_write_shared(connection->stream, ranges, owners, n);
}

/* The last chunk, and the trailers behind it. */
static int write_end(struct http_connection *connection, const struct http_field *trailers, size_t n) {
        _cleanup_head_ struct head text = { 0 };
        struct iovec all;

        add(&text, "0\r\n", 3);
        add_fields(&text, trailers, n);
        add(&text, "\r\n", 2);
        all = range(text.text, text.n);
        return text.failed ? -ENOMEM : write_ranges(connection, &all, 1);
}

/* How the body of a response ends (RFC 9112, 6): by its length, by chunks, or, for HTTP/1.0, by the connection's end.
 */
static void add_framing(struct head *head, struct http_exchange *x, struct h1 *h1) {
        int status = x->head->response.status;

        if (x->tunnel) {
                if (status == 101) {
                        add_field(head, "connection", "Upgrade");
                        add_field(head, "upgrade", x->request.upgrade);
                }
                return;
        }
        if (x->head->response.length >= 0 && status != 204 && status != 304)
                add_length(head, x->head->response.length);
        else if (status != 204 && status != 304 && x->request.version >= 11) {
                h1->chunked_out = !x->discards;
                add_field(head, "transfer-encoding", "chunked");
        } else if (!x->discards)
                h1->keep_alive = false;
        if (!h1->keep_alive || x->connection->draining)
                add_field(head, "connection", "close");
}

static void begin_response(struct head *head, int status) {
        char line[64];

        snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", status, http_reason(status));
        add_text(head, line);
}

/* What came behind the head is the tunnel's. */
static void open_tunnel(struct http_connection *connection) {
        struct h1 *h1 = connection->state;

        h1->state = H1_TUNNEL;
        connection->tunnel = true;
        transport_resume(connection->stream);
        h1_take_waiting(connection);
}

int h1_respond(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        struct http_connection *connection = x->connection;
        struct h1 *h1 = connection->state;
        _cleanup_head_ struct head head = { 0 };
        struct http_piece whole = *piece;
        int r;

        if (x->upgrading && !x->tunnel)
                x->in_ended = true;
        if (connection->draining || (!h1_is_whole(h1) && (piece->end || h1->continue_due) && !h1_may_skip(h1)))
                h1->keep_alive = false;
        h1->continue_due = false;
        h1->chunked_out = false;
        begin_response(&head, x->head->response.status);
        add_fields(&head, x->head->response.fields.items, x->head->response.fields.count);
        if (x->head->response.status >= 200 && !connection->no_date)
                add_field(&head, "date", hub_date(connection->hub));
        add_framing(&head, x, h1);
        add(&head, "\r\n", 2);
        whole.end = piece->end && x->head->trailers_out.count == 0;
        r = head.failed ? -ENOMEM : write_piece(connection, &head, &whole, bytes);
        if (r < 0)
                return r;
        if (piece->end && !whole.end && h1->chunked_out &&
            (r = write_end(connection, x->head->trailers_out.items, x->head->trailers_out.count)) < 0)
                return r;
        if (x->tunnel)
                open_tunnel(connection);
        else if (piece->end)
                h1_sent(connection);
        return 0;
}

int h1_inform(struct http_exchange *x, int status, const struct http_field *fields, size_t n) {
        _cleanup_head_ struct head head = { 0 };
        struct iovec all;

        begin_response(&head, status);
        add_fields(&head, fields, n);
        add(&head, "\r\n", 2);
        all = range(head.text, head.n);
        return head.failed ? -ENOMEM : write_ranges(x->connection, &all, 1);
}

void h1_refuse(struct http_connection *connection, int status, const char *why) {
        struct h1 *h1 = connection->state;
        _cleanup_head_ struct head head = { 0 };
        struct iovec ranges[2];

        h1->keep_alive = false;
        h1_discard(connection);
        begin_response(&head, status);
        add_field(&head, "content-type", "text/plain; charset=utf-8");
        add_field(&head, "date", hub_date(connection->hub));
        add_length(&head, (int64_t)strlen(why) + 1);
        add_field(&head, "connection", "close");
        add(&head, "\r\n", 2);
        ranges[0] = range(head.text, head.n);
        add_text(&head, why);
        add(&head, "\n", 1);
        ranges[0] = range(head.text, head.n);
        if (head.failed || write_ranges(connection, ranges, 1) < 0)
                return connection_close(connection, -ENOMEM, NULL);
        transport_finish(connection->stream);
        connection->owner->progress(connection);
}

static void add_request_framing(struct head *head, struct http_exchange *x, struct h1 *h1) {
        const struct http_request *request = &x->request;

        if (request->upgrade) {
                add_field(head, "connection", "Upgrade");
                add_field(head, "upgrade", request->upgrade);
        }
        if (request->length > 0 ||
            (request->length == 0 && (strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
                                      strcmp(request->method, "PATCH") == 0)))
                add_length(head, request->length);
        h1->chunked_out = request->length < 0;
        if (h1->chunked_out)
                add_field(head, "transfer-encoding", "chunked");
}

/* What was sent before there was a connection. */
static int write_kept(struct http_exchange *x) {
        struct iovec kept;

        while (queue_peek(&x->out, &kept, 1) > 0) {
                int r = write_piece(x->connection, NULL,
                                    &(struct http_piece){ .data = kept.iov_base, .size = kept.iov_len }, NULL);

                queue_drop(&x->out, kept.iov_len);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A request's body and end, as far as they are there. */
static int write_rest(struct http_exchange *x, bool chunked) {
        int r = write_kept(x);

        if (r < 0 || !x->out_ended || !chunked)
                return r;
        return write_end(x->connection, x->head->trailers_out.items, x->head->trailers_out.count);
}

int h1_request(struct http_exchange *x) {
        struct http_connection *connection = x->connection;
        const struct http_request *request = &x->request;
        struct h1 *h1 = connection->state;
        void (*add_request_field)(struct head *, const char *, const char *) =
                connection->lenient ? add_field_in_capitals : add_field;
        _cleanup_head_ struct head head = { 0 };
        int r;

        h1->x = x;
        add_text(&head, request->method);
        add(&head, " ", 1);
        add_text(&head, *request->target ? request->target : request->authority);
        add(&head, " HTTP/1.1\r\n", 11);
        add_request_field(&head, "host", request->authority);
        for (uint32_t i = 0; i < request->fields.count; i++)
                add_request_field(&head, request->fields.items[i].name, request->fields.items[i].value);
        add_request_framing(&head, x, h1);
        add(&head, "\r\n", 2);
        r = head.failed ? -ENOMEM : write_piece(connection, &head, &(struct http_piece){ 0 }, NULL);
        if (r >= 0)
                r = write_rest(x, h1->chunked_out);
        x->out_done = x->out_ended;
        exchange_dry(x);
        return r;
}

int h1_send(struct http_exchange *x, const struct http_piece *piece, struct bytes *bytes) {
        return write_piece(x->connection, NULL, piece, bytes);
}

int h1_send_ranges(struct http_exchange *x, const struct iovec *ranges, unsigned n) {
        struct http_connection *connection = x->connection;
        const struct h1 *h1 = connection->state;
        struct iovec all[HTTP_RANGES_MAX + 2];
        char line[CHUNK_LINE];
        unsigned count = 0;
        size_t size = 0;

        for (unsigned i = 0; i < n; i++)
                size += ranges[i].iov_len;
        if (h1->chunked_out)
                all[count++] = range(line, (size_t)snprintf(line, sizeof(line), "%zx\r\n", size));
        memcpy(all + count, ranges, n * sizeof(*ranges));
        count += n;
        if (h1->chunked_out)
                all[count++] = range("\r\n", 2);
        return write_ranges(connection, all, count);
}

int h1_end(struct http_exchange *x, const struct http_field *trailers, size_t n) {
        struct http_connection *connection = x->connection;
        struct h1 *h1 = connection->state;
        int r = h1->chunked_out ? write_end(connection, trailers, n) : 0;

        if (x->tunnel)
                transport_finish(connection->stream);
        if (r < 0)
                return r;
        h1_sent(connection);
        return 0;
}
