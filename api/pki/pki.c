#include "api/pki/pki.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "api/pki/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

#define LOOK_SECONDS ((int64_t)24 * 3600)
#define KUBECONFIG "admin.kubeconfig"

struct row {
        const char *file, *common_name, *organization;
        enum pki_file issuer;
        unsigned uses;
};

static const struct row rows[PKI_FILES] = {
        [PKI_AUTHORITY] = { "ca", "kubernetes", .issuer = PKI_AUTHORITY },
        [PKI_FRONT_PROXY_AUTHORITY] = { "front-proxy-ca", "front-proxy-ca", .issuer = PKI_FRONT_PROXY_AUTHORITY },
        [PKI_SERVING] = { "apiserver", "kube-apiserver", .issuer = PKI_AUTHORITY, .uses = PKI_USE_SERVER },
        [PKI_FRONT_PROXY_CLIENT] = { "front-proxy-client", "front-proxy-client", .issuer = PKI_FRONT_PROXY_AUTHORITY,
                                     .uses = PKI_USE_CLIENT },
        [PKI_KUBELET_CLIENT] = { "apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters",
                                 PKI_AUTHORITY, PKI_USE_CLIENT },
        [PKI_ADMIN] = { "admin", "kubernetes-admin", "system:masters", PKI_AUTHORITY, PKI_USE_CLIENT },
};

struct item {
        X509 *certificate;
        EVP_PKEY *key;
        char *certificate_pem, *key_pem;
};

struct pki {
        struct arena *arena;
        const char *directory, *above, *server; /* DIR/pki, DIR */
        string_list names;                      /* of the serving certificate */
        struct item items[PKI_FILES];
        char *token_key;
        int lock_fd;
};

static bool is_authority(enum pki_file file) {
        return rows[file].issuer == file;
}

static void item_done(struct item *item) {
        X509_free(item->certificate);
        EVP_PKEY_free(item->key);
        free(item->certificate_pem);
        free(item->key_pem);
        *item = (struct item){ 0 };
}

struct pki *pki_free(struct pki *pki) {
        if (!pki)
                return NULL;
        for (unsigned i = 0; i < PKI_FILES; i++)
                item_done(&pki->items[i]);
        free(pki->token_key);
        close_fd(pki->lock_fd);
        arena_free(pki->arena);
        free(pki);
        return NULL;
}

/* NAME.key or NAME.crt. */
static int read_part(const struct pki *pki, enum pki_file file, const char *end, char **ret_text, struct err **err) {
        char name[64];
        int r;

        snprintf(name, sizeof(name), "%s.%s", rows[file].file, end);
        r = pki_file_read(pki->directory, name, ret_text, err);
        return r == -ENOENT ? 0 : r;
}

static int refuse(const struct pki *pki, enum pki_file file, const char *what, struct err **err) {
        return err_set(err, EINVAL, "%s/%s: %s; restore it from a backup, or remove all of %s to begin anew",
                       pki->directory, rows[file].file, what, pki->directory);
}

/* An authority is as it was or not at all; leaves that are not whole are made anew. */
static int check_item(const struct pki *pki, enum pki_file file, struct item *item, struct err **err) {
        if (item->certificate && item->key && pki_certificate_is_of(item->certificate, item->key))
                return 0;
        if (!is_authority(file)) {
                item_done(item);
                return 0;
        }
        if (item->key_pem && !item->key)
                return refuse(pki, file, ".key is no private key in PEM", err);
        if (item->certificate_pem && !item->key)
                return refuse(pki, file, ".key is missing beside .crt", err);
        if (item->certificate_pem)
                return refuse(pki, file, ".crt is no certificate of .key", err);
        return 0;
}

