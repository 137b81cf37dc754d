#include "cri/server/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cri/api.pb-c.h"
#include "cri/extension.pb-c.h"
#include "cri/call/methods.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static const struct cri_method_row *find_row(const char *path) {
        for (unsigned i = 0; i < CRI_METHODS; i++)
                if (strcmp(cri_methods[i].path, path) == 0)
                        return &cri_methods[i];
        return NULL;
}

static unsigned check_service(const ProtobufCServiceDescriptor *service, const char *name, unsigned flag) {
        for (unsigned i = 0; i < service->n_methods; i++) {
                const ProtobufCMethodDescriptor *method = &service->methods[i];
                const struct cri_method_row *row;
                char path[128];

                snprintf(path, sizeof(path), "/runtime.v1.%s/%s", name, method->name);
                row = find_row(path);
                if (!row)
                        fail_msg("%s is not served", path);
                assert_string_equal(row->name, method->name);
                assert_ptr_equal(row->request, method->input);
                assert_ptr_equal(row->response, method->output);
                assert_int_equal(row->flags & CRI_IMAGE_SERVICE, flag);
                /* protobuf-c does not say which answers are streams; their names do */
                assert_int_equal(row->flags & CRI_STREAM,
                                 strncmp(method->name, "Stream", 6) == 0 ||
                                                 strcmp(method->name, "GetContainerEvents") == 0 ?
                                         CRI_STREAM :
                                         0);
        }
        return service->n_methods;
}

/* Each rpc of the two services has its row, and no row is without one. */
static void test_every_rpc_is_served(void **state) {
        unsigned n = check_service(&cri__runtime_service__descriptor, "RuntimeService", 0);

        n += check_service(&cri__image_service__descriptor, "ImageService", CRI_IMAGE_SERVICE);
        assert_int_equal(n, CRI_METHODS);
        assert_int_equal(n, 41);
}

static void test_endpoints(void **state) {
        static const char *const wrong[] = { "tcp://127.0.0.1:1", "x.sock", "", "unix://x" };

        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct cri_server *server;

                assert_int_equal(cri_server_new(NULL, NULL, wrong[i], &server, &err), -EINVAL);
                assert_non_null(strstr(err_text(err), "unix:///PATH"));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_rpc_is_served),
                                            cmocka_unit_test(test_endpoints) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
