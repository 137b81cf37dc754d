/* What of a Service the kernel needs, as changes: a map that they are applied to is what the Service says, whatever was
 * before. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/cleanup.h"
#include "services/internal.h"

#define ENDS 12
#define PORTS 2

/* The kernel's maps, of one address and two ports. */
struct kernel {
        bool address, selfs[ENDS];
        struct {
                uint32_t count, keep;
                struct balancer_back backs[64];
                bool keeps, ends[ENDS];   /* of senders that are kept: the front, who may have some, */
                size_t ways[ENDS], drawn; /* and rules */
        } ports[PORTS];
};

static struct kernel kernel;
static struct services services;
static struct model_service *service;
static struct model_port ports[PORTS] = { { "a", 80, IPPROTO_TCP }, { "b", 53, IPPROTO_UDP } };
static struct ip address;
static struct slice slice;
static struct slice_end ends[ENDS];

/* Whether some of the ends are of this node. */
static bool with_selfs;

static size_t end_of(const struct balancer_back *back) {
        size_t i = 0;

        while (i < ENDS && !ip_equal(&ends[i].ip, &back->ip))
                i++;
        assert_true(i < ENDS);
        return i;
}

/* As the kernel would: what is not there is not removed, and what rules lead to is. */
static void apply_kept(const struct balancer_change *c, size_t port) {
        bool *has = kernel.ports[port].ends;

        switch (c->kind) {
        case BALANCER_END:
                assert_true(c->add || has[end_of(&c->back)]); /* added again it has other rules */
                has[end_of(&c->back)] = c->add;
                assert_true(!c->add || c->keep);
                if (!c->add)
                        memset(kernel.ports[port].ways, 0, sizeof(kernel.ports[port].ways));
                break;
        case BALANCER_KEEPS:
                assert_true(c->add || kernel.ports[port].keeps);
                kernel.ports[port].keeps = c->add;
                memset(kernel.ports[port].ways, 0, sizeof(kernel.ports[port].ways));
                kernel.ports[port].drawn = 0;
                break;
        default:
                assert_true(c->add && kernel.ports[port].keeps && has[end_of(&c->back)]);
                if (c->n == 0)
                        kernel.ports[port].ways[end_of(&c->back)]++;
                else /* the last is always taken */
                        kernel.ports[port].drawn = c->n;
        }
}

static void apply_one(const struct balancer_change *c) {
        size_t port = c->front.port == 53;
        struct balancer_back *back;

        assert_true(c->kind <= BALANCER_SELF || c->front.protocol == ports[port].protocol);
        switch (c->kind) {
        case BALANCER_ADDRESS:
                assert_int_not_equal(kernel.address, c->add);
                kernel.address = c->add;
                break;
        case BALANCER_SELF:
                for (size_t i = 0; i < ENDS; i++)
                        if (ip_equal(&ends[i].ip, &c->front.ip)) {
                                assert_int_not_equal(kernel.selfs[i], c->add);
                                kernel.selfs[i] = c->add;
                        }
                break;
        case BALANCER_COUNT:
                assert_true(c->add || kernel.ports[port].keep || kernel.ports[port].count == c->n);
                assert_int_equal(!kernel.ports[port].count, c->add);
                assert_true(c->n > 0);
                kernel.ports[port].count = c->add ? c->n : 0;
                kernel.ports[port].keep = c->add ? c->keep : 0;
                break;
        case BALANCER_END:
        case BALANCER_KEEPS:
        case BALANCER_STAYS:
                apply_kept(c, port);
                break;
        case BALANCER_BACK:
                back = &kernel.ports[port].backs[c->n];
                assert_int_equal(back->ip.family, c->add ? 0 : AF_INET);
                *back = c->add ? c->back : (struct balancer_back){ 0 };
                break;
        }
}

/* As the kernel does it: removals first. Returns how many changes there were. */
static size_t apply(void) {
        struct balance *b = &services.balance;
        size_t n = b->n_changes;

        for (int add = 0; add < 2; add++)
                for (size_t i = 0; i < n; i++)
                        if (b->changes[i].add == add)
                                apply_one(&b->changes[i]);
        return n;
}

static size_t update(void) {
        services.balance.n_changes = services.balance.weight = 0;
        assert_int_equal(fronts_update(&services, service), 0);
        return apply();
}

/* -- what another agent has left --------------------------------------------------------------------------- */

struct found {
        struct balancer_change changes[256];
        size_t n;
};

static struct balancer_change *find_one(struct found *found, enum balancer_kind kind, const struct ip *ip) {
        struct balancer_change *change = &found->changes[found->n++];

        assert_true(found->n <= ELEMENTS(found->changes));
        *change = (struct balancer_change){ .kind = (uint8_t)kind, .add = true, .front.ip = *ip };
        return change;
}

