#include "api/auth/authorizer.h"

#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "lib/arena.h"

/* Both, a newline between them; @more alone where there is nothing yet. Without memory what was there. */
static const char *add_text(struct arena *arena, const char *text, const char *more) {
        if (!more || !more[0])
                return text;
        return text[0] ? arena_printf(arena, "%s\n%s", text, more) ?: text : more;
}

struct auth_verdict auth_authorize(const struct auth_authorizer *chain, size_t n, const struct auth_attributes *a,
                                   struct arena *arena) {
        struct auth_verdict all = { .reason = "", .error = "" };

        for (size_t i = 0; i < n; i++) {
                struct auth_verdict one = { .reason = "", .error = "" };

                chain[i].authorize(chain[i].data, a, arena, &one);
                if (one.decision != AUTH_NO_OPINION)
                        return one;
                all.reason = add_text(arena, all.reason, one.reason);
                all.error = add_text(arena, all.error, one.error);
        }
        return all;
}

static void authorize_masters(void *data, const struct auth_attributes *a, struct arena *arena,
                              struct auth_verdict *ret) {
        if (auth_user_in(a->user, AUTH_GROUP_MASTERS))
                ret->decision = AUTH_ALLOW;
}

const struct auth_authorizer auth_masters = { .name = "system:masters", .authorize = authorize_masters };
