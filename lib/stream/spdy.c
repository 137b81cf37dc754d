#include "lib/stream/spdy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 3
#define DICTIONARY_SIZE 1423

/* A block of headers that goes out is stored (RFC 1951, 3.2.4): few and short as they are, compressing them would only
 * cost each client 10 KB. Behind it goes an empty block, as Z_SYNC_FLUSH makes it: what readers give out their bytes
 * at. */
static const uint8_t zlib_head[] = { 0x78, 0x01 }; /* RFC 1950, 2.2: no dictionary */
static const uint8_t flushed[] = { 0, 0, 0, 0xff, 0xff };
#define STORED_HEAD 5
#define STORED_MAX 0xffff

enum {
        TYPE_SYN_STREAM = 1,
        TYPE_SYN_REPLY = 2,
        TYPE_RST_STREAM = 3,
        TYPE_SETTINGS = 4,
        TYPE_PING = 6,
        TYPE_GOAWAY = 7,
        TYPE_HEADERS = 8,
        TYPE_WINDOW_UPDATE = 9,
};

/* The dictionary both sides' zlib begins with (section 2.6.10.1): words with a 32-bit length in front, then a tail. */
/* clang-format off */
static const char *const words[] = {
        "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
        "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
        "content-base", "content-encoding", "content-language", "content-length", "content-location",
        "content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host",
        "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified",
        "location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer",
        "retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via",
        "warning", "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url",
        "public", "set-cookie", "keep-alive", "origin",
};
/* clang-format on */
static const char tail[] =
        "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authori"
        "tative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not "
        "Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug S"
        "ept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,imag"
        "e/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
        "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static void put32(uint8_t *p, uint32_t n) {
        p[0] = (uint8_t)(n >> 24);
        p[1] = (uint8_t)(n >> 16);
        p[2] = (uint8_t)(n >> 8);
        p[3] = (uint8_t)n;
}

static uint32_t get32(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void make_dictionary(uint8_t ret_dictionary[DICTIONARY_SIZE]) {
        uint8_t *p = ret_dictionary;

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                size_t n = strlen(words[i]);

                put32(p, (uint32_t)n);
                memcpy(p + 4, words[i], n);
                p += 4 + n;
        }
        memcpy(p, tail, sizeof(tail) - 1);
}

int spdy_init(struct spdy *spdy) {
        *spdy = (struct spdy){};
        return inflateInit(&spdy->inflate) == Z_OK ? 0 : -ENOMEM;
}

void spdy_done(struct spdy *spdy) {
        if (spdy->inflate.state)
                inflateEnd(&spdy->inflate);
        free(spdy->control);
        free(spdy->headers);
        *spdy = (struct spdy){};
}

/* Decompresses a header block into @out. Returns the length, or a negative errno. */
static int64_t decompress(struct spdy *spdy, const uint8_t *block, size_t size, char *out, size_t room) {
        z_stream *z = &spdy->inflate;
        uint8_t dictionary[DICTIONARY_SIZE];
        int r;

        z->next_in = (uint8_t *)(uintptr_t)block;
        z->avail_in = (uInt)size;
        z->next_out = (uint8_t *)out;
        z->avail_out = (uInt)room;
        do {
                r = inflate(z, Z_SYNC_FLUSH);
                if (r == Z_NEED_DICT) {
                        make_dictionary(dictionary);
                        r = inflateSetDictionary(z, dictionary, sizeof(dictionary));
                }
        } while (r == Z_OK && z->avail_in > 0 && z->avail_out > 0);
        if (r != Z_OK && r != Z_BUF_ERROR)
                return -EPROTO;
        if (z->avail_out == 0)
                return -EMSGSIZE;
        return (int64_t)(room - z->avail_out);
}

/* One text with its length in front; moves *@p behind it and ends it with a NUL in the place of what followed. */
static const char *take_text(uint8_t **p, const uint8_t *end) {
        uint32_t n;
        uint8_t *text;

        if (end - *p < 4)
                return NULL;
        n = get32(*p);
        if (n > (size_t)(end - *p - 4))
                return NULL;
        text = *p;
        *p += 4 + n;
        memmove(text, text + 4, n); /* over the length, which makes room for the NUL */
        text[n] = '\0';
        return (const char *)text;
}

static int parse_fields(struct spdy *spdy, uint8_t *p, const uint8_t *end) {
        uint32_t n;

        spdy->n_fields = 0;
        if (end - p < 4)
                return -EPROTO;
        n = get32(p);
        if (n > SPDY_HEADERS_COUNT_MAX)
                return -EMSGSIZE;
        p += 4;
        for (uint32_t i = 0; i < n; i++) {
                const char *name = take_text(&p, end), *value = name ? take_text(&p, end) : NULL;

                if (!value)
                        return -EPROTO;
                spdy->fields[i].name = name;
                spdy->fields[i].value = value;
                spdy->n_fields++;
        }
        return 0;
}