static int load_item(struct pki *pki, enum pki_file file, struct err **err) {
        struct item *item = &pki->items[file];
        int r = read_part(pki, file, "key", &item->key_pem, err);

        if (r < 0 || (r = read_part(pki, file, "crt", &item->certificate_pem, err)) < 0)
                return r;
        if (item->key_pem)
                item->key = pki_key_read(item->key_pem);
        if (item->certificate_pem)
                item->certificate = pki_certificate_read(item->certificate_pem);
        return check_item(pki, file, item, err);
}

static int64_t later(int64_t a, int64_t b) {
        return a > b ? a : b;
}

static int64_t life_of(enum pki_file file) {
        return is_authority(file) ? PKI_AUTHORITY_SECONDS : PKI_LEAF_SECONDS;
}

/* When two thirds of its life are over. */
static int64_t turns_old(const struct item *item) {
        int64_t begins = pki_certificate_begins(item->certificate);

        return begins + (pki_certificate_ends(item->certificate) - begins) / 3 * 2;
}

static bool is_due(const struct pki *pki, enum pki_file file, int64_t now) {
        const struct item *item = &pki->items[file];
        int64_t limit = later(now, PKI_CLOCK_FLOOR) + life_of(file) + PKI_BACKDATE;

        if (!item->certificate || now >= turns_old(item) || now < pki_certificate_begins(item->certificate))
                return true;
        if (is_authority(file))
                return false;
        return pki_certificate_ends(item->certificate) > limit ||
               !pki_certificate_signed_by(item->certificate, pki->items[rows[file].issuer].certificate) ||
               (file == PKI_SERVING && !pki_certificate_names(item->certificate, &pki->names));
}

static int order_item(const struct pki *pki, enum pki_file file, int64_t now, struct item *item, struct err **err) {
        const struct row *row = &rows[file];
        const struct item *issuer = is_authority(file) ? item : &pki->items[row->issuer];
        struct pki_order order = {
                .common_name = row->common_name,
                .begins = (is_authority(file) && now > PKI_CLOCK_FLOOR ? PKI_CLOCK_FLOOR : now) - PKI_BACKDATE,
                .ends = later(now, PKI_CLOCK_FLOOR) + life_of(file),
                .authority = is_authority(file),
                .uses = row->uses,
        };
        const char *organization = row->organization;
        int r;

        if (organization)
                order.organizations = (string_list){ &organization, 1 };
        if (file == PKI_SERVING)
                order.names = pki->names;
        r = pki_certificate_new(&order, item->key, issuer->certificate, issuer->key, &item->certificate, err);
        if (r < 0)
                return r;
        item->certificate_pem = pki_certificate_pem(item->certificate);
        return item->certificate_pem ? 0 : -ENOMEM;
}

static int write_part(const struct pki *pki, enum pki_file file, const char *end, const char *text, struct err **err) {
        char name[64];

        snprintf(name, sizeof(name), "%s.%s", rows[file].file, end);
        return pki_file_write(pki->directory, name, text, err);
}

/* The key of an authority stays. */
static int key_for(struct pki *pki, enum pki_file file, struct item *item, struct err **err) {
        const struct item *old = &pki->items[file];
        int r;

        if (is_authority(file) && old->key) {
                EVP_PKEY_up_ref(old->key);
                item->key = old->key;
        } else {
                r = pki_key_new(&item->key, err);
                if (r < 0)
                        return r;
        }
        item->key_pem = pki_key_pem(item->key);
        if (!item->key_pem)
                return -ENOMEM;
        return is_authority(file) && old->key ? 0 : write_part(pki, file, "key", item->key_pem, err);
}

static int renew_item(struct pki *pki, enum pki_file file, int64_t now, struct err **err) {
        _cleanup_(item_done) struct item item = { 0 };
        int r = key_for(pki, file, &item, err);

        if (r < 0 || (r = order_item(pki, file, now, &item, err)) < 0 ||
            (r = write_part(pki, file, "crt", item.certificate_pem, err)) < 0)
                return err_wrap(err, r, "make %s of %s", rows[file].file, pki->directory);
        item_done(&pki->items[file]);
        pki->items[file] = item;
        item = (struct item){ 0 };
        return 0;
}

