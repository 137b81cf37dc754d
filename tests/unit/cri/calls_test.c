#include "cri/cri.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cri/made_up.h"

static struct cri cri;

static int setup(void **state) {
        struct cri_sandbox *a, *b;

        (void)state;
        a = made_up_sandbox(&cri, "aaaa1", "web", "web");
        b = made_up_sandbox(&cri, "aabb2", "db", "db");
        assert_non_null(a);
        assert_non_null(b);
        assert_non_null(made_up_container(a, "c111", "one"));
        assert_non_null(made_up_container(a, "c122", "two"));
        assert_non_null(made_up_container(b, "d333", "one"));
        b->ready = false;
        return 0;
}

static int teardown(void **state) {
        (void)state;
        made_up_clear(&cri);
        return 0;
}

struct answer {
        int code; /* 0: answered */
        char text[256];
        unsigned called;
        ProtobufCMessage *message;
        struct arena *arena;
};

static void on_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct answer *answer = data;

        answer->called++;
        if (err) {
                answer->code = err_code(err);
                snprintf(answer->text, sizeof(answer->text), "%s", err_text(err));
        } else if (response)
                answer->message = message_copy(answer->arena, response);
}

static struct answer call(enum cri_method method, const void *request) {
        struct answer answer = { .arena = arena_new() };

        cri_call(&cri, method, request, on_done, &answer);
        assert_true(answer.called >= 1);
        assert_int_equal(cri_calls_under_way(&cri), 0);
        return answer;
}

static void expect_refusal(enum cri_method method, const void *request, int code, const char *says) {
        struct answer answer = call(method, request);

        assert_int_equal(answer.code, code);
        assert_non_null(strstr(answer.text, says));
        arena_free(answer.arena);
}

/* Filters, and the ids that they give: prefixes, states, labels. */
static const struct {
        const char *id;
        int state;         /* -1: any */
        const char *label; /* of app */
        const char *found;
} lists[] = {
        { "", -1, NULL, "aaaa1 aabb2 " },
        { "aaaa1", -1, NULL, "aaaa1 " },
        { "aab", -1, NULL, "aabb2 " },
        { "aa", -1, NULL, "" }, /* of two: as if of none */
        { "zz", -1, NULL, "" },
        { "", CRI__POD_SANDBOX_STATE__SANDBOX_READY, NULL, "aaaa1 " },
        { "", CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY, NULL, "aabb2 " },
        { "", -1, "db", "aabb2 " },
        { "", -1, "none", "" },
        { "aaaa1", CRI__POD_SANDBOX_STATE__SANDBOX_NOTREADY, NULL, "" },
};

static void test_list_sandboxes(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(lists); i++) {
                Cri__PodSandboxFilter__LabelSelectorEntry label = CRI__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
                Cri__PodSandboxFilter__LabelSelectorEntry *labels[] = { &label };
                Cri__ListPodSandboxRequest request = CRI__LIST_POD_SANDBOX_REQUEST__INIT;
                Cri__PodSandboxStateValue wanted = CRI__POD_SANDBOX_STATE_VALUE__INIT;
                Cri__PodSandboxFilter filter = CRI__POD_SANDBOX_FILTER__INIT;
                const Cri__ListPodSandboxResponse *response;
                struct answer answer;
                char found[64] = "";

                request.filter = &filter;
                filter.id = (char *)(uintptr_t)lists[i].id;
                if (lists[i].state >= 0) {
                        wanted.state = (Cri__PodSandboxState)lists[i].state;
                        filter.state = &wanted;
                }
                if (lists[i].label) {
                        label.key = (char *)(uintptr_t) "app";
                        label.value = (char *)(uintptr_t)lists[i].label;
                        filter.label_selector = labels;
                        filter.n_label_selector = 1;
                }
                answer = call(CRI_LIST_POD_SANDBOX, &request);
                response = (const Cri__ListPodSandboxResponse *)answer.message;
                for (size_t j = 0; j < response->n_items; j++)
                        sprintf(found + strlen(found), "%s ", response->items[j]->id);
                assert_string_equal(found, lists[i].found);
                arena_free(answer.arena);
        }
}

