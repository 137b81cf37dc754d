/* The table of Services, on a host of its own. Root only. */
#include "tests/unit/cni/host.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cni/balancer.h"

#define ENDS 64
#define TOGETHER 400 /* connections */
#define ROUNDS 100

static struct balancer *balancer;

static struct balancer_front front_of(uint16_t port) {
        struct balancer_front front = { .port = port, .protocol = IPPROTO_TCP };

        ip_parse("10.96.0.1", &front.ip, NULL);
        return front;
}

static struct balancer_change change_back(const struct balancer_front *front, uint32_t n, bool add) {
        struct balancer_change change = {
                .kind = BALANCER_BACK, .add = add, .front = *front, .n = n, .back.port = 8080
        };

        ip_parse("192.0.2.3", &change.back.ip, NULL);
        return change;
}

static struct balancer_change change_count(const struct balancer_front *front, uint32_t n, bool add) {
        return (struct balancer_change){ .kind = BALANCER_COUNT, .add = add, .front = *front, .n = n };
}

static void apply(const struct balancer_change *changes, size_t n, enum balancer_begin begin) {
        _cleanup_err_ struct err *err = NULL;

        if (cni_balancer_apply(balancer, changes, n, begin, &err) < 0)
                fail_msg("%s", err_text(err));
}

/* From @was ends to @is, all of them one address and port. */
static void resize(uint32_t was, uint32_t is) {
        struct balancer_front front = front_of(80);
        struct balancer_change changes[ENDS + 3];
        size_t n = 0;

        if (was == 0)
                changes[n++] = (struct balancer_change){ .kind = BALANCER_ADDRESS, .add = true, .front = front };
        else
                changes[n++] = change_count(&front, was, false);
        changes[n++] = change_count(&front, is, true);
        for (uint32_t i = was; i < is; i++)
                changes[n++] = change_back(&front, i, true);
        for (uint32_t i = is; i < was; i++)
                changes[n++] = change_back(&front, i, false);
        apply(changes, n, was == 0 ? BALANCER_ANEW : BALANCER_GOES_ON);
}

static int begin(void **state) {
        const struct balancer_options options = { .bridge = "test0" };

        host_netns_create("far");
        host_run("ip link add near type veth peer name far && ip link set far netns %s && "
                 "ip addr add 192.0.2.1/24 dev near && ip link set near up && ip route add default via 192.0.2.2 && "
                 "nsenter --net=%s sh -c 'ip addr add 192.0.2.2/24 dev far; ip link set far up; ip link set lo up'",
                 host_netns("far"), host_netns("far"));
        host_run("ip neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 dev near");
        host_run("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_syn_sent=1");
        assert_int_equal(cni_balancer_new(&options, &balancer), 0);
        return 0;
}

static int end(void **state) {
        host_stop_servers();
        cni_balancer_free(balancer);
        cni_balancer_remove("test0");
        host_run("ip link del near");
        host_netns_remove("far");
        return 0;
}

/* Nobody answers, so that a connection is no more than the packet that begins it. */
static int begin_connection(const struct sockaddr_storage *to, socklen_t size) {
        int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_true(fd >= 0);
        assert_true(connect(fd, (const struct sockaddr *)to, size) < 0);
        assert_true(errno == EINPROGRESS || errno == ECONNREFUSED);
        return fd;
}

static unsigned was_refused(int fd) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };

        return poll(&ready, 1, 0) == 1 && ready.revents & (POLLERR | POLLHUP);
}

/* How many of so many connections are refused. */
static unsigned count_refusals(unsigned rounds) {
        struct sockaddr_storage address;
        socklen_t size = host_sockaddr("10.96.0.1", 80, &address);
        int fds[TOGETHER];
        unsigned refusals = 0;

        for (unsigned round = 0; round < rounds; round++) {
                for (size_t i = 0; i < ELEMENTS(fds); i++)
                        fds[i] = begin_connection(&address, size);
                usleep(10000);
                for (size_t i = 0; i < ELEMENTS(fds); i++) {
                        refusals += was_refused(fds[i]);
                        close(fds[i]);
                }
        }
        return refusals;
}

/* What nft(8) shows of the table: it would end on an assertion where it does not understand a rule. */
static const char *list(void) {
        return host_run("nft list table inet nacelle_services_test0");
}

