/* Services as an API tells of them, also one that lies, and the kernel's table: with a made-up client, on a host of its
 * own. Root only. */
#include "tests/unit/cni/host.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/pool.h"
#include "services/internal.h"
#include "tests/unit/support/fake_client.h"

#define TABLE "nacelle_services_test0"

static uv_loop_t loop;
static struct pool *pool;
static struct fake fake;
static struct services services;

static void settle(void) {
        struct balance *b = &services.balance;

        while (uv_is_active((uv_handle_t *)b->timer) || services_job_runs(b->job))
                uv_run(&loop, UV_RUN_ONCE);
}

static void start(void) {
        services = (struct services){
                .config = { .loop = &loop, .pool = pool, .client = &fake.base, .node = "here", .bridge = "test0" }
        };
        assert_int_equal(model_init(&services), 0);
        assert_int_equal(model_start(&services), 0);
        fake_answer_lists(&fake);
        settle();
}

static void stop(void) {
        model_done(&services);
        while (uv_run(&loop, UV_RUN_NOWAIT))
                continue;
}

static int begin(void **state) {
        assert_int_equal(uv_loop_init(&loop), 0);
        assert_int_equal(pool_new(&loop, &pool), 0);
        fake_init(&fake, &loop);
        start();
        return 0;
}

static int end(void **state) {
        model_done(&services);
        pool_free(pool);
        while (uv_run(&loop, UV_RUN_NOWAIT))
                continue;
        uv_loop_close(&loop);
        fake_done(&fake);
        cni_balancer_remove("test0");
        return 0;
}

/* -- what the API tells ------------------------------------------------------------------------------------ */

/* @spec but its braces. */
static void put_service(const char *name, const char *spec) {
        char *json = NULL;

        assert_true(asprintf(&json, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\"},\"spec\":{%s}}", name, spec) >
                    0);
        fake_put(&fake, &services_services, "d", name, json);
        free(json);
}

/* One port 80 of TCP. */
static void put_plain(const char *name, const char *ip) {
        char spec[256];

        snprintf(spec, sizeof(spec),
                 "\"clusterIP\":\"%s\",\"clusterIPs\":[\"%s\"],\"ports\":[{\"name\":\"x\",\"port\":80}]", ip, ip);
        put_service(name, spec);
}

/* @ports and @ends are the slice's, but their brackets. */
static void put_slice(const char *name, const char *service, const char *family, const char *ports, const char *ends) {
        char *json = NULL;

        assert_true(asprintf(&json,
                             "{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\",\"labels\":{\"kubernetes.io/"
                             "service-name\":\"%s\"}},"
                             "\"addressType\":\"%s\",\"ports\":[%s],\"endpoints\":[%s]}",
                             name, service, family, ports, ends) > 0);
        fake_put(&fake, &services_slices, "d", name, json);
        free(json);
}

static void put_end(const char *name, const char *service, const char *ip) {
        char ends[128];

        snprintf(ends, sizeof(ends), "{\"addresses\":[\"%s\"]}", ip);
        put_slice(name, service, strchr(ip, ':') ? "IPv6" : "IPv4",
                  "{\"name\":\"x\",\"port\":8080,\"protocol\":\"TCP\"}", ends);
}

static void remove_service(const char *name) {
        fake_put(&fake, &services_services, "d", name, NULL);
}

/* -- what the kernel has ----------------------------------------------------------------------------------- */

static const char *list(const char *set) {
        return host_run("nft list map inet " TABLE " %s", set);
}

/* @front has its number, too. */
static bool is_behind(const char *front, const char *back) {
        char text[256];

        snprintf(text, sizeof(text), "%s : %s", front, back);
        return strstr(host_run("nft get element inet " TABLE " backs4 '{ %s }' 2>&1 || true", front), text);
}

static unsigned count(const char *text, const char *part) {
        unsigned n = 0;

        for (; (text = strstr(text, part)); text++)
                n++;
        return n;
}

static void assert_all_is_made(void) {
        assert_string_equal(services.balance.said, "");
        assert_int_equal(services.balance.state, BALANCE_KNOWN);
        assert_true(services_due_is_empty(&services.balance.due));
}