static void test_list_containers(void **state) {
        static const struct {
                const char *id, *sandbox;
                size_t n;
        } filters[] = { { "", "", 3 },      { "c1", "", 0 },  { "c11", "", 1 },
                        { "", "aaaa1", 2 }, { "", "aab", 1 }, { "c11", "aab", 0 } };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(filters); i++) {
                Cri__ListContainersRequest request = CRI__LIST_CONTAINERS_REQUEST__INIT;
                Cri__ContainerFilter filter = CRI__CONTAINER_FILTER__INIT;
                struct answer answer;

                filter.id = (char *)(uintptr_t)filters[i].id;
                filter.pod_sandbox_id = (char *)(uintptr_t)filters[i].sandbox;
                request.filter = &filter;
                answer = call(CRI_LIST_CONTAINERS, &request);
                assert_int_equal(((const Cri__ListContainersResponse *)answer.message)->n_containers, filters[i].n);
                arena_free(answer.arena);
        }
}

static void test_streams(void **state) {
        Cri__StreamContainersRequest request = CRI__STREAM_CONTAINERS_REQUEST__INIT;
        struct answer answer = call(CRI_STREAM_CONTAINERS, &request);

        (void)state;
        assert_int_equal(answer.called, 2); /* one message, and the end */
        assert_int_equal(((const Cri__StreamContainersResponse *)answer.message)->n_containers, 3);
        arena_free(answer.arena);
}

static void test_status(void **state) {
        Cri__ContainerStatusRequest request = CRI__CONTAINER_STATUS_REQUEST__INIT;
        const Cri__ContainerStatusResponse *response;
        Record__Exit exit = RECORD__EXIT__INIT;
        struct cri_container *container;
        struct answer answer;

        (void)state;
        request.container_id = (char *)(uintptr_t) "c11";
        request.verbose = true;
        answer = call(CRI_CONTAINER_STATUS, &request);
        response = (const Cri__ContainerStatusResponse *)answer.message;
        assert_string_equal(response->status->id, "c111");
        assert_int_equal(response->status->state, CRI__CONTAINER_STATE__CONTAINER_CREATED);
        assert_string_equal(response->status->reason, "");
        assert_int_equal(response->n_info, 1);
        assert_non_null(strstr(response->info[0]->value, "\"sandboxID\":\"aaaa1\""));
        arena_free(answer.arena);

        exit.exit_code = 137;
        exit.finished_at = 5;
        exit.reason = (char *)(uintptr_t) "OOMKilled";
        assert_int_equal(cri_container_find(&cri, "c111", &container, NULL), 0);
        cri_container_take_exit(container, &exit);
        answer = call(CRI_CONTAINER_STATUS, &request);
        response = (const Cri__ContainerStatusResponse *)answer.message;
        assert_int_equal(response->status->exit_code, 137);
        assert_string_equal(response->status->reason, "OOMKilled");
        exit.exit_code = 0;
        exit.reason = (char *)(uintptr_t) "";
        cri_container_take_exit(container, &exit);
        assert_string_equal(cri_container_reason(container), "Completed");
        arena_free(answer.arena);
}

/* Wrong ids: refused where there is nothing to do without the object, fine where its absence is what was wanted. */
static void test_wrong_ids(void **state) {
        Cri__StopPodSandboxRequest stop_pod = CRI__STOP_POD_SANDBOX_REQUEST__INIT;
        Cri__RemoveContainerRequest remove_container_ = CRI__REMOVE_CONTAINER_REQUEST__INIT;
        Cri__StartContainerRequest start = CRI__START_CONTAINER_REQUEST__INIT;
        Cri__PodSandboxStatusRequest status = CRI__POD_SANDBOX_STATUS_REQUEST__INIT;
        struct answer answer;

        (void)state;
        stop_pod.pod_sandbox_id = remove_container_.container_id = start.container_id = status.pod_sandbox_id =
                (char *)(uintptr_t) "zz";
        answer = call(CRI_STOP_POD_SANDBOX, &stop_pod);
        assert_int_equal(answer.code, 0);
        arena_free(answer.arena);
        answer = call(CRI_REMOVE_CONTAINER, &remove_container_);
        assert_int_equal(answer.code, 0);
        arena_free(answer.arena);
        expect_refusal(CRI_START_CONTAINER, &start, ENOENT, "find container \"zz\": not found");
        expect_refusal(CRI_POD_SANDBOX_STATUS, &status, ENOENT, "find sandbox \"zz\": not found");
        status.pod_sandbox_id = (char *)(uintptr_t) "aa";
        expect_refusal(CRI_POD_SANDBOX_STATUS, &status, EINVAL, "the beginning of several");
        status.pod_sandbox_id = (char *)(uintptr_t) "";
        expect_refusal(CRI_POD_SANDBOX_STATUS, &status, EINVAL, "the sandbox id is empty");
}