/* While a process makes one change after another, as fast as it can. */
static void assert_none_is_refused_during(void (*change)(unsigned turn)) {
        unsigned refusals;
        int status;
        pid_t pid;

        assert_int_equal(count_refusals(1), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (unsigned turn = 0;; turn++)
                        change(turn);
        }
        refusals = count_refusals(ROUNDS);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status)); /* it went on until now */
        assert_int_equal(refusals, 0);
}

static void shrink_and_grow(unsigned turn) {
        resize(turn % 2 ? 1 : ENDS, turn % 2 ? ENDS : 1);
}

/* A packet may find how many ends there were, and then those that there are. */
static void test_no_connection_is_refused_while_ends_go(void **state) {
        resize(0, ENDS);
        assert_non_null(strstr(list(), "numgen random mod 64 map @backs4"));
        assert_none_is_refused_during(shrink_and_grow);
}

/* All of them are others, at the same numbers. */
static void replace(unsigned turn) {
        struct balancer_front front = front_of(80);
        struct balancer_change changes[2 * ENDS];
        size_t n = 0;

        for (int add = 0; add <= 1; add++)
                for (uint32_t i = 0; i < ENDS; i++) {
                        changes[n] = change_back(&front, i, add);
                        changes[n++].back.port = (turn + (unsigned)add) % 2 ? 8081 : 8080;
                }
        apply(changes, n, BALANCER_GOES_ON);
}

static void test_no_connection_is_refused_while_others_come(void **state) {
        resize(0, ENDS);
        assert_none_is_refused_during(replace);
}

/* -- SCTP, which a host may have no sockets of ------------------------------------------------------------- */

/* What begins an association, and its answer (RFC 9260, section 3.3.2). */
struct sctp_init {
        uint16_t from, to;
        uint32_t verification, checksum;
        uint8_t type, flags;
        uint16_t length;
        uint32_t tag, window;
        uint16_t out, in;
        uint32_t first;
};

/* CRC32c. */
static uint32_t checksum(const void *data, size_t size) {
        const uint8_t *bytes = data;
        uint32_t sum = ~0u;

        for (size_t i = 0; i < size; i++) {
                sum ^= bytes[i];
                for (int k = 0; k < 8; k++)
                        sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
        }
        return htole32(~sum);
}

static void send_init(int fd, const struct in_addr *to, struct sctp_init *init) {
        const struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = *to };

        init->checksum = 0;
        init->checksum = checksum(init, sizeof(*init));
        assert_int_equal(sendto(fd, init, sizeof(*init), 0, (const struct sockaddr *)&address, sizeof(address)),
                         sizeof(*init));
}

/* The next one of @type, as it came: with the address that it came from, and a sum that is right. */
static struct sctp_init receive_init(int fd, uint8_t type, struct in_addr *ret_from) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        struct {
                uint8_t ip[20];
                struct sctp_init init;
        } packet;
        uint32_t sum;

        do {
                assert_int_equal(poll(&ready, 1, HOST_ANSWER_MS), 1);
                assert_int_equal(recv(fd, &packet, sizeof(packet), 0), sizeof(packet));
        } while (packet.init.type != type);
        sum = packet.init.checksum;
        packet.init.checksum = 0;
        assert_int_equal(checksum(&packet.init, sizeof(packet.init)), sum);
        memcpy(ret_from, packet.ip + 12, sizeof(*ret_from));
        return packet.init;
}

static int open_raw(void *data, struct err **err) {
        return *(int *)data = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP);
}

static void test_an_association_is_led_there_and_back(void **state) {
        struct balancer_front front = { .port = 80, .protocol = IPPROTO_SCTP };
        struct balancer_change changes[3] = { { .kind = BALANCER_ADDRESS } };
        struct sctp_init init = { .from = htons(1000), .to = htons(80), .type = 1, .length = htons(20), .tag = 7 },
                         came;
        struct in_addr service, from;
        int near, far;

        ip_parse("10.96.0.1", &front.ip, NULL);
        changes[0].front = front;
        changes[1] = change_count(&front, 1, true);
        changes[2] = change_back(&front, 0, true);
        ip_parse("192.0.2.2", &changes[2].back.ip, NULL);
        changes[0].add = true;
        apply(changes, ELEMENTS(changes), BALANCER_ANEW);
        assert_true(open_raw(&near, NULL) >= 0);
        host_inside("far", open_raw, &far);
        inet_pton(AF_INET, "10.96.0.1", &service);
        init.window = init.first = init.tag;
        init.out = init.in = htons(1);
        send_init(near, &service, &init);
        came = receive_init(far, 1, &from);
        assert_int_equal(ntohs(came.to), 8080);
        came.to = came.from;
        came.from = htons(8080);
        came.type = 2;
        came.verification = init.tag;
        send_init(far, &from, &came);
        came = receive_init(near, 2, &from);
        assert_int_equal(ntohs(came.from), 80);
        assert_int_equal(from.s_addr, service.s_addr);
        close(near);
        close(far);
}