static void find_port(struct found *found, size_t port) {
        const struct balancer_front at = { .ip = address, .port = ports[port].port, .protocol = ports[port].protocol };
        struct balancer_change *change;

        for (uint32_t i = ELEMENTS(kernel.ports[port].backs); i-- > 0;) /* in any order */
                if (kernel.ports[port].backs[i].ip.family) {
                        change = find_one(found, BALANCER_BACK, &address);
                        change->front = at;
                        change->n = i;
                        change->back = kernel.ports[port].backs[i];
                }
        if (kernel.ports[port].count == 0)
                return;
        change = find_one(found, BALANCER_COUNT, &address);
        change->front = at;
        change->keep = kernel.ports[port].keep > 0;
        change->n = change->keep ? 0 : kernel.ports[port].count;
}

static void find_all(struct found *found) {
        found->n = 0;
        if (kernel.address)
                find_one(found, BALANCER_ADDRESS, &address);
        for (size_t i = 0; i < ENDS; i++)
                if (kernel.selfs[i])
                        find_one(found, BALANCER_SELF, &ends[i].ip);
        for (size_t port = 0; port < PORTS; port++)
                find_port(found, port);
}

/* As another agent does that starts. */
static size_t take_up(void) {
        struct found found;
        size_t n;

        find_all(&found);
        fronts_forget(&services.balance);
        assert_int_equal(fronts_find(&services.balance, found.changes, found.n), 0);
        n = update();
        services.balance.n_changes = 0;
        assert_int_equal(fronts_sweep(&services), 0);
        return n + apply();
}

static bool is_behind(size_t port, const struct ip *ip) {
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(kernel.ports[port].backs); i++)
                n += ip_equal(&kernel.ports[port].backs[i].ip, ip) &&
                     kernel.ports[port].backs[i].port == slice.ports[port].port;
        assert_true(n <= 1);
        return n;
}

static void assert_all(void) {
        bool ready = false;

        for (size_t i = 0; i < ENDS; i++)
                ready |= ends[i].ready && (!service->local_only || ends[i].local);
        for (size_t port = 0; port < PORTS; port++) {
                size_t n = 0;

                for (size_t i = 0; i < ENDS; i++) {
                        bool wanted = (!service->local_only || ends[i].local) &&
                                      (ends[i].ready || (!ready && ends[i].ends && !ends[i].ready));

                        wanted &= service->there && (ends[i].ready || ends[i].ends);
                        assert_int_equal(is_behind(port, &ends[i].ip), wanted);
                        n += wanted;
                }
                /* Who keeps senders draws by rules. */
                assert_true(service->keep ? !kernel.ports[port].count == !n : kernel.ports[port].count == n);
                for (size_t i = n; i < 64; i++)
                        assert_int_equal(kernel.ports[port].backs[i].ip.family, 0);
                assert_int_equal(!kernel.ports[port].keep, !(n > 0 && service->keep));
                for (size_t i = 0; i < ENDS; i++) {
                        bool keeps = service->keep && is_behind(port, &ends[i].ip);

                        assert_int_equal(kernel.ports[port].ends[i], keeps);
                        assert_int_equal(kernel.ports[port].ways[i], keeps);
                }
                assert_int_equal(kernel.ports[port].keeps, n > 0 && service->keep);
                assert_true(!kernel.ports[port].keeps || kernel.ports[port].drawn == 1);
        }
        assert_int_equal(kernel.address, service->there);
        for (size_t i = 0; i < ENDS; i++) /* of this node, and behind it */
                assert_int_equal(kernel.selfs[i], services.nodes.own.n > 0 &&
                                                          ip_cidr_contains(&services.nodes.own.items[0], &ends[i].ip) &&
                                                          is_behind(0, &ends[i].ip));
}

static int begin(void **state) {
        static const struct model_port targets[PORTS] = { { "a", 8080, IPPROTO_TCP }, { "b", 5353, IPPROTO_UDP } };

        kernel = (struct kernel){ 0 };
        services = (struct services){ 0 };
        service = calloc(1, sizeof(*service) + 1);
        ip_parse("10.96.0.1", &address, NULL);
        ip_cidr_parse("10.1.0.0/30", &services.nodes.own.items[0], NULL); /* four of the ends */
        services.nodes.own.n = with_selfs;
        services_all_append(&services.balance.all, service);
        services.balance.addresses.kind = BALANCER_ADDRESS;
        services.balance.selfs.kind = BALANCER_SELF;
        service->there = true;
        service->ips = &address;
        service->n_ips = 1;
        service->ports = ports;
        service->n_ports = PORTS;
        memset(ends, 0, sizeof(ends));
        for (size_t i = 0; i < ENDS; i++) {
                ip_parse("10.1.0.0", &ends[i].ip, NULL);
                ends[i].ip = ip_add(&ends[i].ip, (uint32_t)(i * 7 % ENDS));
        }
        slice = (struct slice){ .ports = targets, .n_ports = PORTS, .ends = ends, .n_ends = ENDS };
        slices_append(&service->slices, &slice);
        return 0;
}

static int end(void **state) {
        slices_remove(&slice);
        fronts_done(&services.balance, service);
        services_all_remove(service);
        free(service);
        fronts_forget(&services.balance);
        free(services.balance.changes);
        return 0;
}

