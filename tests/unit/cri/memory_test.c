/* Each allocation in turn fails under each call on made-up objects: it is answered with all that there is to say, or it
 * says that memory was short; nothing leaks, and the objects are what they were. */
#include "cri/cri.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cri/container/process.h"
#include "cri/container/spec.h"
#include "images/store.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/pool.h"
#include "tests/unit/cri/made_up.h"
#include "tests/unit/support/memory.h"

#define T(text) ((char *)(uintptr_t)(text))

static struct cri cri;
static uv_loop_t loop;
static char top[] = "/tmp/nacelle-cri-memory-XXXXXX";

/* -- the world --------------------------------------------------------------------------------------------- */

static int setup(void **state) {
        static const char *const ips[] = { "10.0.0.1", "fd00::1", NULL };
        Record__Exit exit = RECORD__EXIT__INIT;
        struct cri_sandbox *a, *b;
        struct cri_container *c;

        (void)state;
        log_init("test", LOG_LEVEL_ERROR);
        assert_non_null(mkdtemp(top));
        uv_loop_init(&loop);
        cri.loop = &loop;
        cri.options.root_dir = cri.options.run_dir = top;
        assert_int_equal(pool_new(&loop, &cri.pool), 0);
        assert_int_equal(image_store_open(top, &cri.images, NULL), 0);
        a = made_up_sandbox(&cri, "aaaa1", "web", "web");
        b = made_up_sandbox(&cri, "aabb2", "db", "db");
        assert_non_null(a);
        assert_non_null(b);
        a->ips = ips;
        a->n_ips = 2;
        assert_non_null(made_up_container(a, "c111", "one"));
        assert_non_null(c = made_up_container(a, "c122", "two"));
        assert_non_null(made_up_container(b, "d333", "one"));
        b->ready = false;
        exit.exit_code = 3;
        exit.finished_at = 5;
        exit.message = T("it said why");
        cri_container_take_exit(c, &exit);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        made_up_clear(&cri);
        image_store_close(cri.images);
        pool_free(cri.pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        return files_remove_tree(top, NULL);
}

/* -- calls ------------------------------------------------------------------------------------------------- */

struct answer {
        bool ended;
        int code;
        char text[256];
        size_t length; /* of all messages, packed one after the other */
        uint8_t bytes[64 * 1024];
};

static enum cri_method method_of_call;
static unsigned asked; /* allocations, by the last call */

static void on_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct answer *answer = data;

        if (response && method_of_call == CRI_IMAGE_FS_INFO)
                ((const Cri__ImageFsInfoResponse *)response)->image_filesystems[0]->timestamp = 0;
        if (response) {
                size_t n = protobuf_c_message_get_packed_size(response);

                assert_true(answer->length + n <= sizeof(answer->bytes));
                answer->length += protobuf_c_message_pack(response, answer->bytes + answer->length);
        }
        if (err) {
                answer->code = err_code(err);
                snprintf(answer->text, sizeof(answer->text), "%s", err_text(err));
        }
        answer->ended |= err || !response || !(cri_methods[method_of_call].flags & CRI_STREAM);
}

static void call(enum cri_method method, const void *request, unsigned fail, struct answer *answer) {
        memset(answer, 0, sizeof(*answer));
        method_of_call = method;
        memory_fail(fail, 1);
        cri_call(&cri, method, request, on_done, answer);
        while (!answer->ended)
                uv_run(&loop, UV_RUN_ONCE);
        asked = memory_asked();
        memory_fail(0, 0);
        if (cri_calls_under_way(&cri) != 0)
                fail_msg("%s, allocation %u: a call is under way", cri_methods[method].name, fail);
}

static void sweep_call(enum cri_method method, const void *request) {
        static struct answer before, now, after;
        unsigned n;
        long balance;

        call(method, request, 0, &before); /* once, for what is kept: threads, libc */
        balance = memory_balance();
        for (n = 1; n < 5000; n++) {
                call(method, request, n, &now);
                if (memory_balance() != balance)
                        fail_msg("%s, allocation %u leaks %ld", cri_methods[method].name, n,
                                 memory_balance() - balance);
                if (now.code == ENOMEM && before.code != ENOMEM)
                        continue;
                if (now.code != before.code || now.length != before.length ||
                    memcmp(now.bytes, before.bytes, now.length) != 0)
                        fail_msg("%s, allocation %u: another answer (%d, %zu of %zu bytes): %s",
                                 cri_methods[method].name, n, now.code, now.length, before.length, now.text);
                if (asked < n)
                        break;
        }
        call(method, request, 0, &after);
        assert_int_equal(after.code, before.code);
        assert_int_equal(after.length, before.length);
        assert_memory_equal(after.bytes, before.bytes, before.length);
        print_message("%s: %u allocations\n", cri_methods[method].name, n - 1);
}