/* -- what another agent has left --------------------------------------------------------------------------- */

static void take_up_again(unsigned turn) {
        apply(NULL, 0, BALANCER_TAKES_UP);
}

static void test_no_connection_is_refused_while_it_is_taken_up(void **state) {
        resize(0, ENDS);
        assert_none_is_refused_during(take_up_again);
}

static void renew(void) {
        const struct balancer_options options = { .bridge = "test0" };

        cni_balancer_free(balancer);
        assert_int_equal(cni_balancer_new(&options, &balancer), 0);
}

static bool has(const struct balancer_change *changes, size_t n, const struct balancer_change *wanted) {
        for (size_t i = 0; i < n; i++)
                if (changes[i].kind == wanted->kind && changes[i].n == wanted->n && changes[i].keep == wanted->keep &&
                    changes[i].front.port == wanted->front.port &&
                    changes[i].front.protocol == wanted->front.protocol &&
                    ip_equal(&changes[i].front.ip, &wanted->front.ip) &&
                    ip_equal(&changes[i].back.ip, &wanted->back.ip) && changes[i].back.port == wanted->back.port)
                        return true;
        return false;
}

/* Of both families, and of each kind. */
static void test_what_there_is_is_read(void **state) {
        static const char *ips[] = { "10.96.0.1", "fd00:96::1" };
        struct balancer_change made[16] = { 0 }, *found;
        size_t n = 0, n_found;

        for (size_t i = 0; i < ELEMENTS(ips); i++) {
                struct balancer_change change = { .add = true, .front.port = 53, .front.protocol = IPPROTO_UDP };

                ip_parse(ips[i], &change.front.ip, NULL);
                made[n++] =
                        (struct balancer_change){ .kind = BALANCER_ADDRESS, .add = true, .front.ip = change.front.ip };
                made[n++] = (struct balancer_change){ .kind = BALANCER_SELF, .add = true, .front.ip = change.front.ip };
                change.kind = BALANCER_COUNT;
                change.n = 2;
                made[n++] = change;
                change.kind = BALANCER_BACK;
                change.back = (struct balancer_back){ .ip = change.front.ip, .port = 5353 };
                change.n = 1;
                made[n++] = change;
                change.n = 0;
                change.back.port = 5354;
                made[n++] = change;
        }
        assert_int_equal(cni_balancer_read(balancer, &found, &n_found, NULL), -ENOENT);
        apply(made, n, BALANCER_ANEW);
        renew();
        assert_int_equal(cni_balancer_read(balancer, &found, &n_found, NULL), 0);
        assert_int_equal(n_found, n);
        for (size_t i = 0; i < n; i++)
                assert_true(has(found, n_found, &made[i]));
        free(found);
}

static void test_what_somebody_else_has_made_is_not(void **state) {
        struct balancer_change *found = NULL;
        size_t n;

        resize(0, 2);
        host_run("nft 'add chain inet nacelle_services_test0 mine; "
                 "add element inet nacelle_services_test0 counts4 { 10.96.0.9 . tcp . 80 : goto mine }'");
        assert_int_equal(cni_balancer_read(balancer, &found, &n, NULL), -EINVAL);
        host_run("nft 'delete table inet nacelle_services_test0; add table inet nacelle_services_test0; "
                 "add set inet nacelle_services_test0 addresses4 { type ipv6_addr; elements = { ::1 } }'");
        assert_int_equal(cni_balancer_read(balancer, &found, &n, NULL), -EINVAL);
}

/* -- who is kept ------------------------------------------------------------------------------------------- */

static struct balancer_change change_kept(enum balancer_kind kind, uint16_t port, uint32_t n) {
        struct balancer_change change = change_back(&(struct balancer_front){ 0 }, n, true);

        change.kind = (uint8_t)kind;
        change.keep = 1000;
        change.front = front_of(80);
        change.back.port = port;
        return change;
}

