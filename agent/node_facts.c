#include "agent/node_facts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

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

void node_facts_read(const char *ip, struct node_facts *ret_facts) {
        struct sysinfo info;

        *ret_facts = (struct node_facts){ 0 };
        if (sysinfo(&info) == 0)
                ret_facts->memory_bytes = (int64_t)info.totalram * info.mem_unit;
        ret_facts->cpu_milli = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
        if (ip)
                snprintf(ret_facts->ip, sizeof(ret_facts->ip), "%s", ip);
        else
                find_ip(ret_facts->ip);
}
