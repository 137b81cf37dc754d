#include "api/manager.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "api/access/access.h"
#include "api/admission/admission.h"
#include "api/auth/issue.h"
#include "api/config.h"
#include "api/controllers/controllers.h"
#include "api/credentials.h"
#include "api/local/local.h"
#include "api/pki/csr.h"
#include "api/scheduler/scheduler.h"
#include "api/server/server.h"
#include "api/usage/usage.h"
#include "client/client.h"
#include "lib/err.h"
#include "lib/transport/tls.h"
#include "lib/work.h"

#define STACK_SIZE ((size_t)1 << 20)

struct api_manager {
        uv_loop_t loop;
        uv_async_t stop;
        pthread_t thread;
        struct api_local *local;
        struct controllers *controllers;
        struct scheduler *scheduler; /* NULL: none is wanted */
        struct api_credentials *credentials;
        const struct api_admission *admission;
        const struct auth_issue *issue;
        struct api_usage *usage;
        struct api_source *source;
        struct api_health *health;
        char *authority;
};

static struct client *client_of(void *data, const char *account) {
        struct api_manager *m = data;

        return api_local_client(m->local, account);
}

/* Of the Node that a kubelet's request is for, where it is there: by it the certificate is known whatever the clock
 * does (api/auth/renewing.c). */
static int find_node(const struct api_manager *m, const struct pki_csr *csr, const struct pki_csr_spec *spec,
                     const char **ret_uid) {
        static const char prefix[] = "system:node:";
        const struct auth_objects *objects = &m->issue->objects;
        struct auth_object node = { 0 };
        int r;

        *ret_uid = NULL;
        if (strcmp(spec->signer, PKI_SIGNER_KUBELET_CLIENT) != 0 ||
            strncmp(csr->common_name, prefix, sizeof(prefix) - 1) != 0)
                return 0;
        r = objects->find(objects->data, csr->arena, "nodes", "", csr->common_name + sizeof(prefix) - 1, &node);
        if (r == 0 && !node.deleted)
                *ret_uid = node.uid;
        return r == -ENOMEM ? r : 0;
}

static int sign(void *data, const struct pki_csr *csr, const struct pki_csr_spec *spec, const char **ret_pem,
                struct err **err) {
        struct api_manager *m = data;
        struct pki_csr_spec own = *spec;
        int r = find_node(m, csr, spec, &own.uid);

        return r < 0 ? r : api_credentials_sign(m->credentials, csr, &own, ret_pem, err);
}

static bool own_name(void *data, const char *name) {
        struct api_manager *m = data;

        return api_credentials_name(m->credentials, name);
}

static bool charged(void *data, const char *namespace) {
        struct api_manager *m = data;

        return api_admission_is_charged(m->admission, namespace);
}

static void on_controllers_synced(void *data) {
        const struct api_manager *m = data;

        api_health_begun(m->health, API_START_CONTROLLERS);
}

static void on_scheduler_synced(void *data) {
        const struct api_manager *m = data;

        api_health_begun(m->health, API_START_SCHEDULER);
}

static void write_metrics(void *data, struct metrics_writer *w) {
        const struct api_manager *m = data;

        controllers_write_metrics(m->controllers, w);
        if (m->scheduler)
                scheduler_write_metrics(m->scheduler, w);
}

static void close_all(struct api_manager *m) {
        if (m->controllers)
                controllers_stop(m->controllers);
        scheduler_stop(m->scheduler);
        if (m->usage)
                api_usage_stop(m->usage);
        if (m->local)
                api_local_close(m->local);
        uv_close((uv_handle_t *)&m->stop, NULL);
}

static void on_stop(uv_async_t *stop) {
        close_all(stop->data);
}

static void free_manager(struct api_manager *m) {
        controllers_free(m->controllers);
        scheduler_free(m->scheduler);
        api_local_free(m->local);
        uv_loop_close(&m->loop);
        free(m->authority);
        free(m);
}

static void *run(void *data) {
        struct api_manager *m = data;

        uv_run(&m->loop, UV_RUN_DEFAULT);
        return NULL;
}

