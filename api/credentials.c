#include "api/credentials.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "api/access/access.h"
#include "api/bootstrap/bootstrap.h"
#include "api/advertise.h"
#include "api/auth/authenticate.h"
#include "api/config.h"
#include "api/pki/certificate.h"
#include "api/pki/csr.h"
#include "api/pki/pki.h"
#include "api/proxy/proxy.h"
#include "api/server/server.h"
#include "api/usage/usage.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/openssl.h"
#include "lib/transport/tls.h"

#define RETRY_SECONDS 60 /* after what could not be made */

struct api_credentials {
        struct pki *pki;
        pthread_mutex_t lock;                  /* of what is renewed, while others sign */
        char *certificate, *key, *authorities; /* of files that were given; NULL: api/pki's */
        char *kubelet_certificate, *kubelet_key;
        char *kubelet_authorities; /* NULL: whoever answers is a kubelet */
};

/* What stands between the commas of @list goes behind the @n that @names has, ends with NULL. */
static int add_names(char *list, const char *names[PKI_NAMES_MAX + 1], size_t n, struct err **err) {
        for (const char *name; (name = strsep(&list, ","));) {
                if (n == PKI_NAMES_MAX)
                        return err_set(err, E2BIG, "--cert-extra-sans: %d names are enough", PKI_NAMES_MAX);
                if (*name)
                        names[n++] = name;
        }
        names[n] = NULL;
        return 0;
}

static int open_pki(const struct api_config *c, struct pki **ret_pki, struct err **err) {
        bool any = strcmp(c->bind_address, "0.0.0.0") == 0 || strcmp(c->bind_address, "::") == 0;
        const char *address = any ? "127.0.0.1" : c->bind_address;
        char server[160], host[256] = "localhost", service[64], advertised[CLUSTER_IP_TEXT_MAX];
        const char *names[PKI_NAMES_MAX + 1] = { address, host, service };
        struct pki_config config = {
                .directory = c->data_dir, .server = server, .names = names, .domain = "cluster.local"
        };
        _cleanup_free_ char *more = strdup(c->extra_names ?: "");
        size_t n = 3;
        int r = api_config_service(c, service, sizeof(service), err);

        if (r < 0)
                return r;
        if (!more)
                return err_set(err, ENOMEM, "no memory for keys and certificates");
        if (api_advertised(c, advertised))
                names[n++] = advertised;
        if ((r = add_names(more, names, n, err)) < 0)
                return r;
        gethostname(host, sizeof(host) - 1);
        snprintf(server, sizeof(server), strchr(address, ':') ? "https://[%s]:%u" : "https://%s:%u", address, c->port);
        return pki_open(&config, time(NULL), ret_pki, err);
}

/* NULL as @path: there is none to read. */
static int read_pem(const char *path, char **ret_pem, struct err **err) {
        return path ? files_read(path, TLS_PEM_MAX, ret_pem, NULL, err) : 0;
}

static int read_all(struct api_credentials *credentials, const struct api_config *c, struct err **err) {
        int r = open_pki(c, &credentials->pki, err);

        if (r < 0 || (r = read_pem(c->certificate, &credentials->certificate, err)) < 0 ||
            (c->certificate && (r = read_pem(c->key, &credentials->key, err)) < 0) ||
            (r = read_pem(c->client_ca, &credentials->authorities, err)) < 0 ||
            (r = read_pem(c->kubelet_certificate, &credentials->kubelet_certificate, err)) < 0 ||
            (c->kubelet_certificate && (r = read_pem(c->kubelet_key, &credentials->kubelet_key, err)) < 0))
                return r;
        return read_pem(c->kubelet_ca, &credentials->kubelet_authorities, err);
}

int api_credentials_open(const struct api_config *config, struct api_credentials **ret_credentials, struct err **err) {
        struct api_credentials *credentials = calloc(1, sizeof(*credentials));
        int r;

        if (credentials)
                pthread_mutex_init(&credentials->lock, NULL);
        r = credentials ? read_all(credentials, config, err) :
                          err_set(err, ENOMEM, "no memory for keys and certificates");

        if (r < 0) {
                api_credentials_free(credentials);
                return r;
        }
        *ret_credentials = credentials;
        return 0;
}

struct api_credentials *api_credentials_free(struct api_credentials *credentials) {
        if (!credentials)
                return NULL;
        pki_free(credentials->pki);
        pthread_mutex_destroy(&credentials->lock);
        free(credentials->certificate);
        free(credentials->key);
        free(credentials->authorities);
        free(credentials->kubelet_certificate);
        free(credentials->kubelet_key);
        free(credentials->kubelet_authorities);
        free(credentials);
        return NULL;
}

const char *api_credentials_authorities(const struct api_credentials *credentials) {
        return credentials->authorities ?: pki_certificate(credentials->pki, PKI_AUTHORITY);
}

const char *api_credentials_authority(const struct api_credentials *credentials) {
        return pki_certificate(credentials->pki, PKI_AUTHORITY);
}

int api_credentials_sign(struct api_credentials *credentials, const struct pki_csr *csr,
                         const struct pki_csr_spec *spec, const char **ret_pem, struct err **err) {
        int r;

        pthread_mutex_lock(&credentials->lock);
        r = pki_csr_sign(credentials->pki, csr, spec, ret_pem, err);
        pthread_mutex_unlock(&credentials->lock);
        return r;
}