static void test_wrong_requests(void **state) {
        Cri__RunPodSandboxRequest run = CRI__RUN_POD_SANDBOX_REQUEST__INIT;
        Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
        Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
        Cri__CreateContainerRequest create = CRI__CREATE_CONTAINER_REQUEST__INIT;
        Cri__ExecSyncRequest exec_sync = CRI__EXEC_SYNC_REQUEST__INIT;
        Cri__ExecRequest exec = CRI__EXEC_REQUEST__INIT;
        Cri__PullImageRequest pull = CRI__PULL_IMAGE_REQUEST__INIT;
        Cri__GetEventsRequest events = CRI__GET_EVENTS_REQUEST__INIT;

        (void)state;
        expect_refusal(CRI_RUN_POD_SANDBOX, &run, EINVAL, "must include metadata");
        run.config = &config;
        config.metadata = &metadata;
        expect_refusal(CRI_RUN_POD_SANDBOX, &run, EINVAL, "name, namespace and uid");
        metadata.name = (char *)(uintptr_t) "web";
        metadata.namespace_ = (char *)(uintptr_t) "ns";
        metadata.uid = (char *)(uintptr_t) "uid";
        expect_refusal(CRI_RUN_POD_SANDBOX, &run, EEXIST, "name \"web_ns_uid_0\" is reserved for \"aaaa1\"");
        run.runtime_handler = (char *)(uintptr_t) "other";
        expect_refusal(CRI_RUN_POD_SANDBOX, &run, EINVAL, "no runtime for \"other\" is configured");
        create.pod_sandbox_id = (char *)(uintptr_t) "aaaa1";
        expect_refusal(CRI_CREATE_CONTAINER, &create, EINVAL, "must include metadata");
        exec_sync.container_id = exec.container_id = (char *)(uintptr_t) "d333";
        expect_refusal(CRI_EXEC_SYNC, &exec_sync, EINVAL, "a command takes");
        expect_refusal(CRI_EXEC, &exec, EOPNOTSUPP, "no streaming server");
        expect_refusal(CRI_PULL_IMAGE, &pull, EINVAL, "image reference is empty");
        expect_refusal(CRI_GET_CONTAINER_EVENTS, &events, EOPNOTSUPP, "not served this way");
}

static void test_table_of_methods(void **state) {
        (void)state;
        for (int i = 0; i < CRI_METHODS; i++) {
                const char *slash = strrchr(cri_methods[i].path, '/');
                char service[64];

                assert_non_null(slash);
                assert_string_equal(slash + 1, cri_methods[i].name);
                snprintf(service, sizeof(service), "/runtime.v1.%s/",
                         cri_methods[i].flags & CRI_IMAGE_SERVICE ? "ImageService" : "RuntimeService");
                assert_int_equal(strncmp(cri_methods[i].path, service, strlen(service)), 0);
                assert_int_equal(strncmp(cri_methods[i].name, "Stream", 6) == 0 || i == CRI_GET_CONTAINER_EVENTS,
                                 (cri_methods[i].flags & CRI_STREAM) != 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list_sandboxes),   cmocka_unit_test(test_list_containers),
                cmocka_unit_test(test_streams),          cmocka_unit_test(test_status),
                cmocka_unit_test(test_wrong_ids),        cmocka_unit_test(test_wrong_requests),
                cmocka_unit_test(test_table_of_methods),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
