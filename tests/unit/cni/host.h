/* A host of the test's own: network and mount namespaces for the process, so that nothing touches the real ones; and
 * traffic inside the namespaces of pods. For one test program each; all functions fail the test when they cannot.
 */
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "cni/netns.h"
#include "cni/sysctl.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define HOST_FUNCTION __attribute__((unused)) static

/* How long an answer may take before it counts as none. */
#define HOST_ANSWER_MS 3000

static char host_directory[] = "/tmp/nacelle-cni-XXXXXX";
static pid_t host_servers[64];
static size_t host_n_servers;

/* Output of a program; valid until the next call. */
HOST_FUNCTION const char *host_run(const char *format, ...) {
        static char output[65536];
        char command[4096];
        va_list ap;
        size_t n;
        FILE *pipe;

        va_start(ap, format);
        vsnprintf(command, sizeof(command), format, ap);
        va_end(ap);
        pipe = popen(command, "r");
        assert_non_null(pipe);
        n = fread(output, 1, sizeof(output) - 1, pipe);
        output[n] = '\0';
        if (pclose(pipe) != 0)
                fail_msg("%s: failed: %s", command, output);
        return output;
}

/* False when not root: then nothing can be tested here. */
HOST_FUNCTION bool host_enter(void) {
        if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
                return false;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(host_directory) ||
            mount("host", host_directory, "tmpfs", 0, NULL) < 0)
                return false;
        host_run("ip link set lo up");
        return true;
}

HOST_FUNCTION void host_stop_servers(void) {
        while (host_n_servers > 0) {
                pid_t pid = host_servers[--host_n_servers];

                kill(pid, SIGKILL);
                waitpid(pid, NULL, 0);
        }
}

HOST_FUNCTION void host_leave(void) {
        host_stop_servers();
        umount2(host_directory, MNT_DETACH);
        rmdir(host_directory);
}

HOST_FUNCTION int host_end(int failed) {
        host_leave();
        return failed;
}

/* Runs the array of @tests in such a host: what main() returns. Where it cannot be had they are skipped. */
#define host_run_tests(tests)                                                                                          \
        (host_enter() ? host_end(cmocka_run_group_tests((tests), NULL, NULL)) :                                        \
                        (puts("skipped: needs root and network namespaces"), 0))

/* The path of the namespace @name; valid until the 4th next call. */
HOST_FUNCTION const char *host_netns(const char *name) {
        static char paths[4][128];
        static unsigned turn;
        char *path = paths[turn++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", host_directory, name);
        return path;
}

HOST_FUNCTION void host_netns_create(const char *name) {
        _cleanup_err_ struct err *err = NULL;

        if (cni_netns_create(host_netns(name), &err) < 0)
                fail_msg("%s", err_text(err));
}

HOST_FUNCTION void host_netns_remove(const char *name) {
        assert_int_equal(cni_netns_remove(host_netns(name), NULL), 0);
}

/* Runs @call in the namespace @netns, or in the host for NULL. */
HOST_FUNCTION void host_inside(const char *netns, int (*call)(void *data, struct err **err), void *data) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_err_ struct err *err = NULL;
        int r;

        if (!netns) {
                assert_true(call(data, NULL) >= 0);
                return;
        }
        r = cni_netns_open(host_netns(netns), &fd, &err);
        if (r == 0)
                r = cni_netns_run(fd, call, data, &err);
        if (r < 0)
                fail_msg("%s: %s", netns, err_text(err));
}

struct host_endpoint {
        int protocol;
        const char *address; /* NULL: any, of both families */
        uint16_t port, local_port;
        char *answer;
        size_t size;
        int fd;
};

HOST_FUNCTION socklen_t host_sockaddr(const char *address, uint16_t port, struct sockaddr_storage *ret) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof(*ret));
        if (address && inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(port);
                return sizeof(*v4);
        }
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        if (address)
                assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
        return sizeof(*v6);
}

HOST_FUNCTION int host_listen(void *data, struct err **err) {
        struct host_endpoint *endpoint = data;
        int type = endpoint->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, zero = 0, one = 1;
        struct sockaddr_storage address;
        socklen_t n = host_sockaddr(endpoint->address, endpoint->port, &address);

        endpoint->fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
        setsockopt(endpoint->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(endpoint->fd, (struct sockaddr *)&address, n) < 0 ||
            (type == SOCK_STREAM && listen(endpoint->fd, 16) < 0))
                return err_errno(err, errno, "listen on %u", endpoint->port);
        return 0;
}

/* The client's address as text, IPv4 without the mapping's prefix. */
HOST_FUNCTION void host_peer_text(const struct sockaddr_storage *peer, char *text, size_t size) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

        if (peer->ss_family == AF_INET)
                inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, (socklen_t)size);
        else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
                inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, (socklen_t)size);
        else
                inet_ntop(AF_INET6, &v6->sin6_addr, text, (socklen_t)size);
}

