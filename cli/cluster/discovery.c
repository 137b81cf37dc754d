/* Which cluster is at an address: kubeadm's token discovery. Nobody's secret is sent until the authority is known. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "cli/cluster/cluster.h"
#include "client/certificate.h"
#include "lib/arena.h"
#include "lib/base64.h"
#include "lib/ip.h"
#include "lib/json.h"
#include "lib/value.h"
#include "lib/yaml.h"

#define ID_SIZE 6
#define HASH_SIZE 32
#define SIGNATURE_SIZE BASE64_URL_LENGTH(HASH_SIZE)
#define BEGIN "-----BEGIN CERTIFICATE-----"

/* --- cluster-info --- */

static const char *decode(struct arena *arena, const char *text) {
        size_t n = strlen(text);
        char *data = arena_alloc(arena, n / 4 * 3 + 4);
        struct base64_decoder decoder = { 0 };
        int64_t size = data ? base64_decode(&decoder, text, n, data) : -1;

        return size <= 0 || memchr(data, '\0', (size_t)size) ? NULL : data;
}

int cli_cluster_read_info(struct arena *arena, const char *kubeconfig, struct cluster_found *ret_found,
                          struct err **err) {
        struct value_options options = { .name = "cluster-info" };
        const struct value *tree, *cluster;
        const char *authority;
        int r = yaml_parse(arena, kubeconfig, strlen(kubeconfig), &options, &tree, err);

        if (r < 0)
                return r;
        cluster = value_find(tree, "clusters[0].cluster");
        ret_found->server = value_string(value_get(cluster, "server"));
        authority = value_string(value_get(cluster, "certificate-authority-data"));
        ret_found->authority = authority ? decode(arena, authority) : NULL;
        if (!ret_found->server || strncmp(ret_found->server, "https://", strlen("https://")) != 0 ||
            strpbrk(ret_found->server, " \t\n\"'#") || !ret_found->authority ||
            value_count(value_get(tree, "clusters")) != 1)
                return err_set(err, EINVAL,
                               "cluster-info names no cluster with a server (https://HOST:PORT) and an authority");
        return 0;
}

/* {"alg":"HS256","kid":"ID"}, without its signature what is signed for anything. */
static bool is_header(struct arena *arena, const char *coded, size_t n, const char *token) {
        char *text = arena_alloc(arena, n + 1);
        int64_t size = text ? base64_url_decode(coded, n, text) : -1;
        const struct value *header;

        return size > 0 && json_parse(arena, text, (size_t)size, NULL, &header, NULL) == 0 &&
               strcmp(value_string_or(value_get(header, "alg"), ""), "HS256") == 0 &&
               strncmp(value_string_or(value_get(header, "kid"), ""), token, ID_SIZE) == 0;
}

/* HEADER..SIGNATURE of @content (RFC 7515, appendix F), by the token's secret. */
static bool is_signed(struct arena *arena, const char *jws, const char *content, const char *token) {
        size_t n = strcspn(jws, "."), size = strlen(content);
        const char *secret = token + ID_SIZE + 1;
        char *text = arena_alloc(arena, n + 1 + BASE64_URL_LENGTH(size) + 1), wanted[SIGNATURE_SIZE + 1];
        uint8_t hash[HASH_SIZE];

        if (!text || strncmp(jws + n, "..", 2) != 0 || strlen(jws + n + 2) != SIGNATURE_SIZE ||
            !is_header(arena, jws, n, token))
                return false;
        memcpy(text, jws, n);
        text[n] = '.';
        base64_url_encode(content, size, text + n + 1);
        if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, strlen(text), hash, NULL))
                return false;
        base64_url_encode(hash, sizeof(hash), wanted);
        return CRYPTO_memcmp(wanted, jws + n + 2, SIGNATURE_SIZE) == 0;
}