/* That something comes through yet. */
static void assert_others_go_on(void) {
        put_plain("other", "10.96.0.200");
        put_end("other", "other", "10.1.0.200");
        settle();
        assert_all_is_made();
        assert_true(is_behind("10.96.0.200 . tcp . 80 . 0x00000000", "10.1.0.200 . 8080"));
        remove_service("other");
        settle();
        assert_all_is_made();
}

static void test_an_address_that_two_ask_for(void **state) {
        put_plain("first", "10.96.0.1");
        put_end("first", "first", "10.1.0.1");
        put_end("second", "second", "10.1.0.2");
        settle();
        put_plain("second", "10.96.0.1");
        settle();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.1 . 8080"));
        assert_int_equal(count(list("backs4"), "10.96.0.1 . tcp"), 1);
        assert_others_go_on();
        put_end("first", "first", "10.1.0.3"); /* goes on to be its */
        settle();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.3 . 8080"));
        remove_service("first");
        settle();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.2 . 8080"));
        assert_non_null(strstr(host_run("nft list set inet " TABLE " addresses4"), "10.96.0.1"));
        remove_service("second");
        settle();
        assert_null(strstr(host_run("nft list set inet " TABLE " addresses4"), "10.96.0.1"));
        assert_others_go_on();
}

/* Under another name, told in either order, within one batch. */
static void test_an_address_that_is_another_services_now(void **state) {
        put_end("a", "a", "10.1.0.1");
        put_end("b", "b", "10.1.0.2");
        put_plain("a", "10.96.0.1");
        settle();
        for (int i = 0; i < 4; i++) {
                const char *goes = i % 2 ? "b" : "a", *comes = i % 2 ? "a" : "b";

                if (i < 2)
                        remove_service(goes);
                put_plain(comes, "10.96.0.1");
                if (i >= 2)
                        remove_service(goes);
                settle();
                assert_true(
                        is_behind("10.96.0.1 . tcp . 80 . 0x00000000", i % 2 ? "10.1.0.1 . 8080" : "10.1.0.2 . 8080"));
                assert_others_go_on();
        }
        put_plain("a", "10.96.0.2"); /* it has moved */
        settle();
        assert_int_equal(count(list("backs4"), "10.96.0.1 . tcp"), 0);
        assert_true(is_behind("10.96.0.2 . tcp . 80 . 0x00000000", "10.1.0.1 . 8080"));
        put_plain("a", "None"); /* headless */
        settle();
        assert_int_equal(count(list("backs4"), ". tcp"), 0);
}

