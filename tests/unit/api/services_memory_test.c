/* Whatever allocation fails, a Service fails for want of memory, and what it had claimed can be given back. */
#include <string.h>

#include "api/services/addresses.h"
#include "api/services/ports.h"
#include "api/services/work.h"
#include "lib/arena.h"
#include "tests/unit/support/each_allocation.h"

static int give(struct service_work *w) {
        int r = service_families_normalize(w);

        r = r < 0 ? r : service_families_choose(w);
        r = r < 0 ? r : service_addresses_give(w);
        return r < 0 ? r : service_ports_give(w);
}

static void make_service(struct kube_service *service, struct kube_service_port ports[2]) {
        memset(service, 0, sizeof(*service));
        service->metadata.name = "s";
        service->spec.type = "LoadBalancer";
        service->spec.external_traffic_policy = "Local";
        service->spec.ip_family_policy = "RequireDualStack";
        service->spec.cluster_ip = "10.0.0.5";
        service->spec.ports.items = ports;
        service->spec.ports.count = 2;
        ports[0] = (struct kube_service_port){ .name = "a", .port = 80, .protocol = "TCP" };
        ports[1] = (struct kube_service_port){ .name = "b", .port = 81, .protocol = "TCP", .node_port = 30001 };
}

static int work(void) {
        const struct cluster_range ranges[] = {
                { .first = 0x0a000001, .dynamic = 0x0a000011, .last = 0x0a0000fe, .text = "10.0.0.0/24" },
                { .six = true, .high = 0xfd00, .first = 1, .dynamic = 17, .last = 255, .text = "fd00::/120" },
        };
        struct arena *arena = arena_new();
        struct api_services services = { .both = true };
        struct service_claims claims = { .services = &services };
        struct kube_service service;
        struct kube_service_port ports[2];
        struct service_work w = { .arena = arena, .services = &services, .service = &service, .claims = &claims };
        int r = arena ? 0 : -ENOMEM;

        services.addresses = addresses_new();
        services.ports = ports_new("30000-30100", NULL);
        if (!services.addresses || !services.ports)
                r = -ENOMEM;
        if (r == 0) {
                problems_init(&w.problems, arena, NULL, NULL);
                make_service(&service, ports);
                r = addresses_set_ranges(services.addresses, "kubernetes", ranges, 2, true);
        }
        r = r < 0 ? r : give(&w);
        if (r == 0)
                assert_true(service.spec.cluster_ips.count == 2 && ports[0].node_port && claims.n_ports == 3);
        for (unsigned i = 0; i < claims.n_addresses; i++)
                addresses_unclaim(services.addresses, &claims.addresses[i]);
        addresses_free(services.addresses);
        ports_free(services.ports);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation(work) > 5);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
