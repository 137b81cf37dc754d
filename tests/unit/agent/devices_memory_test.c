/* A pod is given a device by a plugin in this process: whichever allocation fails on the way, the pod is refused or
 * told so, nothing stays taken, and the next one succeeds; and what is on the disk is read back. */
#include "agent/devices/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/devices/plugin.pb-c.h"
#include "kube/pod/pod.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/files.h"
#include "lib/grpc/client.h"
#include "lib/grpc/server.h"
#include "lib/listen.h"
#include "lib/log.h"
#include "lib/pool.h"
#include "tests/unit/support/memory.h"

#define RESOURCE "example.com/x"
#define WAIT_MS 300 /* for a step that may have been lost for want of memory */
#define TRIES_MOST 150

static char a[] = "a", b[] = "b", healthy[] = "Healthy", key[] = "KEY", value[] = "value", v1beta1[] = "v1beta1",
            endpoint[] = "p.sock", resource[] = RESOURCE;
static char top[64], sockets[96], found[96], record[96];
static uv_loop_t loop;
static struct pool *pool;
static struct devices *devices;
static struct grpc_server *plugin;
static unsigned allocated, prestarted;
static size_t given_bytes, given_items; /* of on_allocate(); 0: what a plugin would */

/* -- the plugin -------------------------------------------------------------------------------------------- */

static void on_options(struct grpc_call *call, const ProtobufCMessage *request) {
        Devices__Options options = DEVICES__OPTIONS__INIT;

        options.pre_start_required = true;
        options.get_preferred_allocation_available = true;
        grpc_call_reply(call, &options.base);
}

static void on_gone(struct grpc_call *call, enum grpc_code code, void *data) {
        grpc_call_finish(call);
}

static void on_list(struct grpc_call *call, const ProtobufCMessage *request) {
        Devices__Device one = DEVICES__DEVICE__INIT, other = DEVICES__DEVICE__INIT, *all[] = { &one, &other };
        Devices__DeviceList list = DEVICES__DEVICE_LIST__INIT;

        one.id = a;
        other.id = b;
        one.health = other.health = healthy;
        list.devices = all;
        list.n_devices = 2;
        grpc_call_on_cancel(call, on_gone, NULL);
        grpc_call_send(call, &list.base);
}

static void on_prefer(struct grpc_call *call, const ProtobufCMessage *request) {
        Devices__PreferredIds ids = DEVICES__PREFERRED_IDS__INIT, *all[] = { &ids };
        Devices__PreferredResponse response = DEVICES__PREFERRED_RESPONSE__INIT;
        char *names[] = { b };

        ids.device_ids = names;
        ids.n_device_ids = 1;
        response.containers = all;
        response.n_containers = 1;
        grpc_call_reply(call, &response.base);
}

static void give_much(struct grpc_call *call) {
        Devices__Given__EnvsEntry env = DEVICES__GIVEN__ENVS_ENTRY__INIT;
        Devices__Given given = DEVICES__GIVEN__INIT, *all[] = { &given };
        Devices__AllocateResponse response = DEVICES__ALLOCATE_RESPONSE__INIT;
        size_t n = given_items ?: 1;
        _cleanup_free_ Devices__Given__EnvsEntry **envs = calloc(n, sizeof(Devices__Given__EnvsEntry *));
        _cleanup_free_ char *text = calloc(1, given_bytes + 1);

        memset(text, 'x', given_bytes);
        env.key = key;
        env.value = text;
        for (size_t i = 0; i < n; i++)
                envs[i] = &env;
        given.envs = envs;
        given.n_envs = n;
        response.containers = all;
        response.n_containers = 1;
        grpc_call_reply(call, &response.base);
}

static void on_allocate(struct grpc_call *call, const ProtobufCMessage *request) {
        Devices__Given__EnvsEntry env = DEVICES__GIVEN__ENVS_ENTRY__INIT, *envs[] = { &env };
        Devices__Given given = DEVICES__GIVEN__INIT, *all[] = { &given };
        Devices__AllocateResponse response = DEVICES__ALLOCATE_RESPONSE__INIT;

        if (given_bytes || given_items)
                return give_much(call);
        env.key = key;
        env.value = value;
        given.envs = envs;
        given.n_envs = 1;
        response.containers = all;
        response.n_containers = 1;
        allocated++;
        grpc_call_reply(call, &response.base);
}

static void on_pre_start(struct grpc_call *call, const ProtobufCMessage *request) {
        Devices__Empty empty = DEVICES__EMPTY__INIT;

        prestarted++;
        grpc_call_reply(call, &empty.base);
}

#define METHOD(name, request, response, handle)                                                                        \
        {                                                                                                              \
                "/v1beta1.DevicePlugin/" name, &devices__##request##__descriptor, &devices__##response##__descriptor,  \
                        handle, NULL                                                                                   \
        }
static const struct grpc_method methods[] = {
        METHOD("GetDevicePluginOptions", empty, options, on_options),
        METHOD("ListAndWatch", empty, device_list, on_list),
        METHOD("GetPreferredAllocation", preferred_request, preferred_response, on_prefer),
        METHOD("Allocate", allocate_request, allocate_response, on_allocate),
        METHOD("PreStartContainer", pre_start_request, empty, on_pre_start),
};