bool api_credentials_name(struct api_credentials *credentials, const char *name) {
        _cleanup_x509_ X509 *certificate = NULL;
        bool good;

        pthread_mutex_lock(&credentials->lock);
        certificate = pki_certificate_read(credentials->certificate ?: pki_certificate(credentials->pki, PKI_SERVING));
        pthread_mutex_unlock(&credentials->lock);
        good = certificate && (X509_check_ip_asc(certificate, name, 0) == 1 ||
                               X509_check_host(certificate, name, strlen(name), 0, NULL) == 1);
        ERR_clear_error();
        return good;
}

const char *api_credentials_token_key(const struct api_credentials *credentials) {
        return pki_token_key(credentials->pki);
}

int api_credentials_tls(const struct api_credentials *c, struct tls_context **ret_tls, struct err **err) {
        static const char *const protocols[] = { "h2", "http/1.1", NULL };
        struct tls_config config = { .side = TLS_SERVER,
                                     .verify = TLS_VERIFY_LATER,
                                     .certificate = c->certificate ?: pki_certificate(c->pki, PKI_SERVING),
                                     .key = c->key ?: pki_key(c->pki, PKI_SERVING),
                                     .authorities = api_credentials_authorities(c),
                                     .protocols = protocols };

        return tls_context_new(&config, ret_tls, err);
}

int api_credentials_kubelet_tls(const struct api_credentials *c, struct tls_context **ret_tls, struct err **err) {
        struct tls_config config = { .side = TLS_CLIENT,
                                     .verify = c->kubelet_authorities ? TLS_VERIFY_REQUIRED : TLS_VERIFY_NONE,
                                     .certificate =
                                             c->kubelet_certificate ?: pki_certificate(c->pki, PKI_KUBELET_CLIENT),
                                     .key = c->kubelet_key ?: pki_key(c->pki, PKI_KUBELET_CLIENT),
                                     .authorities = c->kubelet_authorities };
        int r = tls_context_new(&config, ret_tls, err);

        return r < 0 ? err_wrap(err, r, "what is shown to kubelets") : 0;
}

/* --- renewal --- */

/* Armed for a time of the wall clock, it ends with ECANCELED also when that clock is set; so does the arming of one
 * that has not been told yet, which is then armed for a time that is past. */
static int arm(int timer, int64_t at) {
        struct itimerspec when = { .it_value.tv_sec = at };
        int r = timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);

        if (r < 0 && errno == ECANCELED) {
                when.it_value.tv_sec = 1;
                r = timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
        }
        return r < 0 && errno != ECANCELED ? -errno : 0;
}

int api_credentials_timer(const struct api_credentials *credentials, int *ret_fd, struct err **err) {
        _cleanup_close_ int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        int r = fd < 0 ? -errno : arm(fd, pki_due(credentials->pki, time(NULL)));

        if (r < 0)
                return err_errno(err, -r, "cannot have a timer for the renewal of certificates");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int use_serving(struct api_credentials *c, struct api_server *server, struct err **err) {
        struct tls_context *tls = NULL;
        int r = api_credentials_tls(c, &tls, err);

        if (tls)
                api_server_set_tls(server, tls);
        tls_context_unref(tls);
        return r;
}

static int use_kubelet_client(struct api_credentials *c, struct api_server *server, struct err **err) {
        struct tls_context *tls = NULL;
        int r = api_credentials_kubelet_tls(c, &tls, err);

        if (tls) {
                api_usage_set_tls(server->config.usage, tls);
                proxy_set_kubelet_tls(server->config.proxy, tls);
        }
        tls_context_unref(tls);
        return r;
}

/* Connections that there are go on with what they have. */
static int use(struct api_credentials *c, unsigned changed, struct api_server *server, struct api_access *access,
               struct err **err) {
        int r;

        if (changed & 1U << PKI_AUTHORITY &&
            (r = auth_authenticator_trust(api_access_authenticator(access), api_credentials_authorities(c), err)) < 0)
                return r;
        if (changed & (1U << PKI_AUTHORITY | 1U << PKI_SERVING) && (r = use_serving(c, server, err)) < 0)
                return r;
        return changed & 1U << PKI_KUBELET_CLIENT ? use_kubelet_client(c, server, err) : 0;
}

void api_credentials_renew(struct api_credentials *credentials, int timer, struct api_server *server,
                           struct api_access *access, struct api_keeper *keeper) {
        _cleanup_err_ struct err *failed = NULL, *unused = NULL;
        int64_t now = time(NULL), due;
        uint64_t expirations;
        unsigned changed = 0;
        int r, error;

        /* What is read says only how often, or that the clock was set: either way one looks. */
        (void)!read(timer, &expirations, sizeof(expirations));
        pthread_mutex_lock(&credentials->lock);
        r = pki_renew(credentials->pki, now, &changed, &failed);
        pthread_mutex_unlock(&credentials->lock);
        if (r < 0)
                log_error("certificates: %s; the old ones go on", err_text(failed));
        error = use(credentials, changed, server, access, &unused);
        if (error == 0 && changed & 1U << PKI_AUTHORITY)
                error = api_keeper_trust(keeper, api_credentials_authorities(credentials));
        if (error < 0)
                log_error("renewed certificates are not in use: %s", err_text(unused));
        else if (changed)
                log_info("certificates were renewed");
        due = pki_due(credentials->pki, now);
        error = arm(timer, due > now ? due : now + RETRY_SECONDS);
        if (error < 0)
                log_error("cannot arm the timer for the renewal of certificates: %s", strerror(-error));
}