static void test_what_cannot_be_is_left_out(void **state) {
        put_service("odd", "\"clusterIPs\":[\"10.96.0.1\",\"127.0.0.1\",\"10.96.0.1\",\"nonsense\"],"
                           "\"externalIPs\":[\"192.0.2.1\",\"10.96.0.7\"],\"externalName\":\"x\",\"ports\":["
                           "{\"name\":\"x\",\"port\":80},{\"name\":\"y\",\"port\":80},{\"name\":\"x\",\"port\":0},"
                           "{\"name\":\"x\",\"port\":65536},{\"name\":\"x\",\"port\":-1},{\"name\":\"x\",\"port\":7,"
                           "\"protocol\":\"ICMP\"},{\"name\":\"x\",\"port\":80,\"protocol\":\"SCTP\"},{\"name\":\"x\","
                           "\"port\":80,\"protocol\":\"UDP\"}]");
        put_slice("odd", "odd", "IPv4",
                  "{\"name\":\"x\",\"port\":8080},{\"name\":\"x\",\"port\":8080},{\"name\":\"x\",\"port\":0},{\"name\":"
                  "\"x\"},"
                  "{\"name\":\"x\",\"port\":8081,\"protocol\":\"SCTP\"},{\"name\":\"y\",\"port\":8082}",
                  "{\"addresses\":[\"10.1.0.1\",\"10.1.0.9\"]},{\"addresses\":[\"10.1.0.1\"]},{\"addresses\":[]},"
                  "{\"addresses\":[\"fd00::1\"]},{\"addresses\":[\"127.0.0.1\"]},{\"addresses\":[\"0.0.0.0\"]},"
                  "{\"addresses\":[\"169.254.169.254\"]},{\"addresses\":[\"224.0.0.1\"]},{\"addresses\":[\"10.1.0.1/"
                  "32\"]}");
        put_slice("odd6", "odd", "IPv6", "{\"name\":\"x\",\"port\":8080}",
                  "{\"addresses\":[\"fd00::1\"]},{\"addresses\":[\"10.1.0.4\"]}");
        put_slice("odd-again", "odd", "IPv4", "{\"name\":\"x\",\"port\":8080}", "{\"addresses\":[\"10.1.0.1\"]}");
        put_slice("names", "odd", "FQDN", "{\"name\":\"x\",\"port\":8080}", "{\"addresses\":[\"10.1.0.5\"]}");
        settle();
        assert_string_equal(services.balance.said, "");
        assert_int_equal(count(list("backs4"), "10.96.0."), 2);
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.1 . 8080"));
        assert_true(is_behind("10.96.0.1 . sctp . 80 . 0x00000000", "10.1.0.1 . 8081"));
        assert_int_equal(count(list("backs6"), "tcp"), 0);
        assert_null(strstr(host_run("nft list table inet " TABLE), "192.0.2.1"));
        assert_null(strstr(host_run("nft list table inet " TABLE), "127.0.0.1"));
        assert_others_go_on();
}

/* As kube-proxy's selector has it, of Services and of slices. */
static void test_what_is_another_proxys(void **state) {
        static const char *const labels[] = { "service-proxy-name", "headless" };

        put_plain("a", "10.96.0.1");
        put_end("a", "a", "10.1.0.1");
        for (size_t i = 0; i < ELEMENTS(labels); i++) {
                char json[512], name[16];

                snprintf(name, sizeof(name), "b%zu", i);
                snprintf(json, sizeof(json),
                         "{\"metadata\":{\"labels\":{\"service.kubernetes.io/%s\":\"\"}},\"spec\":{\"clusterIPs\":["
                         "\"10.96.0.9\"],\"ports\":[{\"name\":\"x\",\"port\":80}]}}",
                         labels[i]);
                fake_put(&fake, &services_services, "d", name, json);
                put_end(name, name, "10.1.0.9");
                snprintf(json, sizeof(json),
                         "{\"metadata\":{\"labels\":{\"service.kubernetes.io/%s\":\"\",\"kubernetes.io/service-name\":"
                         "\"a\"}},\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"x\",\"port\":8080}],"
                         "\"endpoints\":[{\"addresses\":[\"10.1.0.2\"]}]}",
                         labels[i]);
                fake_put(&fake, &services_slices, "d", labels[i], json);
        }
        settle();
        assert_null(strstr(host_run("nft list table inet " TABLE), "10.96.0.9"));
        assert_int_equal(count(list("backs4"), "10.96.0.1 "), 1);
        assert_others_go_on();
}

static void test_what_somebody_removes_is_put_back(void **state) {
        static char before[65536];

        put_plain("a", "10.96.0.1");
        put_end("a", "a", "10.1.0.1");
        settle();
        host_run("nft 'delete table inet " TABLE "'");
        assert_others_go_on();
        /* Where nothing else changes; and where nothing was removed nothing is done. */
        host_run("nft 'delete table inet " TABLE "'");
        balance_look(&services);
        settle();
        assert_all_is_made();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.1 . 8080"));
        snprintf(before, sizeof(before), "%s", host_run("nft -a list table inet " TABLE));
        balance_look(&services);
        settle();
        assert_string_equal(host_run("nft -a list table inet " TABLE), before);
        assert_all_is_made();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.1 . 8080"));
        host_run("nft 'delete element inet " TABLE " counts4 { 10.96.0.1 . tcp . 80 }'");
        put_slice("more", "a", "IPv4", "{\"name\":\"x\",\"port\":8080}", "{\"addresses\":[\"10.1.0.2\"]}");
        assert_others_go_on();
        assert_non_null(strstr(list("counts4"), "10.96.0.1 . tcp . 80 : goto random4_2"));
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000001", "10.1.0.2 . 8080"));
}

