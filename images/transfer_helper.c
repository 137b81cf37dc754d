#include "images/transfer_helper.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "images/transfer.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/pool.h"

struct transfer_helper {
        struct pool_job job; /* first: the pool gives it back */
        char *docker_config;
        char host[IMAGE_NAME_MAX + 1];
        int cancel_fd;
        struct credentials credentials;
        struct err *err;
        transfer_helper_fn done;
        void *data;
};

static bool is_given(const char *text) {
        return text && *text;
}

bool transfer_helper_host(const struct image_transfer_request *q, char ret_host[IMAGE_NAME_MAX + 1]) {
        const struct image_auth *auth = &q->auth;
        struct image_reference reference;

        if ((q->kind != IMAGE_PULL && q->kind != IMAGE_PUSH) || !is_given(q->docker_config) || !q->reference ||
            is_given(auth->username) || is_given(auth->auth) || is_given(auth->identity_token) ||
            is_given(auth->registry_token))
                return false;
        if (image_reference_parse(q->reference, &reference, NULL) < 0) /* the worker says what is wrong with it */
                return false;
        image_reference_host(&reference, ret_host);
        return true;
}

static void helper_free(struct transfer_helper *helper) {
        close_fd(helper->cancel_fd);
        credentials_clear(&helper->credentials);
        err_free(helper->err);
        free(helper->docker_config);
        free(helper);
}

static void on_pool(struct pool_job *job) {
        struct transfer_helper *helper = (struct transfer_helper *)job;

        credential_helper_ask(helper->docker_config, helper->host, helper->cancel_fd, &helper->credentials,
                              &helper->err);
}

static void on_done(struct pool_job *job) {
        struct transfer_helper *helper = (struct transfer_helper *)job;

        helper->done(helper->data, &helper->credentials, helper->err);
        helper_free(helper);
}

int transfer_helper_start(struct pool *pool, const char *docker_config, const char *host, transfer_helper_fn done,
                          void *data, struct transfer_helper **ret_helper, struct err **err) {
        struct transfer_helper *helper = calloc(1, sizeof(*helper));

        if (!helper)
                return err_set(err, ENOMEM, "out of memory");
        *helper = (struct transfer_helper){ .job = { .work = on_pool, .done = on_done },
                                            .docker_config = strdup(docker_config),
                                            .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                            .done = done,
                                            .data = data };
        strcpy(helper->host, host);
        if (!helper->docker_config || helper->cancel_fd < 0) {
                int code = helper->docker_config ? errno : ENOMEM;

                helper_free(helper);
                return err_errno(err, code, "ask for credentials");
        }
        pool_submit(pool, &helper->job);
        *ret_helper = helper;
        return 0;
}

void transfer_helper_cancel(struct transfer_helper *helper) {
        eventfd_write(helper->cancel_fd, 1);
}