/* -- the node ---------------------------------------------------------------------------------------------- */

static void on_changed(void *data) {
}

static void on_told(void *data, const char *uid) {
}

static void make_devices(void) {
        const struct devices_world world = { &loop, pool, sockets, found, record, on_changed, on_told, NULL };

        assert_int_equal(devices_new(&world, &devices, NULL), 0);
}

static void on_late(uv_timer_t *timer) {
        *(bool *)timer->data = true;
}

static void on_closed(uv_handle_t *handle) {
        *(bool *)handle->data = true;
}

/* Runs the loop until @done is true, or time is over. */
static void run(const bool *done) {
        bool late = false, closed = false;
        uv_timer_t timer;

        uv_timer_init(&loop, &timer);
        timer.data = &late;
        uv_timer_start(&timer, on_late, WAIT_MS, 0);
        while (!*done && !late)
                uv_run(&loop, UV_RUN_ONCE);
        timer.data = &closed;
        uv_close((uv_handle_t *)&timer, on_closed);
        while (!closed)
                uv_run(&loop, UV_RUN_NOWAIT);
}

static void on_registered(void *data, enum grpc_code code, const char *text) {
        assert_int_equal(code, GRPC_OK);
        *(bool *)data = true;
}

static void start_plugin(void) {
        static const struct grpc_client_handlers handlers = { NULL, on_registered };
        Devices__RegisterRequest message = DEVICES__REGISTER_REQUEST__INIT;
        const struct grpc_client_request request = { "/v1beta1.Registration/Register", &message.base,
                                                     &devices__empty__descriptor, 0 };
        struct grpc_client *client;
        bool registered = false;
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "%s/p.sock", sockets);
        assert_int_equal(listen_unix(path, 0600, &fd, NULL), 0);
        assert_int_equal(grpc_server_new(&loop, &plugin), 0);
        assert_int_equal(grpc_server_add(plugin, methods, ELEMENTS(methods), NULL), 0);
        assert_int_equal(grpc_server_listen(plugin, fd, NULL), 0);
        snprintf(path, sizeof(path), "%s/kubelet.sock", sockets);
        assert_int_equal(grpc_client_new(&loop, path, &client, NULL), 0);
        message.version = v1beta1;
        message.endpoint = endpoint;
        message.resource_name = resource;
        assert_int_equal(grpc_client_call(client, &request, &handlers, &registered, NULL), 0);
        while (!registered)
                uv_run(&loop, UV_RUN_ONCE);
        while (devices_healthy(devices, RESOURCE) != 2)
                uv_run(&loop, UV_RUN_ONCE);
        grpc_client_free(client);
}

static struct pod *make_pod(void) {
        struct pod *pod = pod_new();
        struct kube_container *c = arena_new_of(pod->arena, struct kube_container);
        struct resource_amount *limit = arena_new_of(pod->arena, struct resource_amount);

        *limit = (struct resource_amount){ RESOURCE, quantity_from_units(1, QUANTITY_DECIMAL) };
        c->name = "main";
        c->resources.limits = c->resources.requests = (resource_list){ limit, 1 };
        pod->spec.containers = (kube_container_items){ c, 1 };
        pod->metadata.uid = "uid";
        return pod;
}

/* -- a pod ------------------------------------------------------------------------------------------------- */

struct waits {
        bool done, failed;
};

static void on_done(void *data, const struct err *err) {
        struct waits *waits = data;

        waits->done = true;
        waits->failed = err;
}

/* Whether it was given its device; given up after a while where memory @fails. */
static bool ask(struct pod *pod, bool fails) {
        struct devices_request *request = NULL;
        struct waits waits = { .done = false };
        int r = devices_ask(devices, pod, on_done, &waits, &request);

        if (r < 0)
                return false;
        assert_int_equal(r, 0);
        while (!fails && !waits.done)
                uv_run(&loop, UV_RUN_ONCE);
        run(&waits.done);
        if (!waits.done)
                devices_cancel(request);
        return waits.done && !waits.failed;
}

static bool prestart(void) {
        struct waits waits = { .done = false };
        int r = devices_pre_start(devices, "uid", "main", on_done, &waits);

        if (r < 0)
                return false;
        assert_int_equal(r, 0);
        while (!waits.done) /* it always comes: at the end of the call's time at the latest */
                uv_run(&loop, UV_RUN_ONCE);
        return !waits.failed;
}

static void check_grant(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        kube_resource_status_items status;
        struct node_grant grant = { 0 };

        assert_int_equal(devices_grant(devices, "uid", "main", arena, &grant, NULL), 0);
        assert_int_equal(grant.environment.count, 1);
        assert_string_equal(grant.environment.items[0].value, "value");
        assert_int_equal(devices_status(devices, "uid", "main", arena, &status), 0);
        assert_int_equal(status.count, 1);
        assert_string_equal(status.items[0].resources.items[0].resource_id, "b"); /* which it prefers */
}

static bool knows_nobody(void *data, const char *uid) {
        return false;
}

