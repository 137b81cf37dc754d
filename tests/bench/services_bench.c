/* What Services' addresses cost: connections through one beside connections past it, and a change of one among
 * thousands, on a host of its own. Root only. Usage: services_bench [services] */
#include "tests/unit/cni/host.h"

#include <netinet/tcp.h>

#include "cni/balancer.h"
#include "cni/link.h"

#define BACKS 10
#define CHANGES_TIMED 200
#define CONNECTIONS 5000

static struct balancer *balancer;

static void require(int r, struct err *err) {
        if (r >= 0)
                return;
        fprintf(stderr, "%s\n", err_text(err));
        host_leave();
        exit(1);
}

static struct balancer_front front_of(unsigned i) {
        struct ip base;

        ip_parse("10.96.0.0", &base, NULL);
        return (struct balancer_front){ .ip = ip_add(&base, i + 1), .port = 80, .protocol = IPPROTO_TCP };
}

static struct balancer_back back_of(unsigned i) {
        struct ip base;

        ip_parse("10.200.0.0", &base, NULL);
        return (struct balancer_back){ .ip = ip_add(&base, i), .port = 8080 };
}

static size_t put_service(struct balancer_change *changes, unsigned i, const struct balancer_back *only) {
        struct balancer_front front = front_of(i);
        size_t n = 0;

        changes[n++] = (struct balancer_change){ .kind = BALANCER_ADDRESS, .add = true, .front = front };
        changes[n++] = (struct balancer_change){ .kind = BALANCER_COUNT, .add = true, .front = front, .n = BACKS };
        for (uint32_t k = 0; k < BACKS; k++)
                changes[n++] = (struct balancer_change){ .kind = BALANCER_BACK,
                                                         .add = true,
                                                         .front = front,
                                                         .n = k,
                                                         .back = only ? *only : back_of(i * BACKS + k) };
        return n;
}

/* Another number of ends: the kernel looks for loops. */
static void measure_counts(void) {
        struct balancer_change changes[3];
        struct err *err = NULL;
        double all = host_now();

        for (unsigned i = 0; i < CHANGES_TIMED; i++) {
                struct balancer_front front = front_of(i);

                changes[0] = (struct balancer_change){ .kind = BALANCER_COUNT, .front = front, .n = BACKS };
                changes[1] =
                        (struct balancer_change){ .kind = BALANCER_COUNT, .add = true, .front = front, .n = BACKS - 1 };
                changes[2] = (struct balancer_change){ .kind = BALANCER_BACK, .front = front, .n = BACKS - 1 };
                require(cni_balancer_apply(balancer, changes, 3, BALANCER_GOES_ON, &err), err);
        }
        printf("  one end less                       %8.3f ms\n", (host_now() - all) * 1000 / CHANGES_TIMED);
}

/* As an agent does that finds the table of another. */
static void measure_taking_up(void) {
        struct balancer_change *found;
        struct err *err = NULL;
        double begin = host_now();
        size_t n;

        require(cni_balancer_read(balancer, &found, &n, &err), err);
        require(cni_balancer_apply(balancer, NULL, 0, BALANCER_TAKES_UP, &err), err);
        printf("  they are read, and taken up        %8.3f ms\n", (host_now() - begin) * 1000);
        free(found);
}

static void measure_changes(unsigned services) {
        struct balancer_change *changes = calloc((size_t)services * (BACKS + 2), sizeof(*changes)), two[2];
        struct err *err = NULL;
        double begin, worst = 0, all;
        size_t n = 0;

        for (unsigned i = 0; i < services; i++)
                n += put_service(changes + n, i, NULL);
        begin = host_now();
        require(cni_balancer_apply(balancer, changes, n, BALANCER_ANEW, &err), err);
        printf("  all of %u, of %d ends each       %8.1f ms\n", services, BACKS, (host_now() - begin) * 1000);
        all = host_now();
        for (unsigned i = 0; i < CHANGES_TIMED; i++) {
                two[0] = (struct balancer_change){ .kind = BALANCER_BACK, .front = front_of(i), .n = 3 };
                two[1] = (struct balancer_change){
                        .kind = BALANCER_BACK, .add = true, .front = front_of(i), .n = 3, .back = back_of(77)
                };
                begin = host_now();
                require(cni_balancer_apply(balancer, two, 2, BALANCER_GOES_ON, &err), err);
                if (host_now() - begin > worst)
                        worst = host_now() - begin;
        }
        printf("  one end for another among them     %8.3f ms, at most %.3f\n",
               (host_now() - all) * 1000 / CHANGES_TIMED, worst * 1000);
        measure_counts();
        measure_taking_up();
        free(changes);
}

static int connect_often(void *data, struct err **err) {
        const struct host_endpoint *endpoint = data;
        struct linger linger = { .l_onoff = 1 };
        struct sockaddr_storage address;
        socklen_t size = host_sockaddr(endpoint->address, endpoint->port, &address);
        double begin = host_now();
        char text[64];

        for (int i = 0; i < CONNECTIONS; i++) {
                int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

                if (connect(fd, (struct sockaddr *)&address, size) < 0)
                        return err_errno(err, errno, "connect to %s", endpoint->address);
                /* Until it was taken, so that none waits in a queue; and reset, so that no port does. */
                if (recv(fd, text, sizeof(text), 0) < 0)
                        return err_errno(err, errno, "answer of %s", endpoint->address);
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
                close(fd);
        }
        printf("  connections to %-18s  %8.1f us each\n", endpoint->address, (host_now() - begin) * 1e6 / CONNECTIONS);
        return 0;
}

static void measure_connections(unsigned services) {
        struct balancer_back only = { .port = 8080 };
        struct balancer_change changes[BACKS + 2];
        char text[IP_TEXT_MAX];
        struct err *err = NULL;

        ip_parse("192.0.2.2", &only.ip, NULL);
        require(cni_balancer_apply(balancer, changes, put_service(changes, services, &only), BALANCER_GOES_ON, &err),
                err);
        host_serve("far", IPPROTO_TCP, 8080);
        for (int i = 0; i < 3; i++) {
                struct balancer_front front = front_of(services);
                struct host_endpoint direct = { .address = "192.0.2.2", .port = 8080 },
                                     through = { .address = ip_format(&front.ip, text), .port = 80 };

                require(connect_often(&direct, &err), err);
                require(connect_often(&through, &err), err);
        }
        host_stop_servers();
}

int main(int argc, char **argv) {
        unsigned services = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
        struct balancer_options options = { .bridge = "bench0" };

        if (!host_enter() || services < CHANGES_TIMED) {
                fprintf(stderr, "usage, as root: services_bench [services, %d at least]\n", CHANGES_TIMED);
                return 2;
        }
        host_netns_create("far");
        host_run("ip link add near type veth peer name far && ip link set far netns %s && ip addr add 192.0.2.1/24 dev "
                 "near && "
                 "ip link set near up && ip route add default via 192.0.2.2 && nsenter --net=%s sh -c "
                 "'ip addr add 192.0.2.2/24 dev far; ip link set far up; ip link set lo up'",
                 host_netns("far"), host_netns("far"));
        require(cni_balancer_new(&options, &balancer), NULL);
        printf("%u services\n", services);
        measure_changes(services);
        measure_connections(services);
        cni_balancer_free(balancer);
        host_netns_remove("far");
        host_leave();
        return 0;
}