/* Another agent that starts finds all as it is, and what goes meanwhile goes. */
static void test_an_agent_starts_again(void **state) {
        static char before[65536];

        put_plain("a", "10.96.0.1");
        put_end("a", "a", "10.1.0.1");
        put_plain("b", "10.96.0.2");
        put_end("b", "b", "10.1.0.2");
        settle();
        snprintf(before, sizeof(before), "%s", host_run("nft list table inet " TABLE));
        stop();
        start();
        assert_string_equal(host_run("nft list table inet " TABLE), before);
        stop();
        remove_service("b");
        put_end("a", "a", "10.1.0.3");
        start();
        assert_true(is_behind("10.96.0.1 . tcp . 80 . 0x00000000", "10.1.0.3 . 8080"));
        assert_int_equal(count(host_run("nft list table inet " TABLE), "10.96.0.2"), 0);
        assert_others_go_on();
}

/* -- more than there is room for --------------------------------------------------------------------------- */

/* "FORMAT,FORMAT…", of so many numbers from 1 on; the caller's to free. */
static char *repeat(const char *format, unsigned n) {
        char *text = malloc((size_t)n * 128 + 1), *to = text;

        assert_non_null(text);
        *text = '\0';
        for (unsigned i = 1; i <= n; i++) {
                if (i > 1)
                        *to++ = ',';
                to += snprintf(to, 120, format, i, i);
        }
        return text;
}

static void put_large_at(const char *name, const char *ip, unsigned ports, unsigned ends, const char *more) {
        char *service = repeat("{\"name\":\"p%u\",\"port\":%u}", ports),
             *slice = repeat("{\"name\":\"p%u\",\"port\":%u}", ports), *spec = NULL,
             *all = malloc((size_t)ends * 40 + 1);

        assert_non_null(all);
        for (unsigned i = 0, at = 0; i < ends; i++)
                at += (unsigned)sprintf(all + at, "%s{\"addresses\":[\"10.2.%u.%u\"]}", i ? "," : "", i / 250,
                                        1 + i % 250);
        assert_true(asprintf(&spec, "\"clusterIPs\":[\"%s\"],\"ports\":[%s]%s", ip, service, more) > 0);
        put_slice(name, name, "IPv4", slice, all);
        put_service(name, spec);
        free(service);
        free(slice);
        free(all);
        free(spec);
}

static void put_large(const char *name, unsigned ports, unsigned ends, const char *more) {
        put_large_at(name, "10.96.0.1", ports, ends, more);
}

static size_t count_fronts(size_t *ret_backs) {
        size_t n = 0;

        *ret_backs = 0;
        LIST_EACH (services_all, service, &services.balance.all)
                LIST_EACH (front_list, front, &service->fronts) {
                        n++;
                        *ret_backs += front->has.n;
                }
        return n;
}

static void assert_large(unsigned ports, unsigned ends, const char *more, size_t most) {
        size_t backs;

        put_large("large", ports, ends, more);
        settle();
        assert_all_is_made();
        assert_int_equal(count_fronts(&backs), ports < SERVICES_PORTS_MAX ? ports : SERVICES_PORTS_MAX);
        assert_true(backs <= most);
        assert_true(backs == (size_t)ports * ends || backs > most * 9 / 10);
}

static void test_a_service_as_large_as_it_may_be(void **state) {
        assert_large(1, BALANCER_BACKS_MAX, "", BALANCER_BACKS_MAX);
        assert_large(1, BALANCER_BACKS_MAX + 1, "", BALANCER_BACKS_MAX);
        assert_large(SERVICES_PORTS_MAX, 64, "", SERVICES_BACKS_MAX);
        assert_large(SERVICES_PORTS_MAX, 65, "", SERVICES_BACKS_MAX);
        assert_large(SERVICES_PORTS_MAX + 1, 1000, "", SERVICES_BACKS_MAX);
        assert_large(100, 1000, "", SERVICES_BACKS_MAX);
        assert_others_go_on();
}

