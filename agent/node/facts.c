#include "agent/node/facts.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "images/manifest.h"
#include "kube/quantity.h"
#include "lib/cleanup.h"

/* Connecting a datagram socket sends nothing, but chooses the source address. 192.0.2.1 is TEST-NET-1 (RFC 5737). */
static void find_ip(char ret_ip[IP_TEXT_MAX]) {
        struct sockaddr_in far = { .sin_family = AF_INET, .sin_port = htons(9) }, own;
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(own);

        inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
        if (fd < 0 || connect(fd, (struct sockaddr *)&far, sizeof(far)) < 0 ||
            getsockname(fd, (struct sockaddr *)&own, &size) < 0)
                return;
        inet_ntop(AF_INET, &own.sin_addr, ret_ip, IP_TEXT_MAX);
}

/* 2001:db8::/32 is for documentation (RFC 3849). */
static void find_ip6(char ret_ip[IP_TEXT_MAX]) {
        struct sockaddr_in6 far = { .sin6_family = AF_INET6, .sin6_port = htons(9) }, own;
        _cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(own);

        inet_pton(AF_INET6, "2001:db8::1", &far.sin6_addr);
        if (fd < 0 || connect(fd, (struct sockaddr *)&far, sizeof(far)) < 0 ||
            getsockname(fd, (struct sockaddr *)&own, &size) < 0 || IN6_IS_ADDR_LINKLOCAL(&own.sin6_addr))
                return;
        inet_ntop(AF_INET6, &own.sin6_addr, ret_ip, IP_TEXT_MAX);
}

/* What a small file of the kernel's begins with; "" when there is none. */
static void read_word(const char *path, char *ret, size_t size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

        ret[n > 0 ? n : 0] = '\0';
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct node_huge_pages *)a)->name, ((const struct node_huge_pages *)b)->name);
}

static void read_huge(const char *directory, const char *entry, int64_t kib, struct node_huge_pages *ret) {
        char path[512], pages[32], text[QUANTITY_TEXT_MAX];

        snprintf(path, sizeof(path), "%s/%s/nr_hugepages", directory, entry);
        read_word(path, pages, sizeof(pages));
        ret->page = kib * 1024;
        ret->all_bytes = strtoll(pages, NULL, 10) * ret->page;
        snprintf(ret->name, sizeof(ret->name), "hugepages-%.20s",
                 quantity_format(quantity_from_units(ret->page, QUANTITY_BINARY), text));
}

unsigned node_huge_pages_read(const char *directory, struct node_huge_pages ret_sizes[NODE_HUGE_SIZES_MAX]) {
        DIR *all = opendir(directory);
        const struct dirent *entry;
        unsigned n = 0;

        while (all && n < NODE_HUGE_SIZES_MAX && (entry = readdir(all))) {
                long long kib = 0;
                char end;

                if (sscanf(entry->d_name, "hugepages-%lldk%c", &kib, &end) == 2 && end == 'B' && kib > 0)
                        read_huge(directory, entry->d_name, kib, &ret_sizes[n++]);
        }
        if (all)
                closedir(all);
        qsort(ret_sizes, n, sizeof(*ret_sizes), by_name);
        return n;
}

int64_t node_huge_pages(const char *name) {
        const char *size = strrchr(name, '-');
        char path[128], pages[32];
        struct quantity quantity;
        long long count = 0;

        if (!size || quantity_parse(size + 1, &quantity, NULL) < 0)
                return 0;
        snprintf(path, sizeof(path), NODE_HUGE_PAGES "/hugepages-%" PRId64 "kB/nr_hugepages",
                 quantity_units(quantity) / 1024);
        read_word(path, pages, sizeof(pages));
        return sscanf(pages, "%lld", &count) == 1 ? count * quantity_units(quantity) : 0;
}

void node_facts_read(const char *ip, const char *root_dir, struct node_facts *ret_facts) {
        struct platform platform;
        struct statvfs disk;
        struct sysinfo info;
        char enabled[8];

        *ret_facts = (struct node_facts){ 0 };
        if (sysinfo(&info) == 0)
                ret_facts->memory_bytes = (int64_t)info.totalram * info.mem_unit;
        if (statvfs(root_dir, &disk) == 0)
                ret_facts->disk_bytes = (int64_t)(disk.f_blocks * disk.f_frsize);
        if (image_platform_parse(NULL, &platform, NULL) == 0)
                memcpy(ret_facts->arch, platform.architecture, sizeof(ret_facts->arch));
        read_word("/sys/module/apparmor/parameters/enabled", enabled, sizeof(enabled));
        ret_facts->apparmor = enabled[0] == 'Y';
        ret_facts->cpu_milli = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
        if (ip)
                snprintf(ret_facts->ip, sizeof(ret_facts->ip), "%s", ip);
        else {
                find_ip(ret_facts->ip);
                find_ip6(ret_facts->ip6);
        }
}
