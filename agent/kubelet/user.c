#include "agent/kubelet/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/http/exchange.h"
#include "lib/json_writer.h"
#include "lib/openssl.h"
#include "lib/transport/transport.h"
#include "lib/value.h"
#include "lib/x509.h"

#define AUTHENTICATED "system:authenticated"
#define UNAUTHENTICATED "system:unauthenticated"
#define CREDENTIAL "authentication.kubernetes.io/credential-id"

struct kubelet_user *kubelet_user_ref(struct kubelet_user *user) {
        user->refs++;
        return user;
}

struct kubelet_user *kubelet_user_unref(struct kubelet_user *user) {
        if (user && --user->refs == 0)
                free(user);
        return NULL;
}

/* One piece of memory. @w holds a map, whose braces are not the user's. */
static int make_user(const char *name, struct json_writer *w, struct kubelet_user **ret_user) {
        _cleanup_free_ char *text = NULL;
        size_t length, n_name = strlen(name) + 1;
        struct kubelet_user *user;
        char *at;

        json_end_map(w);
        if (json_writer_finish(w, &text, &length) < 0 || !(user = malloc(sizeof(*user) + n_name + length)))
                return -ENOMEM;
        at = (char *)(user + 1);
        memcpy(at, name, n_name);
        memcpy(at + n_name, text + 1, length - 2);
        at[n_name + length - 2] = '\0';
        *user = (struct kubelet_user){ .refs = 1, .name = at, .spec = at + n_name };
        *ret_user = user;
        return 0;
}

static void begin(struct json_writer *w, const char *name, const char *uid) {
        json_begin_map(w);
        json_add_string(w, "user", name);
        json_add_string_if(w, "uid", uid);
        json_key(w, "groups");
        json_begin_list(w);
}

struct kubelet_user *kubelet_user_anonymous(void) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        struct kubelet_user *user = NULL;

        begin(&w, KUBELET_ANONYMOUS, NULL);
        json_string(&w, UNAUTHENTICATED);
        json_end_list(&w);
        return make_user(KUBELET_ANONYMOUS, &w, &user) == 0 ? user : NULL;
}

int kubelet_user_of_review(const struct value *info, struct kubelet_user **ret_user) {
        const char *name = value_string(value_get(info, "username"));
        const struct value *groups = value_get(info, "groups"), *extra = value_get(info, "extra");
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;
        bool is_in = false;

        if (!name || !*name)
                return -EINVAL;
        begin(&w, name, value_string(value_get(info, "uid")));
        for (uint32_t i = 0; i < value_count(groups); i++) {
                const char *group = value_string_or(value_at(groups, i), "");

                json_string(&w, group);
                is_in |= strcmp(group, AUTHENTICATED) == 0 || strcmp(group, UNAUTHENTICATED) == 0;
        }
        if (!is_in)
                json_string(&w, AUTHENTICATED);
        json_end_list(&w);
        if (value_count(extra) > 0) {
                json_key(&w, "extra");
                json_value(&w, extra);
        }
        return make_user(name, &w, ret_user);
}

static int user_of_subject(const struct x509_subject *subject, struct kubelet_user **ret_user) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT;

        begin(&w, subject->name, subject->uid);
        for (size_t i = 0; i < subject->n_organizations; i++)
                json_string(&w, subject->organizations[i]);
        json_string(&w, AUTHENTICATED);
        json_end_list(&w);
        json_key(&w, "extra");
        json_begin_map(&w);
        json_key(&w, CREDENTIAL);
        json_begin_list(&w);
        json_string(&w, subject->credential);
        json_end_list(&w);
        json_end_map(&w);
        return make_user(subject->name, &w, ret_user);
}

int kubelet_user_of_certificate(struct http_exchange *x, X509_STORE *authorities, long long now,
                                struct kubelet_user **ret_user, struct err **err) {
        struct transport *stream = http_transport(x);
        SSL *tls = stream ? transport_tls(stream) : NULL;
        _cleanup_x509_ X509 *certificate = tls ? SSL_get_peer_certificate(tls) : NULL;
        struct x509_subject subject;
        int64_t until;
        int r;

        if (!certificate || !authorities)
                return -ENODATA;
        r = x509_check_client(authorities, certificate, SSL_get_peer_cert_chain(tls), now, &until, err);
        if (r == -EKEYEXPIRED)
                return -EACCES;
        if (r < 0 || (r = x509_subject_read(http_arena(x), certificate, &subject, err)) < 0)
                return r;
        return subject.name && *subject.name ? user_of_subject(&subject, ret_user) : -ENODATA;
}
