/* The certificate that the port is served with: of files, or a self-signed one that is kept in the pki directory as
 * kubelet keeps it (kubelet.crt, kubelet.key), and made anew before it ends. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/kubelet/internal.h"
#include "agent/kubelet/self_signed.h"
#include "agent/node/facts.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/handle.h"
#include "lib/log.h"
#include "lib/transport/tls.h"

#define LOOK_MS ((uint64_t)24 * 3600 * 1000) /* whether the certificate's time has come; clocks are set */

static int use_files(struct kubelet *k, const char *certificate, const char *key, struct err **err) {
        _cleanup_free_ char *chain = NULL, *secret = NULL;
        int r;

        if ((r = files_read(certificate, TLS_PEM_MAX, &chain, NULL, err)) < 0 ||
            (r = files_read(key, TLS_PEM_MAX, &secret, NULL, err)) < 0)
                return r;
        r = kubelet_use_certificate(k, chain, secret, err);
        return r < 0 ? err_wrap(err, r, "%s", certificate) : 0;
}

struct paths {
        char certificate[PATH_MAX], key[PATH_MAX];
};

static int set_paths(const struct kubelet *k, struct paths *paths, struct err **err) {
        const char *dir = k->world.options->cert_dir;

        if (snprintf(paths->certificate, PATH_MAX, "%s/kubelet.crt", dir) >= PATH_MAX ||
            snprintf(paths->key, PATH_MAX, "%s/kubelet.key", dir) >= PATH_MAX)
                return err_set(err, ENAMETOOLONG, "--cert-dir %s", dir);
        return 0;
}

/* Whether what is there serves for now: it may be anybody's, since it is never signed for others. */
static bool is_good(const struct paths *paths) {
        _cleanup_free_ char *certificate = NULL, *key = NULL;

        return files_read(paths->certificate, TLS_PEM_MAX, &certificate, NULL, NULL) == 0 &&
               files_read(paths->key, TLS_PEM_MAX, &key, NULL, NULL) == 0 &&
               kubelet_self_signed_is_good(certificate, time(NULL));
}

/* The key comes first: a crash between the two leaves a pair that does not fit, and is made anew. */
static int make_files(const struct kubelet *k, const struct paths *paths, struct err **err) {
        const struct options *o = k->world.options;
        _cleanup_free_ char *certificate = NULL, *key = NULL;
        struct node_facts facts;
        int r;

        node_facts_read(o->node_ip, o->root_dir, &facts);
        if ((r = kubelet_self_signed_new(o->node_name, facts.ip, time(NULL), &certificate, &key, err)) < 0 ||
            (r = files_make_private(o->cert_dir, err)) < 0 ||
            (r = files_replace_synced(paths->key, key, strlen(key), 0600, err)) < 0)
                return r;
        return files_replace_synced(paths->certificate, certificate, strlen(certificate), 0644, err);
}

static int use_own(struct kubelet *k, struct err **err) {
        struct paths paths;
        int r;

        if ((r = set_paths(k, &paths, err)) < 0)
                return r;
        if (is_good(&paths) && use_files(k, paths.certificate, paths.key, NULL) == 0)
                return 0;
        if ((r = make_files(k, &paths, err)) < 0)
                return r;
        return use_files(k, paths.certificate, paths.key, err);
}

static void on_renewal(uv_timer_t *timer) {
        struct kubelet *k = timer->data;
        _cleanup_err_ struct err *err = NULL;
        struct paths paths;

        if (set_paths(k, &paths, &err) == 0 && is_good(&paths))
                return;
        if (use_own(k, &err) < 0)
                log_warning("kubelet's API: the certificate could not be renewed: %s", err_text(err));
        else
                log_info("kubelet's API: a new self-signed certificate");
}

int kubelet_certificate_begin(struct kubelet *k, struct err **err) {
        const struct options_server *o = &k->world.options->server;
        int r;

        if (o->certificate)
                return use_files(k, o->certificate, o->key, err);
        if ((r = use_own(k, err)) < 0)
                return err_wrap(err, r, "the certificate of kubelet's API");
        if (!(k->renewal = handle_timer(k->world.loop, k)))
                return err_set(err, ENOMEM, "out of memory");
        uv_timer_start(k->renewal, on_renewal, LOOK_MS, LOOK_MS);
        return 0;
}
