#include "images/transfer_helper.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "images/credential_provider.h"
#include "images/transfer.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/pool.h"

struct transfer_helper {
        struct pool_job job; /* first: the pool gives it back */
        struct credential_providers *providers;
        char *docker_config; /* NULL: none */
        struct image_reference reference;
        int cancel_fd;
        struct credentials credentials;
        struct err *err;
        transfer_helper_fn done;
        void *data;
};

static bool is_given(const char *text) {
        return text && *text;
}

bool image_transfer_helper_wanted(const struct image_transfer_request *q, struct image_reference *ret_reference) {
        const struct image_auth *auth = &q->auth;

        if ((q->kind != IMAGE_PULL && q->kind != IMAGE_PUSH) || !q->reference ||
            (!is_given(q->docker_config) && !q->providers) || is_given(auth->username) || is_given(auth->auth) ||
            is_given(auth->identity_token) || is_given(auth->registry_token))
                return false;
        /* the worker says what is wrong with it */
        return image_reference_parse(q->reference, ret_reference, NULL) == 0;
}

static void helper_free(struct transfer_helper *helper) {
        close_fd(helper->cancel_fd);
        image_credentials_clear(&helper->credentials);
        err_free(helper->err);
        free(helper->docker_config);
        free(helper);
}

/* Providers come first: who configures them for an image means them. */
static void on_pool(struct pool_job *job) {
        struct transfer_helper *helper = (struct transfer_helper *)job;
        const struct image_reference *reference = &helper->reference;
        char host[IMAGE_NAME_MAX + 1];
        struct err *why = NULL;
        int r = 0;

        if (helper->providers)
                r = image_credential_providers_ask(helper->providers, reference->name, reference->host_length,
                                                   helper->cancel_fd, &helper->credentials, &helper->err);
        if (r > 0 || !helper->docker_config)
                return;
        image_credential_helper_ask(helper->docker_config, image_reference_host(reference, host), helper->cancel_fd,
                                    &helper->credentials, &why);
        err_move(&helper->err, why);
}

static void on_done(struct pool_job *job) {
        struct transfer_helper *helper = (struct transfer_helper *)job;

        helper->done(helper->data, &helper->credentials, helper->err);
        helper_free(helper);
}

int image_transfer_helper_start(const struct image_transfer_request *q, transfer_helper_fn done, void *data,
                                struct transfer_helper **ret_helper, struct err **err) {
        struct transfer_helper *helper = calloc(1, sizeof(*helper));
        bool configured = is_given(q->docker_config);

        if (!helper)
                return err_set(err, ENOMEM, "out of memory");
        *helper = (struct transfer_helper){ .job = { .work = on_pool, .done = on_done },
                                            .providers = q->providers,
                                            .docker_config = configured ? strdup(q->docker_config) : NULL,
                                            .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                            .done = done,
                                            .data = data };
        if (helper->cancel_fd < 0 || (configured && !helper->docker_config)) {
                int code = helper->cancel_fd < 0 ? errno : ENOMEM;

                helper_free(helper);
                return err_errno(err, code, "ask for credentials");
        }
        image_reference_parse(q->reference, &helper->reference, NULL);
        pool_submit(q->pool, &helper->job);
        *ret_helper = helper;
        return 0;
}

void image_transfer_helper_cancel(struct transfer_helper *helper) {
        eventfd_write(helper->cancel_fd, 1);
}
