/* The Node as the service gets it, in kubelet's words (pkg/kubelet/nodestatus/setters.go, kubelet_node_status.go). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/cluster/internal.h"
#include "agent/config/options.h"
#include "agent/node/facts.h"
#include "kube/codec/codec.h"
#include "kube/version.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define SMALL_FILE_MAX 4096 /* bytes of a file of the host that are looked at */

/* The first line of @path behind the line's beginning @key, without quotes; "" when there is none. */
static const char *read_line(struct arena *arena, const char *path, const char *key) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char text[SMALL_FILE_MAX], *rest = text, *line;
        size_t length = strlen(key);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        text[n > 0 ? n : 0] = '\0';
        while ((line = strsep(&rest, "\n"))) {
                if (strncmp(line, key, length) != 0)
                        continue;
                line += length;
                line += strspn(line, "\"'");
                line[strcspn(line, "\"'")] = '\0';
                return arena_strdup(arena, line);
        }
        return "";
}

static int describe(struct arena *arena, struct kube_node_system_info *ret) {
        struct utsname host;
        struct node_facts facts;

        node_facts_read("", "/", &facts);
        uname(&host);
        *ret = (struct kube_node_system_info){
                .machine_id = read_line(arena, "/etc/machine-id", ""),
                .system_uuid = read_line(arena, "/sys/class/dmi/id/product_uuid", ""),
                .boot_id = read_line(arena, "/proc/sys/kernel/random/boot_id", ""),
                .kernel_version = arena_strdup(arena, host.release),
                .os_image = read_line(arena, "/etc/os-release", "PRETTY_NAME="),
                .container_runtime_version = "nacelle://" NACELLE_VERSION,
                .kubelet_version = KUBE_GIT_VERSION,
                .kube_proxy_version = "",
                .operating_system = "linux",
                .architecture = arena_strdup(arena, facts.arch),
        };
        if (ret->system_uuid && !*ret->system_uuid) /* a host without firmware's tables, as cAdvisor has it */
                ret->system_uuid = ret->machine_id;
        return ret->machine_id && ret->system_uuid && ret->boot_id && ret->kernel_version && ret->os_image &&
                               ret->architecture ?
                       0 :
                       -ENOMEM;
}

/* Its capacity, where there is any. */
static int describe_swap(struct arena *arena, struct kube_node_system_info *info) {
        struct sysinfo host;

        if (sysinfo(&host) < 0 || host.totalswap == 0)
                return 0;
        if (!(info->swap = arena_new_of(arena, struct kube_node_swap_status)))
                return -ENOMEM;
        info->swap->capacity = (struct opt_int){ .set = true, .value = (int64_t)(host.totalswap * host.mem_unit) };
        return 0;
}

/* Of both families, where the host has both: other nodes may reach it by either. */
static int add_addresses(const struct cluster *c, struct arena *arena, kube_node_address_items *list) {
        struct node_facts facts;
        const char *const ips[] = { facts.ip, facts.ip6 };

        node_facts_read(c->options->node_ip, "/", &facts);
        if (!(list->items = arena_alloc_array(arena, 3, sizeof(*list->items))))
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(ips); i++) {
                struct kube_node_address *address = &list->items[list->count];

                if (!*ips[i])
                        continue;
                if (!(address->address = arena_strdup(arena, ips[i])))
                        return -ENOMEM;
                address->type = "InternalIP";
                list->count++;
        }
        list->items[list->count++] = (struct kube_node_address){ "Hostname", c->options->node_name };
        return 0;
}

/* As kubelet joins several: in brackets. NULL: it is ready. */
static const char *why_unready(const struct cluster *c, struct arena *arena) {
        static const char shuts[] = "node is shutting down";
        const char *network = cluster_unready(c);

        if (!c->node.shuts)
                return network;
        return network ? arena_printf(arena, "[%s, %s]", network, shuts) ?: shuts : shuts;
}

int cluster_node_status(const struct cluster *c, struct arena *arena, struct kube_node_status *ret_status) {
        kube_node_condition_items *conditions = &ret_status->conditions;
        const char *unready = why_unready(c, arena);
        int r;

        if ((r = c->events.node_status(c->events.data, arena, ret_status)) < 0 ||
            (r = cluster_add_declared(c, arena, ret_status)) < 0 || (r = describe(arena, &ret_status->node_info)) < 0 ||
            (r = describe_swap(arena, &ret_status->node_info)) < 0)
                return r;
        ret_status->daemon_endpoints.kubelet_endpoint.port = c->options->server.port;
        conditions->items[conditions->count++] = (struct kube_node_condition){
                .type = "Ready",
                .status = unready ? "False" : "True",
                .reason = unready ? "KubeletNotReady" : "KubeletReady",
                .message = unready ?: "kubelet is posting ready status",
                .last_transition_time = { .seconds = c->node.ready_since, .set = true },
        };
        cluster_conditions_date(c, conditions);
        return add_addresses(c, arena, &ret_status->addresses);
}

int cluster_node_names(void *data, struct arena *arena, const char *const **ret_names) {
        kube_node_address_items addresses = { 0 };
        const char **names;
        int r = add_addresses(data, arena, &addresses);

        if (r < 0)
                return r;
        names = arena_alloc_array(arena, addresses.count + 1, sizeof(*names));
        for (uint32_t i = 0; names && i < addresses.count; i++)
                names[i] = addresses.items[i].address;
        *ret_names = names;
        return names ? 0 : -ENOMEM;
}

int cluster_node_write(const struct cluster *c, const struct kube_node_status *status, struct json_writer *w) {
        struct node_facts facts;
        struct string_pair labels[] = {
                { "beta.kubernetes.io/arch", facts.arch }, { "beta.kubernetes.io/os", "linux" },
                { "kubernetes.io/arch", facts.arch },      { "kubernetes.io/hostname", c->options->node_name },
                { "kubernetes.io/os", "linux" },
        };
        struct kube_node node = { .kind = "Node", .api_version = "v1" };

        node_facts_read("", "/", &facts);
        node.metadata.name = c->options->node_name;
        node.metadata.labels = (string_map){ .items = labels, .count = ELEMENTS(labels) };
        if (status)
                node.status = *status;
        kube_json_write(w, &kube_node_type, &node);
        return w->error;
}