HOST_FUNCTION void host_answer(int fd, int protocol) {
        for (;;) {
                struct sockaddr_storage peer;
                socklen_t size = sizeof(peer);
                char text[INET6_ADDRSTRLEN], byte[16];

                if (protocol == IPPROTO_UDP) {
                        if (recvfrom(fd, byte, sizeof(byte), 0, (struct sockaddr *)&peer, &size) < 0)
                                continue;
                        host_peer_text(&peer, text, sizeof(text));
                        sendto(fd, text, strlen(text), 0, (struct sockaddr *)&peer, size);
                } else {
                        int connection = accept(fd, (struct sockaddr *)&peer, &size);

                        if (connection < 0)
                                continue;
                        host_peer_text(&peer, text, sizeof(text));
                        if (write(connection, text, strlen(text)) < 0)
                                text[0] = '\0';
                        close(connection);
                }
        }
}

/* A process in @netns that answers each connection or datagram with its sender's address. @address is the one to
 * listen on; NULL: any. */
HOST_FUNCTION void host_serve_at(const char *netns, int protocol, const char *address, uint16_t port) {
        struct host_endpoint endpoint = { .protocol = protocol, .address = address, .port = port };
        pid_t pid;

        host_inside(netns, host_listen, &endpoint);
        assert_true(host_n_servers < ELEMENTS(host_servers));
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                host_answer(endpoint.fd, protocol);
        }
        close(endpoint.fd);
        host_servers[host_n_servers++] = pid;
}

HOST_FUNCTION void host_serve(const char *netns, int protocol, uint16_t port) {
        host_serve_at(netns, protocol, NULL, port);
}

HOST_FUNCTION int host_query(void *data, struct err **err) {
        struct host_endpoint *endpoint = data;
        int type = endpoint->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        struct sockaddr_storage address, local;
        socklen_t size = host_sockaddr(endpoint->address, endpoint->port, &address);
        _cleanup_close_ int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct pollfd ready = { .fd = fd, .events = POLLOUT };
        ssize_t n;

        endpoint->answer[0] = '\0';
        if (endpoint->local_port) {
                socklen_t local_size =
                        host_sockaddr(address.ss_family == AF_INET ? "0.0.0.0" : NULL, endpoint->local_port, &local);

                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
                if (bind(fd, (struct sockaddr *)&local, local_size) < 0)
                        return err_errno(err, errno, "bind");
        }
        if (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
                return 0;
        if (poll(&ready, 1, HOST_ANSWER_MS) != 1 || (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0))
                return 0;
        ready.events = POLLIN;
        if (poll(&ready, 1, HOST_ANSWER_MS) != 1)
                return 0;
        n = recv(fd, endpoint->answer, endpoint->size - 1, 0);
        endpoint->answer[n > 0 ? n : 0] = '\0';
        return 0;
}

/* Asks from @netns (NULL: the host); the answer, or "" for none. Valid until the next call. */
HOST_FUNCTION const char *host_ask_from(const char *netns, int protocol, const char *address, uint16_t port,
                                        uint16_t local_port) {
        static char answer[INET6_ADDRSTRLEN];
        struct host_endpoint endpoint = { .protocol = protocol,
                                          .address = address,
                                          .port = port,
                                          .local_port = local_port,
                                          .answer = answer,
                                          .size = sizeof(answer) };

        host_inside(netns, host_query, &endpoint);
        return answer;
}

HOST_FUNCTION const char *host_ask(const char *netns, int protocol, const char *address, uint16_t port) {
        return host_ask_from(netns, protocol, address, port, 0);
}

HOST_FUNCTION double host_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

HOST_FUNCTION int host_send_all(void *data, struct err **err) {
        struct host_endpoint *endpoint = data;
        struct sockaddr_storage address;
        socklen_t size = host_sockaddr(endpoint->address, endpoint->port, &address);
        _cleanup_close_ int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        static char block[16384];
        size_t left = endpoint->size;

        if (connect(fd, (struct sockaddr *)&address, size) < 0)
                return err_errno(err, errno, "connect");
        while (left > 0) {
                ssize_t n = send(fd, block, left < sizeof(block) ? left : sizeof(block), MSG_NOSIGNAL);

                if (n < 0)
                        return err_errno(err, errno, "send");
                left -= (size_t)n;
        }
        shutdown(fd, SHUT_WR);
        /* The receiver closes after the last byte. */
        return recv(fd, block, 1, 0) == 0 ? 0 : err_errno(err, errno, "end");
}

/* Sends @bytes over TCP from @from to @address in @to (NULL: the host); returns the seconds it took. */
HOST_FUNCTION double host_transfer(const char *from, const char *to, const char *address, size_t bytes) {
        struct host_endpoint receiver = { .protocol = IPPROTO_TCP, .port = 9000 };
        struct host_endpoint sender = { .address = address, .port = 9000, .size = bytes };
        double begin;
        pid_t pid;

        host_inside(to, host_listen, &receiver);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int connection = accept(receiver.fd, NULL, NULL);
                char block[16384];

                while (read(connection, block, sizeof(block)) > 0)
                        continue;
                _exit(0);
        }
        close(receiver.fd);
        begin = host_now();
        host_inside(from, host_send_all, &sender);
        waitpid(pid, NULL, 0);
        return host_now() - begin;
}