static int read_headers(struct spdy *spdy, const uint8_t *block, size_t size) {
        char headers[SPDY_HEADERS_MAX];
        int64_t n = decompress(spdy, block, size, headers, sizeof(headers));
        char *kept;

        if (n < 0)
                return (int)n;
        kept = realloc(spdy->headers, (size_t)n + 1);
        if (!kept)
                return -ENOMEM;
        spdy->headers = memcpy(kept, headers, (size_t)n);
        return parse_fields(spdy, (uint8_t *)kept, (uint8_t *)kept + n);
}

/* A whole control frame is in spdy->control, behind its 8 bytes of head. Returns 1 when it makes an event. */
static int handle_control(struct spdy *spdy, struct spdy_event *ret_event) {
        uint16_t type = (uint16_t)(spdy->head[2] << 8 | spdy->head[3]);
        const uint8_t *p = spdy->control;
        uint32_t size = spdy->control_size;
        int r;

        if ((uint16_t)((spdy->head[0] & 0x7f) << 8 | spdy->head[1]) != VERSION)
                return -EPROTO;
        *ret_event = (struct spdy_event){ .fin = spdy->head[4] & SPDY_FIN };
        if (size >= 4)
                ret_event->stream = get32(p) & 0x7fffffff;
        switch (type) {
        case TYPE_SYN_STREAM:
                if (size < 10)
                        return -EPROTO;
                r = read_headers(spdy, p + 10, size - 10);
                ret_event->kind = SPDY_STREAM;
                return r < 0 ? r : 1;
        case TYPE_SYN_REPLY:
        case TYPE_HEADERS: /* read, for the decompressor's sake */
                return size < 4 ? -EPROTO : read_headers(spdy, p + 4, size - 4);
        case TYPE_RST_STREAM:
                ret_event->kind = SPDY_RESET;
                return size < 8 ? -EPROTO : 1;
        case TYPE_PING:
                if (size < 4)
                        return -EPROTO;
                ret_event->kind = SPDY_PING;
                ret_event->stream = get32(p);
                return 1;
        case TYPE_GOAWAY:
                ret_event->kind = SPDY_GOAWAY;
                return 1;
        case TYPE_WINDOW_UPDATE: /* of flow control that is not there: what it adds up to does not matter */
                return size < 8 || (get32(p + 4) & 0x7fffffff) == 0 ? -EPROTO : 0;
        default: /* SETTINGS, and what a later version may add */
                return 0;
        }
}

static int begin_frame(struct spdy *spdy) {
        uint32_t size = get32(spdy->head + 4) & 0xffffff;

        if (!(spdy->head[0] & 0x80)) {
                spdy->stream = get32(spdy->head);
                spdy->flags = spdy->head[4];
                spdy->left = size;
                spdy->in_data = true;
                return 0;
        }
        if (size > SPDY_CONTROL_MAX)
                return -EMSGSIZE;
        spdy->control = malloc(size + 1);
        if (!spdy->control)
                return -ENOMEM;
        spdy->control_size = size;
        spdy->control_filled = 0;
        spdy->in_control = true;
        return 0;
}

static int take_data(struct spdy *spdy, const uint8_t **data, size_t *size, struct spdy_event *ret_event) {
        size_t n = spdy->left < *size ? spdy->left : *size;

        if (n == 0 && spdy->left > 0)
                return 0;
        *ret_event = (struct spdy_event){ .kind = SPDY_DATA, .stream = spdy->stream, .data = *data, .size = n };
        spdy->left -= (uint32_t)n;
        *data += n;
        *size -= n;
        if (spdy->left == 0) {
                ret_event->fin = spdy->flags & SPDY_FIN;
                spdy->in_data = false;
                spdy->n_head = 0;
        }
        return 1;
}

static int take_control(struct spdy *spdy, const uint8_t **data, size_t *size, struct spdy_event *ret_event) {
        size_t n = spdy->control_size - spdy->control_filled;
        int r;

        if (n > *size)
                n = *size;
        memcpy(spdy->control + spdy->control_filled, *data, n);
        spdy->control_filled += (uint32_t)n;
        *data += n;
        *size -= n;
        if (spdy->control_filled < spdy->control_size)
                return 0;
        r = handle_control(spdy, ret_event);
        free(spdy->control);
        spdy->control = NULL;
        spdy->in_control = false;
        spdy->n_head = 0;
        return r;
}