/* With the rights of its default roles, as it would have them elsewhere. */
static int begin_scheduler(struct api_manager *m, const struct kube_registry *kinds, struct err **err) {
        const struct scheduler_config c = { .client = api_local_user(m->local, AUTH_USER_SCHEDULER, "kube-scheduler"),
                                            .kinds = kinds,
                                            .synced = on_scheduler_synced,
                                            .data = m };
        int r;

        if (!c.client)
                return err_errno(err, ENOMEM, "cannot begin the scheduler");
        r = scheduler_new(&c, &m->scheduler, err);
        if (r < 0)
                return r;
        r = scheduler_start(m->scheduler);
        return r < 0 ? err_errno(err, -r, "cannot begin the scheduler") : 0;
}

static int begin_usage(struct api_manager *m, struct api_usage *usage, struct err **err) {
        struct tls_context *tls;
        int r = api_credentials_kubelet_tls(m->credentials, &tls, err);

        if (r < 0)
                return r;
        r = api_usage_start(usage, &m->loop, tls);
        tls_context_unref(tls);
        if (r < 0)
                return err_errno(err, -r, "cannot begin to measure nodes");
        m->usage = usage;
        return 0;
}

static int begin(struct api_manager *m, const struct api_config *config, struct api_credentials *credentials,
                 struct api_server *server, struct err **err) {
        struct controllers_config c = { .client_of = client_of,
                                        .charged = charged,
                                        .sign = sign,
                                        .own_name = own_name,
                                        .synced = on_controllers_synced,
                                        .data = m,
                                        .kinds = server->config.registry,
                                        .which = config->controllers,
                                        .event_ttl_s = config->event_ttl_s,
                                        .unused_tokens_s = (int64_t)(config->unused_tokens_ns / WORK_SECOND),
                                        .nodes = &config->nodes };
        int r;

        m->credentials = credentials;
        m->health = &server->health;
        m->admission = server->config.admission;
        m->authority = strdup(api_credentials_authority(credentials));
        r = m->authority ? api_local_new(server, &m->loop, &m->local) : -ENOMEM;
        c.client = r == 0 ? api_local_client(m->local, NULL) : NULL;
        if (!c.client)
                return err_errno(err, r < 0 ? -r : ENOMEM, "cannot begin the controllers");
        c.authority = m->authority;
        m->issue = api_access_issue(server->config.data);
        c.token_keys = m->issue->keys;
        r = controllers_new(&c, &m->controllers, err);
        if (r < 0)
                return r;
        r = controllers_start(m->controllers);
        if (r < 0)
                return err_errno(err, -r, "cannot begin the controllers");
        if (!config->scheduler)
                api_health_begun(m->health, API_START_SCHEDULER);
        r = config->scheduler ? begin_scheduler(m, c.kinds, err) : 0;
        return r < 0 ? r : begin_usage(m, server->config.usage, err);
}

/* Signals are the main thread's. */
static int start_thread(struct api_manager *m) {
        sigset_t all, before;
        pthread_attr_t attributes;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, STACK_SIZE);
        r = -pthread_create(&m->thread, &attributes, run, m);
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

int api_manager_start(const struct api_config *config, struct api_credentials *credentials, struct api_server *server,
                      struct api_manager **ret_manager, struct err **err) {
        struct api_manager *m = calloc(1, sizeof(*m));
        int r = m ? uv_loop_init(&m->loop) : -ENOMEM;

        if (r < 0) {
                free(m);
                return err_errno(err, -r, "cannot begin the controllers");
        }
        uv_async_init(&m->loop, &m->stop, on_stop);
        m->stop.data = m;
        r = begin(m, config, credentials, server, err);
        if (r == 0 && (r = start_thread(m)) < 0)
                err_errno(err, -r, "cannot run the controllers' thread");
        if (r < 0) {
                close_all(m);
                uv_run(&m->loop, UV_RUN_DEFAULT);
                free_manager(m);
                return r;
        }
        api_health_begun(m->health, API_START_INFORMERS);
        m->source = &server->source;
        api_source_set(m->source, write_metrics, m);
        *ret_manager = m;
        return 0;
}

void api_manager_stop(struct api_manager *manager) {
        if (!manager)
                return;
        api_source_set(manager->source, NULL, NULL);
        uv_async_send(&manager->stop);
        pthread_join(manager->thread, NULL);
}

void api_manager_free(struct api_manager *manager) {
        if (manager)
                free_manager(manager);
}