static void sweep(void **state) {
        struct pod *pod;
        unsigned n, step;

        if (!memory_can_fail())
                skip();
        pod = make_pod();
        memory_fail(0, 0);
        assert_true(ask(pod, false));
        assert_true(prestart());
        n = memory_asked();
        devices_release(devices, "uid");
        step = memory_sweep_step(n, TRIES_MOST);
        for (unsigned i = 1; i <= n; i += step) {
                memory_fail(i, 1);
                if (ask(pod, true))
                        prestart();
                memory_fail(0, 0);
                devices_release(devices, "uid");
                if (devices_healthy(devices, RESOURCE) != 2) { /* its connection was lost */
                        grpc_server_free(plugin);
                        start_plugin();
                }
                assert_true(ask(pod, false));
                check_grant();
                devices_release(devices, "uid");
        }
        pod_unref(pod);
}

/* Both go. */
static void leave(void) {
        devices_free(devices);
        while (grpc_server_connections(plugin) > 0)
                uv_run(&loop, UV_RUN_ONCE);
        grpc_server_free(plugin);
}

static void is_read_back(void **state) {
        struct pod *pod = make_pod();
        unsigned before;

        assert_true(ask(pod, false));
        leave();
        make_devices();
        assert_false(devices_is_new(devices));
        assert_int_equal(devices_healthy(devices, RESOURCE), 0);
        start_plugin();
        check_grant();
        before = prestarted;
        assert_true(prestart());
        assert_int_equal(prestarted, before + 1);
        devices_keep_only(devices, knows_nobody, NULL);
        assert_false(devices_has(devices, "uid"));
        pod_unref(pod);
}

/* Cut off anywhere, or anything else: set aside, and the node goes on. */
static void broken_records(void **state) {
        struct pod *pod = make_pod();
        char *data, aside[128];
        size_t size;

        assert_true(ask(pod, false));
        assert_int_equal(files_read(record, DEVICES_RECORD_MAX, &data, &size, NULL), 0);
        assert_true(size > 8);
        snprintf(aside, sizeof(aside), "%s.broken", record);
        leave();
        for (size_t cut = 1; cut < size; cut += 3) {
                assert_int_equal(files_replace(record, data, cut, 0600, NULL), 0);
                make_devices();
                assert_int_equal(devices_is_new(devices), access(aside, F_OK) == 0);
                assert_int_equal(files_remove_tree(aside, NULL), 0);
                devices_free(devices);
        }
        free(data);
        make_devices();
        start_plugin();
        devices_release(devices, "uid");
        pod_unref(pod);
}

/* What would not be read back, or takes for ever, is not taken. */
static void plugins_that_give_much(void **state) {
        static const struct {
                size_t bytes, items;
                bool taken;
        } cases[] = {
                { DEVICES_GIVEN_MAX - 64, 0, true },
                { DEVICES_GIVEN_MAX, 0, false },
                { 0, DEVICES_GIVEN_ITEMS_MAX, true },
                { 0, DEVICES_GIVEN_ITEMS_MAX + 1, false },
        };
        struct pod *pod = make_pod();

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                given_bytes = cases[i].bytes;
                given_items = cases[i].items;
                assert_int_equal(ask(pod, false), cases[i].taken);
                devices_release(devices, "uid");
        }
        given_bytes = given_items = 0;
        assert_true(ask(pod, false));
        check_grant();
        devices_release(devices, "uid");
        pod_unref(pod);
}

/* What stands where the socket should be is somebody's. */
static void a_file_in_the_way_stays(void **state) {
        char path[128], *data;
        size_t size;

        leave();
        snprintf(path, sizeof(path), "%s/kubelet.sock", sockets);
        assert_int_equal(files_replace(path, "mine", 4, 0600, NULL), 0);
        make_devices();
        devices_free(devices);
        assert_int_equal(files_read(path, 16, &data, &size, NULL), 0);
        free(data);
        assert_int_equal(files_remove_tree(path, NULL), 0);
        make_devices();
        start_plugin();
}

static int set_up(void **state) {
        strcpy(top, "/tmp/nacelle-devices-XXXXXX");
        log_init("test", LOG_LEVEL_ERROR);
        uv_loop_init(&loop);
        if (!mkdtemp(top) || pool_new(&loop, &pool) < 0)
                return -1;
        snprintf(sockets, sizeof(sockets), "%s/device-plugins", top);
        snprintf(found, sizeof(found), "%s/plugins_registry", top);
        snprintf(record, sizeof(record), "%s/devices.pb", top);
        make_devices();
        start_plugin();
        return 0;
}

static int tear_down(void **state) {
        bool never = false;

        run(&never); /* what is being written comes to its end */
        devices_free(devices);
        grpc_server_free(plugin);
        uv_run(&loop, UV_RUN_NOWAIT);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        return files_remove_tree(top, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(sweep, set_up, tear_down),
                cmocka_unit_test_setup_teardown(is_read_back, set_up, tear_down),
                cmocka_unit_test_setup_teardown(broken_records, set_up, tear_down),
                cmocka_unit_test_setup_teardown(plugins_that_give_much, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_in_the_way_stays, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