int spdy_decode(struct spdy *spdy, const uint8_t **data, size_t *size, struct spdy_event *ret_event) {
        for (;;) {
                int r;

                while (!spdy->in_data && !spdy->in_control) {
                        if (*size == 0)
                                return 0;
                        spdy->head[spdy->n_head++] = *(*data)++;
                        (*size)--;
                        if (spdy->n_head == sizeof(spdy->head) && (r = begin_frame(spdy)) < 0)
                                return r;
                }
                if (spdy->in_data)
                        return take_data(spdy, data, size, ret_event);
                r = take_control(spdy, data, size, ret_event);
                if (r != 0 || spdy->in_control)
                        return r;
        }
}

const char *spdy_header(const struct spdy *spdy, const char *name) {
        for (unsigned i = 0; i < spdy->n_fields; i++)
                if (strcmp(spdy->fields[i].name, name) == 0)
                        return spdy->fields[i].value;
        return NULL;
}

void spdy_data_header(uint8_t ret_head[SPDY_DATA_HEADER_SIZE], uint32_t stream, uint8_t flags, uint32_t size) {
        put32(ret_head, stream & 0x7fffffff);
        put32(ret_head + 4, size);
        ret_head[4] = flags;
}

static void control_header(uint8_t *frame, uint8_t type, uint8_t flags, size_t size) {
        put32(frame, 0x80000000u | VERSION << 16 | type);
        put32(frame + 4, (uint32_t)size);
        frame[4] = flags;
}

/* Writes a block of headers as the other side's inflate() takes it; 0 when there is no room. */
static size_t store_block(struct spdy *spdy, const uint8_t *block, size_t size, uint8_t *out, size_t room) {
        size_t n = spdy->headers_sent ? 0 : sizeof(zlib_head);

        if (size > STORED_MAX || n + STORED_HEAD + size + sizeof(flushed) > room)
                return 0;
        memcpy(out, zlib_head, n);
        spdy->headers_sent = true;
        out += n;
        out[0] = 0; /* not the last block; stored */
        out[1] = (uint8_t)size;
        out[2] = (uint8_t)(size >> 8);
        out[3] = (uint8_t)~out[1];
        out[4] = (uint8_t)~out[2];
        memcpy(out + STORED_HEAD, block, size);
        memcpy(out + STORED_HEAD + size, flushed, sizeof(flushed));
        return n + STORED_HEAD + size + sizeof(flushed);
}

size_t spdy_syn_reply(struct spdy *spdy, uint32_t stream, uint8_t ret_frame[SPDY_REPLY_MAX]) {
        uint8_t none[4] = {};
        size_t n = store_block(spdy, none, sizeof(none), ret_frame + 12, SPDY_REPLY_MAX - 12);

        control_header(ret_frame, TYPE_SYN_REPLY, 0, 4 + n);
        put32(ret_frame + 8, stream);
        return 12 + n;
}

size_t spdy_ping(uint32_t id, uint8_t ret_frame[SPDY_REPLY_MAX]) {
        control_header(ret_frame, TYPE_PING, 0, 4);
        put32(ret_frame + 8, id);
        return 12;
}

size_t spdy_reset(uint32_t stream, uint32_t status, uint8_t ret_frame[SPDY_REPLY_MAX]) {
        control_header(ret_frame, TYPE_RST_STREAM, 0, 8);
        put32(ret_frame + 8, stream);
        put32(ret_frame + 12, status);
        return 16;
}

size_t spdy_goaway(uint32_t last_stream, uint32_t status, uint8_t ret_frame[SPDY_REPLY_MAX]) {
        control_header(ret_frame, TYPE_GOAWAY, 0, 8);
        put32(ret_frame + 8, last_stream);
        put32(ret_frame + 12, status);
        return 16;
}

size_t spdy_syn_stream(struct spdy *spdy, uint32_t stream, const char *const (*headers)[2], unsigned n,
                       uint8_t *ret_frame, size_t room) {
        uint8_t block[2048];
        size_t size = 4;

        put32(block, n);
        for (unsigned i = 0; i < 2 * n; i++) {
                const char *text = headers[i / 2][i % 2];
                size_t length = strlen(text);

                if (size + 4 + length > sizeof(block))
                        return 0;
                put32(block + size, (uint32_t)length);
                memcpy(block + size + 4, text, length);
                size += 4 + length;
        }
        if (room < 19)
                return 0;
        size = store_block(spdy, block, size, ret_frame + 18, room - 18);
        control_header(ret_frame, TYPE_SYN_STREAM, 0, 10 + size);
        put32(ret_frame + 8, stream);
        put32(ret_frame + 12, 0);
        ret_frame[16] = ret_frame[17] = 0;
        return size ? 18 + size : 0;
}