static void test_a_service_that_keeps_senders_as_large_as_it_may_be(void **state) {
        const char *keeps = ",\"sessionAffinity\":\"ClientIP\"";

        assert_large(8, 256, keeps, SERVICES_KEPT_BACKS_MAX);
        assert_large(8, 257, keeps, SERVICES_KEPT_BACKS_MAX);
        stop();
        start(); /* all of its rules are put anew */
        assert_all_is_made();
        assert_large(SERVICES_PORTS_MAX + 1, 1000, keeps, SERVICES_KEPT_BACKS_MAX);
        assert_others_go_on();
}

/* Many that take all there is leave each other one its share, and what one of them gives up is the next one's. */
static void test_services_that_take_all_there_is(void **state) {
        char name[16], ip[16];
        size_t backs;

        for (unsigned i = 1; i <= 5; i++) {
                snprintf(name, sizeof(name), "large%u", i);
                snprintf(ip, sizeof(ip), "10.96.0.%u", i);
                put_large_at(name, ip, 64, BALANCER_BACKS_MAX, "");
                settle();
                assert_all_is_made();
        }
        count_fronts(&backs);
        assert_int_equal(services.balance.n_beyond, SERVICES_BEYOND_MAX);
        assert_int_equal(backs, SERVICES_BEYOND_MAX + 5 * SERVICES_SHARE);
        remove_service("large3");
        settle();
        count_fronts(&backs);
        assert_int_equal(services.balance.n_beyond, SERVICES_BEYOND_MAX);
        assert_int_equal(backs, SERVICES_BEYOND_MAX + 4 * SERVICES_SHARE);
        stop();
        start();
        assert_all_is_made();
        for (unsigned i = 1; i <= 5; i++) {
                snprintf(name, sizeof(name), "large%u", i);
                if (i != 3)
                        remove_service(name);
        }
        settle();
        assert_int_equal(services.balance.n_beyond, 0);
        assert_others_go_on();
}

/* Slices that name Services which nobody has made take no Service's place. */
static void test_more_slices_than_services(void **state) {
        struct fake_call *watch = NULL;

        for (unsigned i = 0; i < fake.n_watches; i++)
                if (fake.watches[i].kind == &services_slices)
                        watch = &fake.watches[i];
        assert_non_null(watch);
        for (unsigned i = 0; i <= SERVICES_MAX; i++) {
                char json[256], name[32];
                struct client_object *object;

                snprintf(name, sizeof(name), "s%u", i);
                snprintf(json, sizeof(json),
                         "{\"metadata\":{\"labels\":{\"kubernetes.io/service-name\":\"%s\"}},\"addressType\":\"IPv4\"}",
                         name);
                object = fake_object(&fake, "d", name, json);
                watch->watch->changed(watch->data, CLIENT_ADDED, object);
                client_object_unref(object);
        }
        assert_others_go_on();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_an_address_that_two_ask_for, begin, end),
                cmocka_unit_test_setup_teardown(test_an_address_that_is_another_services_now, begin, end),
                cmocka_unit_test_setup_teardown(test_what_cannot_be_is_left_out, begin, end),
                cmocka_unit_test_setup_teardown(test_what_is_another_proxys, begin, end),
                cmocka_unit_test_setup_teardown(test_what_somebody_removes_is_put_back, begin, end),
                cmocka_unit_test_setup_teardown(test_an_agent_starts_again, begin, end),
                cmocka_unit_test_setup_teardown(test_a_service_as_large_as_it_may_be, begin, end),
                cmocka_unit_test_setup_teardown(test_a_service_that_keeps_senders_as_large_as_it_may_be, begin, end),
                cmocka_unit_test_setup_teardown(test_services_that_take_all_there_is, begin, end),
                cmocka_unit_test_setup_teardown(test_more_slices_than_services, begin, end),
        };
        int failed;

        if (!host_enter()) {
                puts("skipped: needs root and network namespaces");
                return 0;
        }
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        host_leave();
        return failed;
}