static void test_answers(void **state) {
        Cri__VersionRequest version = CRI__VERSION_REQUEST__INIT;
        Cri__ListPodSandboxRequest list = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
        Cri__StreamPodSandboxesRequest stream = CRI__STREAM_POD_SANDBOXES_REQUEST__INIT;
        Cri__ListContainersRequest containers = CRI__LIST_CONTAINERS_REQUEST__INIT;
        Cri__StreamContainersRequest streamed = CRI__STREAM_CONTAINERS_REQUEST__INIT;
        Cri__PodSandboxStatusRequest sandbox = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
        Cri__ContainerStatusRequest container = CRI__CONTAINER_STATUS_REQUEST__INIT;
        Cri__RuntimeConfigRequest config = CRI__RUNTIME_CONFIG_REQUEST__INIT;
        Cri__UpdateRuntimeConfigRequest update = CRI__UPDATE_RUNTIME_CONFIG_REQUEST__INIT;
        Cri__ListMetricDescriptorsRequest metrics = CRI__LIST_METRIC_DESCRIPTORS_REQUEST__INIT;
        Cri__ListImagesRequest images = CRI__LIST_IMAGES_REQUEST__INIT;
        Cri__StreamImagesRequest streamed_images = CRI__STREAM_IMAGES_REQUEST__INIT;
        Cri__ImageStatusRequest image = CRI__IMAGE_STATUS_REQUEST__INIT;
        Cri__RemoveImageRequest remove_image = CRI__REMOVE_IMAGE_REQUEST__INIT;
        Cri__ImageFsInfoRequest usage = CRI__IMAGE_FS_INFO_REQUEST__INIT;
        Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;

        (void)state;
        if (!memory_can_fail())
                skip();
        spec.image = T("nothing:1");
        image.image = remove_image.image = &spec;
        image.verbose = sandbox.verbose = container.verbose = true;
        sandbox.pod_sandbox_id = T("aaaa1");
        container.container_id = T("c122");
        sweep_call(CRI_VERSION, &version);
        sweep_call(CRI_LIST_POD_SANDBOX, &list);
        sweep_call(CRI_STREAM_POD_SANDBOXES, &stream);
        sweep_call(CRI_LIST_CONTAINERS, &containers);
        sweep_call(CRI_STREAM_CONTAINERS, &streamed);
        sweep_call(CRI_CONTAINER_STATUS, &container);
        sweep_call(CRI_RUNTIME_CONFIG, &config);
        sweep_call(CRI_UPDATE_RUNTIME_CONFIG, &update);
        sweep_call(CRI_LIST_METRIC_DESCRIPTORS, &metrics);
        sweep_call(CRI_LIST_IMAGES, &images);
        sweep_call(CRI_STREAM_IMAGES, &streamed_images);
        sweep_call(CRI_IMAGE_STATUS, &image);
        sweep_call(CRI_REMOVE_IMAGE, &remove_image);
        sweep_call(CRI_IMAGE_FS_INFO, &usage);
}

/* What is refused for its own sake is refused for that, or for want of memory. */
static void test_refusals(void **state) {
        Cri__RunPodSandboxRequest run = CRI__RUN_POD_SANDBOX_REQUEST__INIT;
        Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
        Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
        Cri__CreateContainerRequest create = CRI__CREATE_CONTAINER_REQUEST__INIT;
        Cri__ContainerConfig made = CRI__CONTAINER_CONFIG__INIT;
        Cri__ContainerMetadata named = CRI__CONTAINER_METADATA__INIT;
        Cri__ImageSpec spec = CRI__IMAGE_SPEC__INIT;
        Cri__StartContainerRequest start = CRI__START_CONTAINER_REQUEST__INIT;
        Cri__ExecSyncRequest exec = CRI__EXEC_SYNC_REQUEST__INIT;
        char *command[] = { T("true") };

        (void)state;
        if (!memory_can_fail())
                skip();
        metadata.name = T("web");
        metadata.namespace_ = T("ns");
        metadata.uid = T("uid");
        config.metadata = &metadata;
        run.config = &config;
        named.name = T("new");
        spec.image = T("nothing:1");
        made.metadata = &named;
        made.image = &spec;
        create.pod_sandbox_id = T("aaaa1");
        create.config = &made;
        create.sandbox_config = &config;
        start.container_id = T("c122");
        exec.container_id = T("c122");
        exec.cmd = command;
        exec.n_cmd = 1;
        sweep_call(CRI_RUN_POD_SANDBOX, &run);
        sweep_call(CRI_CREATE_CONTAINER, &create);
        sweep_call(CRI_START_CONTAINER, &start);
        sweep_call(CRI_EXEC_SYNC, &exec);
}

