/* What TLS over the loopback takes by itself on this machine: OpenSSL's records from one process into another's hands,
 * with nothing made of them. A pair of processes for each processor, that share the connections; no server can tell
 * what it has to tell for less.
 *
 * tls_floor CERT KEY BYTES CONNECTIONS SECONDS         BYTES at a time on each connection, as fast as they are read
 * tls_floor CERT KEY BYTES CONNECTIONS SECONDS RATE    BYTES to every connection, RATE times a second: an event
 *
 * It prints a line of JSON: how often all of BYTES (an event: to all connections) went in a second, the CPU of each at
 * either end, and how long after its time an event was there. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define RECORD_MAX 16384
#define READ_SIZE ((size_t)64 << 10)
#define PAIRS_MAX 64
#define SAMPLES_MAX 1000000 /* of each reader */
#define TURN 64             /* connections that are looked at in one turn */

static struct options {
        const char *certificate, *key;
        size_t bytes;
        int connections;
        double seconds, rate;
} options;

/* Of one pair, shared with the parent. */
struct pair_result {
        double writer_cpu_s, reader_cpu_s;
        uint64_t written;
        size_t n;
        uint32_t us[SAMPLES_MAX];
};

static struct pair_result *results;
static int pairs;

static void fail(const char *what) {
        fprintf(stderr, "tls_floor: %s: %s\n", what, strerror(errno));
        _exit(1);
}

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double cpu_s(void) {
        struct rusage usage;

        getrusage(RUSAGE_SELF, &usage);
        return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int own_connections(void) {
        return options.connections / pairs;
}

static void sleep_until(uint64_t ns) {
        struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

static void write_all(SSL *ssl, const uint8_t *data, size_t size) {
        while (size > 0) {
                size_t n = 0, part = size < RECORD_MAX ? size : RECORD_MAX;

                if (SSL_write_ex(ssl, data, part, &n) != 1)
                        fail("write");
                data += n;
                size -= n;
        }
}

static void write_until_end(SSL **ssl, uint8_t *data, struct pair_result *result, uint64_t begin) {
        uint64_t end = begin + (uint64_t)(options.seconds * 1e9), due = begin;

        for (uint64_t number = 1; due < end; number++) {
                memcpy(data, &due, sizeof(due));
                for (int i = 0; i < own_connections(); i++)
                        write_all(ssl[i], data, options.bytes);
                result->written++;
                due = options.rate > 0 ? begin + (uint64_t)((double)number / options.rate * 1e9) : now_ns();
                if (options.rate > 0 && now_ns() > end)
                        break;
                if (options.rate > 0)
                        sleep_until(due);
        }
}

static void be_writer(int listener, struct pair_result *result, uint64_t begin) {
        SSL_CTX *context = SSL_CTX_new(TLS_server_method());
        SSL **ssl = calloc((size_t)own_connections(), sizeof(SSL *));
        uint8_t *data = calloc(1, options.bytes);
        double before;

        if (!context || !ssl || !data ||
            SSL_CTX_use_certificate_file(context, options.certificate, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_use_PrivateKey_file(context, options.key, SSL_FILETYPE_PEM) != 1)
                fail("certificate and key");
        for (int i = 0; i < own_connections(); i++) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
                ssl[i] = SSL_new(context);
                if (!ssl[i] || SSL_set_fd(ssl[i], fd) != 1 || SSL_accept(ssl[i]) != 1)
                        fail("accept");
        }
        before = cpu_s();
        sleep_until(begin);
        write_until_end(ssl, data, result, begin);
        result->writer_cpu_s = cpu_s() - before;
        _exit(0);
}

/* Everything that is there now; false at the end. */
static bool read_all(SSL *ssl, uint8_t *buffer, struct pair_result *result) {
        size_t n;

        while (SSL_read_ex(ssl, buffer, READ_SIZE, &n) == 1) {
                uint64_t due;

                if (options.rate <= 0 || result->n == SAMPLES_MAX)
                        continue;
                memcpy(&due, buffer, sizeof(due));
                result->us[result->n++] = (uint32_t)((now_ns() - due) / 1000);
        }
        return SSL_get_error(ssl, 0) == SSL_ERROR_WANT_READ;
}

static SSL *connect_to(SSL_CTX *context, const struct sockaddr_in *address) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        SSL *ssl = SSL_new(context);

        if (fd < 0 || !ssl || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                fail("connect");
        SSL_set_read_ahead(ssl, 1);
        SSL_set_default_read_buffer_len(ssl, options.rate > 0 ? RECORD_MAX : READ_SIZE);
        if (SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
                fail("connect");
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                fail("O_NONBLOCK");
        return ssl;
}

static void be_reader(const struct sockaddr_in *address, struct pair_result *result) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        int events = epoll_create1(EPOLL_CLOEXEC), left = own_connections();
        uint8_t buffer[READ_SIZE];
        double before;

        for (int i = 0; i < own_connections(); i++) {
                SSL *ssl = connect_to(context, address);

                read_all(ssl, buffer, result); /* session tickets */
                epoll_ctl(events, EPOLL_CTL_ADD, SSL_get_fd(ssl),
                          &(struct epoll_event){ .events = EPOLLIN, .data.ptr = ssl });
        }
        before = cpu_s();
        while (left > 0) {
                struct epoll_event ready[TURN];
                int n = epoll_wait(events, ready, TURN, -1);

                for (int i = 0; i < n; i++)
                        if (!read_all(ready[i].data.ptr, buffer, result)) {
                                epoll_ctl(events, EPOLL_CTL_DEL, SSL_get_fd(ready[i].data.ptr), NULL);
                                left--;
                        }
        }
        result->reader_cpu_s = cpu_s() - before;
        _exit(0);
}

static void start_pair(struct pair_result *result, uint64_t begin) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(listener, 16) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
                fail("listen");
        pid = fork();
        if (pid == 0)
                be_writer(listener, result, begin);
        if (pid > 0 && fork() == 0)
                be_reader(&address, result);
        close(listener);
}

static int by_size(const void *a, const void *b) {
        uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

        return left < right ? -1 : left > right;
}

static void print_results(void) {
        double writers_s = 0, readers_s = 0, done;
        uint64_t written = 0;
        size_t n = 0;

        for (int i = 0; i < pairs; i++) {
                writers_s += results[i].writer_cpu_s;
                readers_s += results[i].reader_cpu_s;
                written += results[i].written;
        }
        done = options.rate > 0 ? (double)written / pairs : (double)written;
        printf("{\"rate\": %.2f, \"cpu_ms\": %.3f, \"reader_cpu_ms\": %.3f", done / options.seconds,
               writers_s * 1000 / done, readers_s * 1000 / done);
        for (int i = 0; i < pairs && options.rate > 0; i++)
                n += results[i].n;
        if (n > 0) {
                uint32_t *all = calloc(n, sizeof(*all));
                size_t at = 0;

                for (int i = 0; all && i < pairs; at += results[i++].n)
                        memcpy(all + at, results[i].us, results[i].n * sizeof(*all));
                if (!all)
                        fail("samples");
                qsort(all, n, sizeof(*all), by_size);
                printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f", all[n / 2] / 1e3, all[n * 99 / 100] / 1e3);
        }
        puts("}");
}

int main(int argc, char **argv) {
        uint64_t begin;

        if (argc < 6)
                return fprintf(stderr, "usage: tls_floor CERT KEY BYTES CONNECTIONS SECONDS [RATE]\n"), 2;
        options = (struct options){ argv[1],       argv[2],       strtoul(argv[3], NULL, 10),
                                    atoi(argv[4]), atof(argv[5]), argc > 6 ? atof(argv[6]) : 0 };
        pairs = (int)sysconf(_SC_NPROCESSORS_ONLN);
        if (pairs > PAIRS_MAX)
                pairs = PAIRS_MAX;
        results =
                mmap(NULL, sizeof(*results) * (size_t)pairs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (results == MAP_FAILED || options.connections < pairs || options.bytes < sizeof(uint64_t))
                fail("no memory, or fewer connections than processors, or fewer than 8 bytes");
        begin = now_ns() + 1000000000 + (uint64_t)options.connections * 2000000; /* time to connect */
        for (int i = 0; i < pairs; i++)
                start_pair(&results[i], begin);
        while (wait(NULL) > 0)
                ;
        print_results();
        return 0;
}