static int check_hashes(const char *authority, const struct cli_values *hashes, struct err **err) {
        char hash[CLIENT_HASH_TEXT_MAX];
        const char *first = strstr(authority, BEGIN);
        int r;

        if (hashes->n == 0)
                return 0;
        if (!first || strstr(first + 1, BEGIN))
                return err_set(err, EINVAL,
                               "the cluster has not one authority, which the hash could pin; join without a hash");
        if ((r = client_authority_hash(authority, hash, err)) < 0)
                return r;
        for (size_t i = 0; i < hashes->n; i++)
                if (strcasecmp(hashes->values[i], hash) == 0)
                        return 0;
        return err_set(
                err, EACCES,
                "the authority of the cluster is %s, not %s: it is another cluster, or somebody between; `nacelle "
                "token create --print-join-command` on its host says the hash",
                hash, hashes->values[0]);
}

/* --- asking --- */

struct discovery {
        struct cluster_api api;
        const char *token;
        const char *config; /* the kubeconfig in cluster-info */
};

static int get_info(struct cluster_api *api, const char *token, const char **ret_config, struct err **err) {
        const char *key = arena_printf(api->arena, "jws-kubeconfig-%.*s", ID_SIZE, token), *config, *jws;
        const struct value *map, *data;
        int r = cli_cluster_get(api, &cli_cluster_maps, "kube-public", "cluster-info", &map, err);

        if (r < 0)
                return r;
        data = value_get(map, "data");
        config = value_string(value_get(data, "kubeconfig"));
        jws = key ? value_string(value_get(data, key)) : NULL;
        if (!config)
                return err_set(err, EINVAL, "its cluster-info has no kubeconfig");
        if (!jws)
                return err_set(err, EAGAIN,
                               "its cluster-info is not signed with the token %.*s, which it does not know or which is "
                               "over; `nacelle token create` makes one",
                               ID_SIZE, token);
        if (!is_signed(api->arena, jws, config, token))
                return err_set(err, EACCES,
                               "its cluster-info is not signed with this token: it is another cluster, or "
                               "the token is mistyped");
        *ret_config = config;
        return 0;
}

static int probe(void *data, struct err **err) {
        struct discovery *d = data;

        return get_info(&d->api, d->token, &d->config, err);
}

static int ask(struct cli *cli, const struct client_remote_config *config, struct discovery *d, struct err **err) {
        int r = cli_cluster_open(cli, config, &d->api, err);

        /* The signature is made a moment after its token. */
        return r < 0 ? r : cli_cluster_wait(cli, 5, probe, d, err);
}

static int check_port(const char *text, struct err **err) {
        size_t n = strlen(text);
        long port = n > 0 && n <= 5 && strspn(text, "0123456789") == n ? strtol(text, NULL, 10) : 0;

        return port < 1 || port > 65535 ? err_set(err, EINVAL, "%s is no port; give ADDRESS:PORT", text) : 0;
}

static bool is_six(const char *text, size_t n) {
        char address[IP_TEXT_MAX];
        struct ip ip;

        n = strcspn(text, "%") < n ? strcspn(text, "%") : n; /* a zone */
        snprintf(address, sizeof(address), "%.*s", (int)(n < sizeof(address) ? n : 0), text);
        return ip_parse(address, &ip, NULL) == 0 && ip.family == AF_INET6;
}

static bool is_host(const char *text, size_t n) {
        return n > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") >= n;
}

/* HOST, HOST:PORT, an IPv6 address with or, where no port follows, without its brackets; or their URL. */
static int url_of(struct arena *arena, const char *given, const char **ret_url, struct err **err) {
        const char *address = given + (strncmp(given, "https://", 8) == 0 ? 8 : 0), *port = NULL;
        size_t n = strlen(address), host;
        char *text = arena_strdup(arena, address);
        bool good;

        if (!text)
                return err_set(err, ENOMEM, "out of memory");
        if (n > 0 && text[n - 1] == '/')
                text[--n] = '\0';
        if (is_six(text, n)) {
                *ret_url = arena_printf(arena, "https://[%s]:6443", text);
                return *ret_url ? 0 : err_set(err, ENOMEM, "out of memory");
        }
        host = *text == '[' ? strcspn(text, "]") : strcspn(text, ":");
        good = *text == '[' ? text[host] && (is_six(text + 1, host - 1) || is_host(text + 1, host - 1)) :
                              is_host(text, host);
        host += good && *text == '[';
        if (good && text[host] == ':')
                port = text + host + 1;
        if (!good || (text[host] && !port) || (port && strchr(port, ':')))
                return err_set(err, EINVAL, "\"%s\": give ADDRESS:PORT, as `nacelle init` has printed it", given);
        *ret_url = arena_printf(arena, "https://%s%s", text, port ? "" : ":6443");
        if (!*ret_url)
                return err_set(err, ENOMEM, "out of memory");
        return port && check_port(port, err) < 0 ? err_wrap(err, -EINVAL, "%s", *ret_url) : 0;
}