static void set_ready(size_t n) {
        for (size_t i = 0; i < ENDS; i++)
                ends[i].ready = i < n;
}

static void test_a_change_is_as_small_as_it_can_be(void **state) {
        set_ready(ENDS - 1);
        assert_int_equal(update(), 1 + PORTS * (1 + ENDS - 1)); /* the address; of each port the count and the ends */
        assert_all();
        assert_int_equal(update(), 0);
        set_ready(ENDS); /* one more: another count, one end */
        assert_int_equal(update(), PORTS * 3);
        assert_all();
        ends[0].ready = false; /* one less: another count, one gone, and the last in its place */
        assert_true(update() <= PORTS * (2 + 3));
        assert_all();
        ends[0].ready = true, ends[5].ready = false; /* one for another */
        assert_int_equal(update(), PORTS * 2);
        assert_all();
}

static void test_nobody_then_somebody(void **state) {
        assert_int_equal(update(), 1); /* its address alone: it refuses */
        assert_all();
        ends[3].ends = true; /* who ends, where nobody else is */
        update();
        assert_all();
        ends[4].ready = true;
        update();
        assert_all();
        service->keep = 10800;
        assert_int_equal(update(), PORTS * 6); /* the count, the end, the front and its two rules */
        assert_all();
        service->there = false;
        update();
        assert_all();
        assert_true(front_list_is_empty(&service->fronts));
}

static void test_flows_of_who_has_gone_end(void **state) {
        const struct balance *b = &services.balance;
        size_t gone = 0, moved = 0;

        set_ready(6);
        update();
        ends[2].ready = false;
        update();
        for (size_t i = 0; i < b->n_changes; i++) {
                const struct balancer_change *c = &b->changes[i];

                if (c->kind != BALANCER_BACK || c->add || c->front.port != 53)
                        continue;
                gone += c->back.ip.family && ip_equal(&c->back.ip, &ends[2].ip);
                moved += !c->back.ip.family;
                assert_true(!c->back.ip.family || ip_equal(&c->back.ip, &ends[2].ip));
        }
        assert_int_equal(gone, 1);
        assert_true(moved <= 1);
}

/* What is as it is to be stays so; of ends that keep senders the rules are told again, as nobody knows what they say.
 */
static void test_what_is_there_is_taken_up(void **state) {
        set_ready(5);
        update();
        assert_int_equal(take_up(), 0);
        assert_all();
        ends[5].ready = true;
        assert_int_equal(take_up(), PORTS * 3);
        assert_all();
        service->keep = 60;
        update();
        assert_int_equal(take_up(), PORTS * (6 + 1 + 6 + 6));
        assert_all();
        assert_int_equal(take_up(), PORTS * (6 + 1 + 6 + 6));
        service->there = false; /* meanwhile */
        take_up();
        assert_all();
}

static void test_what_no_agent_leaves_is_not_taken_up(void **state) {
        struct found found;

        set_ready(3);
        update();
        find_all(&found);
        for (size_t i = 0; i < found.n; i++) {
                const struct balancer_change left_out = found.changes[i];
                bool needed = left_out.kind == BALANCER_BACK || left_out.kind == BALANCER_COUNT;

                found.changes[i] = found.changes[0]; /* the address, once more */
                fronts_forget(&services.balance);
                assert_int_equal(fronts_find(&services.balance, found.changes, found.n), needed ? -EINVAL : 0);
                found.changes[i] = left_out;
        }
}

static int begin_with_selfs(void **state) {
        with_selfs = true;
        begin(state);
        with_selfs = false;
        return 0;
}

static void test_whatever_comes(void **state) {
        srand(7);
        for (int round = 0; round < 3000; round++) {
                for (int i = rand() % 4; i >= 0; i--) {
                        struct slice_end *e = &ends[rand() % ENDS];

                        e->ready = rand() % 2;
                        e->ends = !e->ready && rand() % 2;
                        e->local = rand() % 2;
                }
                service->there = rand() % 10 > 0;
                service->keep = rand() % 20 == 0 ? (uint32_t)rand() % 3 : service->keep;
                service->local_only = rand() % 20 == 0 ? !service->local_only : service->local_only;
                if (rand() % 50 == 0) { /* begun anew */
                        kernel = (struct kernel){ 0 };
                        fronts_forget(&services.balance);
                }
                if (rand() % 20 == 0)
                        take_up();
                else
                        update();
                assert_all();
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_change_is_as_small_as_it_can_be, begin, end),
                cmocka_unit_test_setup_teardown(test_nobody_then_somebody, begin, end),
                cmocka_unit_test_setup_teardown(test_flows_of_who_has_gone_end, begin, end),
                cmocka_unit_test_setup_teardown(test_what_is_there_is_taken_up, begin, end),
                cmocka_unit_test_setup_teardown(test_what_no_agent_leaves_is_not_taken_up, begin, end),
                cmocka_unit_test_setup_teardown(test_whatever_comes, begin_with_selfs, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
