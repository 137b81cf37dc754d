/* Heads and chunked bodies of any bytes. What is taken as a request says only what a head may hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/http/lenient.h"
#include "lib/http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const struct http_fields *fields) {
        if (fields->count > HTTP_FIELDS_MAX)
                abort();
        for (uint32_t i = 0; i < fields->count; i++)
                if (!http_is_token(fields->items[i].name, strlen(fields->items[i].name)) ||
                    !http_is_value(fields->items[i].value, strlen(fields->items[i].value)))
                        abort();
}

static void parse_head(const char *text, size_t size) {
        struct arena *arena = arena_new();
        struct http_request request;
        struct http_response response;
        struct http_parsed parsed;

        if (http_parse_request(arena, text, size, &request, &parsed) == 0) {
                check_fields(&request.fields);
                if (parsed.framing == HTTP_BY_CLOSE || (*request.target && !strchr("/*", *request.target)))
                        abort();
        }
        if (http_parse_response(arena, text, size, "GET", &response, &parsed) == 0)
                check_fields(&response.fields);
        arena_free(arena);
}

/* What a strict reader takes for an answer, a lenient one does, and as the same. */
static void parse_leniently(const char *text, size_t size) {
        ssize_t n = http_lenient_find(text, size, 0), strict_n = http_parse_find(text, size, 0);
        struct arena *arena = arena_new();
        struct http_response strict, response;
        struct http_parsed strictly, parsed;
        bool taken = n > 0 && http_lenient_response(arena, text, (size_t)n, "GET", &response, &parsed) == 0;

        for (size_t seen = 0; seen < size; seen += 7)
                if (http_lenient_find(text, seen, 0) == 0 && http_lenient_find(text, size, seen) != n)
                        abort();
        if (taken)
                check_fields(&response.fields);
        if (strict_n > 0 && http_parse_response(arena, text, (size_t)strict_n, "GET", &strict, &strictly) == 0 &&
            (!taken || n != strict_n || response.status != strict.status || parsed.framing != strictly.framing ||
             parsed.length != strictly.length || response.fields.count != strict.fields.count))
                abort();
        arena_free(arena);
}

/* Taken in one piece and in many, a body is the same. */
static size_t take(const uint8_t *data, size_t size, size_t step) {
        struct arena *arena = arena_new();
        struct http_fields trailers = { 0 };
        struct http_chunks chunks = { 0 };
        size_t total = 0;
        int r = 0;

        for (size_t at = 0; at < size && r >= 0 && chunks.state != HTTP_CHUNKS_DONE; at += step) {
                size_t n = size - at < step ? size - at : step;
                uint8_t *p = (uint8_t *)(uintptr_t)(data + at);
                struct http_span piece;

                while (n > 0 && chunks.state != HTTP_CHUNKS_DONE &&
                       (r = http_chunks_take(&chunks, arena, &p, &n, &trailers, &piece)) >= 0)
                        total += r > 0 ? piece.size : 0;
        }
        check_fields(&trailers);
        http_chunks_done(&chunks);
        arena_free(arena);
        return r < 0 ? SIZE_MAX : total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        ssize_t head = http_parse_find((const char *)data, size, 0);

        if (head > 0)
                parse_head((const char *)data, (size_t)head);
        parse_leniently((const char *)data, size);
        if (take(data, size, size ? size : 1) != take(data, size, 3))
                abort();
        return 0;
}