/* What the words of OpenSSL mean here. */
static int hint(struct err **err, int r) {
        if (r >= 0 || !err || !*err)
                return r;
        if (r == -EPROTOTYPE || strstr(err_text(*err), "wrong version number") || strstr(err_text(*err), "wrong type"))
                return err_wrap(err, r, "what answers there speaks no TLS: it is not an API service's port");
        if (!strstr(err_text(*err), "mismatch"))
                return r;
        return err_wrap(err, r,
                        "the certificate of the API service does not name this address: join by one that it names, or "
                        "give it to `nacelle init --apiserver-cert-extra-sans`");
}

int cli_cluster_discover(struct cli *cli, struct arena *arena, const struct cluster_sought *sought,
                         struct cluster_found *ret_found, struct err **err) {
        struct client_remote_config config = { .unverified = true };
        struct discovery first = { .token = sought->token }, again = { .token = sought->token };
        struct cluster_found found;
        int r = url_of(arena, sought->address, &config.server, err);

        if (r < 0)
                return r;
        if ((r = hint(err, ask(cli, &config, &first, err))) == 0 &&
            (r = cli_cluster_read_info(arena, first.config, &found, err)) == 0 &&
            (r = check_hashes(found.authority, sought->hashes, err)) == 0) {
                /* By the clock or not: what it ends by is asked once the node has a certificate. */
                config.unverified = false;
                config.authorities = found.authority;
                config.any_time = true;
                r = hint(err, ask(cli, &config, &again, err));
        }
        if (r == 0 && strcmp(first.config, again.config) != 0)
                r = err_set(err, EACCES, "its cluster-info is another one behind its authority: somebody is between");
        cli_cluster_close(&first.api);
        cli_cluster_close(&again.api);
        if (r < 0)
                return err_wrap(err, r, "%s", config.server);
        *ret_found = found;
        return 0;
}

/* --- kubeconfigs --- */

const char *cli_cluster_kubeconfig(struct arena *arena, const struct cluster_found *cluster, const char *token) {
        size_t n = strlen(cluster->authority);
        char *coded = arena_alloc(arena, BASE64_LENGTH(n) + 1);
        const char *text;

        if (!coded)
                return NULL;
        base64_encode(cluster->authority, n, coded);
        text = arena_printf(arena,
                            "apiVersion: v1\n"
                            "clusters:\n"
                            "- cluster:\n"
                            "    certificate-authority-data: %s\n"
                            "    server: %s\n"
                            "  name: %s\n",
                            coded, cluster->server, token ? "kubernetes" : "\"\"");
        if (text && !token)
                return arena_printf(arena, "%scontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n",
                                    text);
        return text ? arena_printf(arena,
                                   "%scontexts:\n"
                                   "- context:\n"
                                   "    cluster: kubernetes\n"
                                   "    user: tls-bootstrap-token-user\n"
                                   "  name: tls-bootstrap-token-user@kubernetes\n"
                                   "current-context: tls-bootstrap-token-user@kubernetes\n"
                                   "kind: Config\n"
                                   "users:\n"
                                   "- name: tls-bootstrap-token-user\n"
                                   "  user:\n"
                                   "    token: %s\n",
                                   text, token) :
                      NULL;
}