/* -- objects ----------------------------------------------------------------------------------------------- */

static void test_objects(void **state) {
        struct cri_sandbox *sandbox = NULL;
        struct cri_container *container = NULL;
        long before;

        (void)state;
        if (!memory_can_fail())
                skip();
        for (unsigned n = 0; !sandbox || !container; n++) {
                before = memory_balance();
                memory_fail(n, n > 0);
                sandbox = made_up_sandbox(&cri, "ffff9", "new", "new");
                container = sandbox ? made_up_container(sandbox, "f999", "new") : NULL;
                memory_fail(0, 0);
                if (n == 0 || !container) {
                        if (container)
                                cri_container_remove(container);
                        if (sandbox)
                                cri_sandbox_remove(sandbox);
                        if (n > 0 && memory_balance() != before)
                                fail_msg("allocation %u leaks %ld", n, memory_balance() - before);
                        sandbox = NULL;
                        container = NULL;
                }
                assert_true(n < 500);
        }
        cri_container_remove(container);
        cri_sandbox_remove(sandbox);
        assert_int_equal(cri_sandbox_find(&cri, "ffff9", &sandbox, NULL), -ENOENT);
        assert_int_equal(cri.sandboxes.n, 2);
        assert_int_equal(cri.sandbox_names.n, 2);
}

/* -- what CreateContainer decides -------------------------------------------------------------------------- */

#define TRIES_MAX 500

/* Calls @make with each allocation failing in turn until none did; what it makes is packed and is the same then. */
static void sweep_message(const ProtobufCMessage *(*make)(struct arena *arena, int *ret_r)) {
        static uint8_t first[8192], now[8192];
        size_t first_n = 0;

        for (unsigned n = 0; n < TRIES_MAX; n++) {
                struct arena *arena = arena_new();
                const ProtobufCMessage *made;
                unsigned all;
                int r;

                memory_fail(n, 1);
                made = make(arena, &r);
                all = memory_asked();
                memory_fail(0, 0);
                if (r < 0) {
                        if (r != -ENOMEM || n == 0)
                                fail_msg("allocation %u: %d", n, r);
                } else {
                        size_t length = protobuf_c_message_pack(made, now);

                        if (n == 0)
                                memcpy(first, now, first_n = length);
                        if (length != first_n || memcmp(first, now, length) != 0)
                                fail_msg("allocation %u: %zu of %zu bytes", n, length, first_n);
                }
                arena_free(arena);
                if (n > all)
                        return;
        }
        fail_msg("more than %d allocations", TRIES_MAX);
}

static const ProtobufCMessage *decide(struct arena *arena, int *ret_r) {
        static char *cmd[] = { T("run"), NULL }, *env[] = { T("A=1"), T("B=2"), NULL };
        static const struct image_config image = { .cmd = cmd, .env = env, .workdir = T("/srv") };
        static Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
        static Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
        static Record__Container record;

        record = (Record__Container)RECORD__CONTAINER__INIT;
        pod.hostname = T("web");
        *ret_r = process_decide(arena, &config, &image, &pod, &record, NULL);
        return &record.base;
}

static const ProtobufCMessage *add_cdi(struct arena *arena, int *ret_r) {
        static Cri__CDIDevice device = CRI__CDIDEVICE__INIT, *devices[] = { &device };
        static Cri__ContainerConfig config;

        config = (Cri__ContainerConfig)CRI__CONTAINER_CONFIG__INIT;
        device.name = T("vendor.com/net=one");
        config.cdi_devices = devices;
        config.n_cdi_devices = 1;
        *ret_r = spec_add_cdi(&cri, arena, &config, NULL);
        return &config.base;
}

static void test_decisions(void **state) {
        static const char spec[] = "{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/net\",\"containerEdits\":{"
                                   "\"env\":[\"ALL=1\"]},\"devices\":[{\"name\":\"one\",\"containerEdits\":{"
                                   "\"env\":[\"ONE=yes\"],\"deviceNodes\":[{\"path\":\"/dev/one\","
                                   "\"hostPath\":\"/dev/null\"}],\"mounts\":[{\"hostPath\":\"/srv\","
                                   "\"containerPath\":\"/one\",\"options\":[\"ro\"]}],"
                                   "\"additionalGids\":[44]}}]}";
        char path[128];

        (void)state;
        if (!memory_can_fail())
                skip();
        sweep_message(decide);
        snprintf(path, sizeof(path), "%s/vendor.json", top);
        assert_int_equal(files_replace(path, spec, strlen(spec), 0644, NULL), 0);
        cri.options.cdi_dirs = top;
        sweep_message(add_cdi);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_objects),
                cmocka_unit_test(test_decisions),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
