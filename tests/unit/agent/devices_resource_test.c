/* How many resources plugins may have, and which of them goes for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/devices/internal.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static uv_loop_t loop;
static struct devices devices;

static struct resource *make(unsigned i) {
        _cleanup_err_ struct err *err = NULL;
        struct resource *r;
        char name[32];

        snprintf(name, sizeof(name), "example.com/r%u", i);
        r = resource_make(&devices, name, &err);
        assert_true(r || strstr(err_text(err), "the most that there may be"));
        return r;
}

static void hold(const char *uid, char *name) {
        Devices__Grant grant = DEVICES__GRANT__INIT;
        char container[] = "c", id[] = "a", *ids[] = { id };

        grant.container = container;
        grant.resource = name;
        grant.device_ids = ids;
        grant.n_device_ids = 1;
        assert_int_equal(grant_add(&devices, uid, &grant, NULL), 0);
}

/* Not one that has just gone, nor one that a pod still has. */
static void one_that_is_gone_makes_room(void **state) {
        struct resource *gone = NULL;
        char name[32];

        uv_loop_init(&loop);
        devices = (struct devices){ .world.loop = &loop };
        for (unsigned i = 0; i < DEVICES_PLUGINS_MAX; i++) {
                struct resource *r = make(i);

                assert_non_null(r);
                gone = i == 3 ? r : gone;
        }
        assert_null(make(DEVICES_PLUGINS_MAX));
        assert_non_null(make(5)); /* is there */
        gone->gone_at = uv_now(&loop) - DEVICES_GONE_MS;
        snprintf(name, sizeof(name), "%s", gone->name);
        hold("uid", name);
        assert_null(make(DEVICES_PLUGINS_MAX));
        holder_free(&devices, holder_find(&devices, "uid"));
        assert_non_null(make(DEVICES_PLUGINS_MAX));
        assert_null(resource_find(&devices, name));
        assert_int_equal(devices.n_resources, DEVICES_PLUGINS_MAX);
        assert_null(make(3));
        LIST_EACH (resources, r, &devices.resources) {
                resources_remove(r);
                resource_free(r);
        }
        table_clear(&devices.by_uid);
        uv_loop_close(&loop);
}

static void ignore(void *data) {
}

/* Of those that have one name the last counts, however many there are. */
static void the_last_of_a_name_counts(void **state) {
        enum { N = 3000, NAMES = 7 };
        static Devices__Device items[N], *list[N];
        static char names[NAMES][8], good[] = "Healthy", bad[] = "Unhealthy";
        Devices__DeviceList told = DEVICES__DEVICE_LIST__INIT;
        struct resource *r;

        uv_loop_init(&loop);
        devices = (struct devices){ .world = { .loop = &loop, .changed = ignore } };
        r = make(0);
        for (int i = 0; i < N; i++) {
                snprintf(names[i % NAMES], sizeof(names[0]), "d%d", i % NAMES);
                devices__device__init(&items[i]);
                items[i].id = names[i % NAMES];
                items[i].health = i >= N - NAMES && i % NAMES % 2 == 0 ? good : bad;
                list[i] = &items[i];
        }
        told.devices = list;
        told.n_devices = N;
        assert_int_equal(resource_set(r, &devices, &told, NULL), 0);
        assert_int_equal(r->list.n, NAMES);
        assert_int_equal(r->list.n_healthy, (NAMES + 1) / 2);
        for (int k = 0; k < NAMES; k++)
                assert_int_equal(resource_device(r, names[k])->healthy, k % 2 == 0);
        resources_remove(r);
        resource_free(r);
        uv_loop_close(&loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_that_is_gone_makes_room),
                cmocka_unit_test(the_last_of_a_name_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