static int write_kubeconfig(const struct pki *pki, struct err **err) {
        const struct item *admin = &pki->items[PKI_ADMIN];
        _cleanup_free_ char *text = NULL, *there = NULL;
        int r;

        text = pki_kubeconfig(pki->server, pki->items[PKI_AUTHORITY].certificate_pem, admin->certificate_pem,
                              admin->key_pem);
        if (!text)
                return -ENOMEM;
        r = pki_file_read(pki->above, KUBECONFIG, &there, err);
        if (r < 0 && r != -ENOENT)
                return r;
        return there && strcmp(there, text) == 0 ? 0 : pki_file_write(pki->above, KUBECONFIG, text, err);
}

int pki_renew(struct pki *pki, int64_t now, unsigned *ret_changed, struct err **err) {
        unsigned changed = 0;
        int r = 0;

        for (enum pki_file file = 0; r >= 0 && file < PKI_FILES; file++) {
                if (!is_due(pki, file, now))
                        continue;
                r = renew_item(pki, file, now, err);
                if (r >= 0)
                        changed |= 1U << file;
        }
        *ret_changed = changed; /* also of those before one that failed */
        return r < 0 ? r : write_kubeconfig(pki, err);
}

int64_t pki_due(const struct pki *pki, int64_t now) {
        int64_t due = now + LOOK_SECONDS;

        for (enum pki_file file = 0; file < PKI_FILES; file++) {
                if (is_due(pki, file, now))
                        return now;
                if (turns_old(&pki->items[file]) < due)
                        due = turns_old(&pki->items[file]);
        }
        return due;
}

static int prepare(struct pki *pki, const struct pki_config *config, struct err **err) {
        pki->arena = arena_new();
        if (!pki->arena)
                return -ENOMEM;
        pki->above = arena_strdup(pki->arena, config->directory);
        pki->directory = arena_printf(pki->arena, "%s/pki", config->directory);
        pki->server = arena_strdup(pki->arena, config->server);
        if (!pki->above || !pki->directory || !pki->server)
                return -ENOMEM;
        return pki_serving_names(pki->arena, config, &pki->names, err);
}

static int open_all(struct pki *pki, const struct pki_config *config, int64_t now, struct err **err) {
        unsigned changed;
        int r;

        if ((r = prepare(pki, config, err)) < 0 || (r = files_make_private(pki->directory, err)) < 0 ||
            (r = files_lock(pki->directory, "stop that nacelle-api first", &pki->lock_fd, err)) < 0)
                return r;
        for (enum pki_file file = 0; file < PKI_FILES; file++)
                if ((r = load_item(pki, file, err)) < 0)
                        return r;
        if ((r = pki_token_key_load(pki->directory, &pki->token_key, err)) < 0)
                return r;
        return pki_renew(pki, now, &changed, err);
}

int pki_open(const struct pki_config *config, int64_t now, struct pki **ret_pki, struct err **err) {
        struct pki *pki = calloc(1, sizeof(*pki));
        int r;

        if (!pki)
                return -ENOMEM;
        pki->lock_fd = -EBADF;
        if ((r = open_all(pki, config, now, err)) < 0) {
                pki_free(pki);
                return r;
        }
        *ret_pki = pki;
        return 0;
}

const char *pki_certificate(const struct pki *pki, enum pki_file file) {
        return pki->items[file].certificate_pem;
}

const char *pki_key(const struct pki *pki, enum pki_file file) {
        return pki->items[file].key_pem;
}

const char *pki_token_key(const struct pki *pki) {
        return pki->token_key;
}

X509 *pki_authority(const struct pki *pki) {
        return pki->items[PKI_AUTHORITY].certificate;
}

EVP_PKEY *pki_authority_key(const struct pki *pki) {
        return pki->items[PKI_AUTHORITY].key;
}
