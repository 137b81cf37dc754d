/* Keys, tokens and certificates as the API service makes them, for Kubernetes' own programs to take: DIR is its
 * --data-dir.
 *
 *     credentials DIR SERVER                            makes DIR/pki and DIR/admin.kubeconfig
 *     credentials DIR SERVER token NAMESPACE NAME UID   a token for that service account
 *     credentials DIR SERVER review UID                 what a TokenReview says of the token on standard input, where
 * every object has this uid credentials DIR SERVER discovery JWKS_URI         the two documents, a line each
 *     credentials DIR SERVER sign SIGNER USAGE...       the certificate for the request on standard input
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/auth/issue.h"
#include "api/auth/keys.h"
#include "api/auth/review.h"
#include "api/pki/csr.h"
#include "kube/codec/codec.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json_writer.h"

static struct arena *arena;
static struct pki *pki;
static struct auth_keys *keys;
static const char *uid;

#define ISSUER "https://kubernetes.default.svc"

static void need(int r, struct err *err, const char *what) {
        if (r >= 0)
                return;
        fprintf(stderr, "credentials: %s: %s\n", what, err ? err_text(err) : strerror(-r));
        exit(1);
}

static int find(void *data, struct arena *a, const char *resource, const char *namespace, const char *name,
                struct auth_object *ret_object) {
        *ret_object = (struct auth_object){ .uid = uid };
        return 0;
}

static const char *read_all(void) {
        char *text = arena_alloc(arena, PKI_CSR_MAX + 1);
        size_t n = fread(text, 1, PKI_CSR_MAX, stdin);

        while (n > 0 && text[n - 1] == '\n' && strncmp(text, "-----", 5) != 0)
                n--;
        text[n] = '\0';
        return text;
}

static void token(char **args) {
        const struct auth_issue issue = { .keys = keys, .issuer = ISSUER, .objects = { .find = find } };
        const struct auth_account account = { args[0], args[1], args[2] };
        struct kube_authentication_v1_token_request request = { 0 };
        struct problems problems;
        const char *message = "";

        problems_init(&problems, arena, NULL, NULL);
        need(auth_issue_token(&issue, &account, time(NULL), &request, &problems, &message), NULL, message);
        puts(request.status.token);
}

static void review(char **args) {
        const struct auth_config config = { .issuer = ISSUER, .keys = keys, .objects = { .find = find } };
        struct kube_authentication_v1_token_review question = { .spec.token = read_all() };
        struct json_writer w = JSON_WRITER_INIT;
        struct auth_authenticator *authenticator;
        char *text;

        uid = args[0];
        need(auth_authenticator_new(&config, &authenticator, NULL), NULL, "authenticator");
        need(auth_review_token(authenticator, time(NULL), arena, &question), NULL, "review");
        kube_json_write(&w, &kube_authentication_v1_token_review_status_type, &question.status);
        need(json_writer_finish(&w, &text, NULL), NULL, "write");
        puts(text);
        free(text);
        auth_authenticator_free(authenticator);
}

static void discovery(char **args) {
        puts(auth_discovery(arena, keys, ISSUER, args[0]));
        puts(auth_jwks(arena, keys));
}

static void sign(char **args) {
        struct pki_csr_spec spec = { .now = time(NULL),
                                     .signer = args[0],
                                     .usages.items = (const char **)(uintptr_t)args + 1 };
        const char *request = read_all(), *pem;
        struct pki_csr csr;
        struct err *err = NULL;

        while (spec.usages.items[spec.usages.count])
                spec.usages.count++;
        need(pki_csr_read(arena, request, strlen(request), &csr, &err), err, "request");
        need(pki_csr_check(&csr, &spec, &err), err, "request");
        need(pki_csr_sign(pki, &csr, &spec, &pem, &err), err, "request");
        fputs(pem, stdout);
}

static const struct {
        const char *name;
        void (*run)(char **args);
        int n;
} verbs[] = { { "token", token, 3 }, { "review", review, 1 }, { "discovery", discovery, 1 }, { "sign", sign, 2 } };

int main(int argc, char **argv) {
        const char *const names[] = { "127.0.0.1", "10.96.0.1", NULL };
        struct pki_config config = {
                .directory = argv[1], .server = argv[2], .names = names, .domain = "cluster.local"
        };
        struct err *err = NULL;

        if (argc < 3)
                return 2;
        arena = arena_new();
        need(pki_open(&config, time(NULL), &pki, &err), err, "keys");
        need(auth_keys_new(pki_token_key(pki), NULL, &keys, &err), err, "keys");
        for (unsigned i = 0; argc > 3 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
                if (strcmp(argv[3], verbs[i].name) == 0 && argc - 4 >= verbs[i].n)
                        verbs[i].run(argv + 4);
        }
        auth_keys_unref(keys);
        pki_free(pki);
        arena_free(arena);
        return 0;
}
