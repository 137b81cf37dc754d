#include "api/server/deadline.h"

#include <stdint.h>
#include <string.h>

#include "api/server/flow.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/go_text.h"
#include "lib/http/exchange.h"
#include "lib/http/server.h"

#define NS_PER_MS 1000000

/* --- the parameter --- */

static bool is_unit(const char *unit, size_t n) {
        static const char *const units[] = { "ns", "us", "µs", "μs", "ms", "s", "m", "h" };

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i]) == n && memcmp(units[i], unit, n) == 0)
                        return true;
        return false;
}

/* What Go's time.ParseDuration() says of @text, which is none. */
static const char *complaint(struct arena *arena, const char *text) {
        static const char digits[] = "0123456789";
        const char *quoted = go_text_quote(arena, text) ?: "\"\"", *at = text + (*text == '-' || *text == '+');
        size_t whole, part;

        while (*at) {
                whole = strspn(at, digits);
                part = at[whole] == '.' ? strspn(at + whole + 1, digits) : 0;
                if (whole + part == 0)
                        break;
                at += whole + (at[whole] == '.') + part;
                part = strcspn(at, ".0123456789");
                if (part == 0)
                        return arena_printf(arena, "time: missing unit in duration %s", quoted);
                if (!is_unit(at, part))
                        return arena_printf(arena, "time: unknown unit %s in duration %s",
                                            go_text_quote(arena, arena_strndup(arena, at, part)), quoted);
                at += part;
        }
        return arena_printf(arena, "time: invalid duration %s", quoted);
}

/* What a client may ask for is less than what the server gives; 0 asks for nothing. */
static void shorten(struct api_request *r, int64_t ns) {
        if (ns > 0 && (uint64_t)ns < r->timeout_ns)
                r->timeout_ns = (uint64_t)ns;
}

enum api_step api_deadline_read(struct api_request *r) {
        const char *query = http_request_of(r->x)->query, *text;
        int64_t ns;

        r->load = api_load_of(r);
        if (r->load == API_LOAD_LONG)
                return API_NEXT;
        r->timeout_ns = (r->server->config.limits.timeout_ms ?: API_TIMEOUT_MS) * NS_PER_MS;
        text = *query ? http_query(r->arena, query, "timeout") : NULL;
        if (!text || !*text)
                return API_NEXT;
        if (duration_parse(text, &ns) < 0)
                return api_refuse(r, API_BAD_REQUEST, "invalid timeout specified in the request URL - %s",
                                  complaint(r->arena, text) ?: "");
        shorten(r, ns);
        if (uv_hrtime() - r->began_ns < r->timeout_ns)
                return API_NEXT;
        api_answer_late(r);
        return API_END;
}

/* --- those that wait --- */

/* The JSON of a Status that has neither kind nor version, and that Go takes for text. */
void api_answer_late(struct api_request *r) {
        api_respond_text(
                r, 504,
                "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not complete within "
                "the allotted timeout\",\"reason\":\"Timeout\",\"details\":{},\"code\":504}\n");
}

static uint64_t end_of(const struct api_request *r) {
        return (r->began_ns + r->timeout_ns) / NS_PER_MS + 1;
}

static void on_timer(uv_timer_t *timer);

static void stand_at(struct api_loop *loop, uint64_t ms) {
        uint64_t now = uv_hrtime() / NS_PER_MS;

        uv_timer_start(&loop->deadline, on_timer, ms > now ? ms - now : 0, 0);
        loop->deadline_ms = ms;
}

static void expire(struct api_request *r) {
        if (r->receives)
                return http_collect_end(r->x, -ETIMEDOUT);
        api_keep_body(r);
        api_answer_late(r);
}

/* A request that is told so may be gone after it, and others with it: from the start then. */
static struct api_request *find_late(struct api_loop *loop, uint64_t now, uint64_t *ret_next) {
        *ret_next = UINT64_MAX;
        LIST_EACH (api_waiting, r, &loop->waiting) {
                if (end_of(r) <= now)
                        return r;
                if (end_of(r) < *ret_next)
                        *ret_next = end_of(r);
        }
        return NULL;
}

static void on_timer(uv_timer_t *timer) {
        struct api_loop *loop = timer->data;
        struct api_request *r;
        uint64_t next;

        while ((r = find_late(loop, uv_hrtime() / NS_PER_MS, &next))) {
                api_deadline_disarm(r);
                if (r->x)
                        expire(r);
        }
        if (next != UINT64_MAX)
                stand_at(loop, next);
}

void api_deadline_arm(struct api_request *r) {
        struct api_loop *loop = r->loop;

        if (!r->x || r->timeout_ns == 0 || api_waiting_contains(r))
                return;
        api_waiting_append(&loop->waiting, r);
        if (!uv_is_active((uv_handle_t *)&loop->deadline) || end_of(r) < loop->deadline_ms)
                stand_at(loop, end_of(r));
}

void api_deadline_disarm(struct api_request *r) {
        if (api_waiting_contains(r))
                api_waiting_remove(r);
}

void api_deadlines_start(struct api_loop *loop) {
        loop->deadline.data = loop;
        uv_timer_init(loop->uv, &loop->deadline);
}

void api_deadlines_stop(struct api_loop *loop) {
        uv_close((uv_handle_t *)&loop->deadline, NULL);
}