/* Ends are the ports from 8080 on. */
static size_t put_ends(struct balancer_change *changes, uint16_t ends) {
        size_t n = 0;

        for (uint16_t i = 0; i < ends; i++)
                changes[n++] = change_kept(BALANCER_END, 8080 + i, 0);
        changes[n++] = change_kept(BALANCER_KEEPS, 0, 0);
        for (uint16_t i = 0; i < ends; i++)
                changes[n++] = change_kept(BALANCER_STAYS, 8080 + i, 0);
        for (uint16_t i = 0; i < ends; i++)
                changes[n++] = change_kept(BALANCER_STAYS, 8080 + i, ends - i);
        return n;
}

/* The sets that have the sender. */
static int count_kept(void) {
        const char *at = list();
        int n = 0;

        for (; (at = strstr(at, "192.0.2.1 timeout")); at++)
                n++;
        return n;
}

#define KEPT_ENDS 10

/* A front that keeps senders at so many ends, all that it is made of or that is to go; returns how many changes. */
static size_t put_kept(struct balancer_change *changes, bool add) {
        size_t n = 0;

        changes[n++] = (struct balancer_change){ .kind = BALANCER_ADDRESS, .front = front_of(80) };
        changes[n++] = change_kept(BALANCER_COUNT, 0, KEPT_ENDS);
        for (uint16_t i = 0; i < KEPT_ENDS; i++)
                changes[n++] = change_kept(BALANCER_BACK, 8080 + i, i);
        if (add)
                n += put_ends(changes + n, KEPT_ENDS);
        for (uint16_t i = 0; i < KEPT_ENDS && !add; i++)
                changes[n++] = change_kept(BALANCER_END, 8080 + i, 0);
        if (!add)
                changes[n++] = change_kept(BALANCER_KEEPS, 0, 0);
        for (size_t i = 0; i < n; i++)
                changes[i].add = add;
        return n;
}

static void test_who_is_kept_stays_when_it_is_taken_up(void **state) {
        struct balancer_change changes[64], count = change_kept(BALANCER_COUNT, 0, 0), *found;
        size_t n_found;

        count.keep = 1;
        count.back = (struct balancer_back){ 0 };
        apply(changes, put_kept(changes, true), BALANCER_ANEW);
        assert_int_equal(count_kept(), 0);
        assert_int_equal(count_refusals(1), 0);
        assert_int_equal(count_kept(), 1);
        for (int i = 0; i < 5; i++) {
                renew();
                assert_int_equal(cni_balancer_read(balancer, &found, &n_found, NULL), 0);
                assert_true(has(found, n_found, &count));
                free(found);
                apply(changes, put_ends(changes, KEPT_ENDS), BALANCER_TAKES_UP);
                assert_int_equal(count_refusals(1), 0);
                assert_int_equal(count_kept(), 1); /* and at no other */
        }
}

/* Nothing of it is left, and it comes again. In one transaction, too: another Service has got its address. */
static void test_what_keeps_senders_goes(void **state) {
        struct balancer_change changes[128];
        size_t n;

        apply(changes, put_kept(changes, true), BALANCER_ANEW);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(count_refusals(1), 0);
                apply(changes, put_kept(changes, false), BALANCER_GOES_ON);
                assert_null(strstr(list(), "end_"));
                assert_null(strstr(list(), "keeps_"));
                apply(changes, put_kept(changes, true), BALANCER_GOES_ON);
                assert_int_equal(count_refusals(1), 0);
                n = put_kept(changes, false);
                apply(changes, n + put_kept(changes + n, true), BALANCER_GOES_ON);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_no_connection_is_refused_while_ends_go, begin, end),
                cmocka_unit_test_setup_teardown(test_no_connection_is_refused_while_others_come, begin, end),
                cmocka_unit_test_setup_teardown(test_no_connection_is_refused_while_it_is_taken_up, begin, end),
                cmocka_unit_test_setup_teardown(test_an_association_is_led_there_and_back, begin, end),
                cmocka_unit_test_setup_teardown(test_what_there_is_is_read, begin, end),
                cmocka_unit_test_setup_teardown(test_what_somebody_else_has_made_is_not, begin, end),
                cmocka_unit_test_setup_teardown(test_who_is_kept_stays_when_it_is_taken_up, begin, end),
                cmocka_unit_test_setup_teardown(test_what_keeps_senders_goes, begin, end),
        };
        int r;

        if (!host_enter()) {
                puts("skipped: needs root and network namespaces");
                return 0;
        }
        r = cmocka_run_group_tests(tests, NULL, NULL);
        host_leave();
        return r;
}
