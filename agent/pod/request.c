/* A pod as CRI's messages: what kubelet's generatePodSandboxConfig() and generateContainerConfig() make of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node/dns.h"
#include "agent/config/options.h"
#include "agent/pod/files.h"
#include "agent/pod/request_security.h"
#include "agent/pod/internal.h"
#include "kube/env.h"
#include "kube/resource_list.h"
#include "kube/names.h"
#include "kube/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"

#define NEW(arena, type, init)                                                                                         \
        ({                                                                                                             \
                type *_message = arena_new_of((arena), type);                                                          \
                if (_message)                                                                                          \
                        init(_message);                                                                                \
                _message;                                                                                              \
        })

static void *no_memory(struct err **err) {
        err_set(err, ENOMEM, "out of memory");
        return NULL;
}

/* -- sandbox ----------------------------------------------------------------------------------------------- */

/* Labels and annotations are messages of one layout, {key, value}; protobuf-c names each map's entry apart. */
typedef Cri__PodSandboxConfig__LabelsEntry Pair;
_Static_assert(sizeof(Cri__PodSandboxConfig__AnnotationsEntry) == sizeof(Pair), "one layout");
_Static_assert(sizeof(Cri__ContainerConfig__LabelsEntry) == sizeof(Pair), "one layout");
_Static_assert(sizeof(Cri__ContainerConfig__AnnotationsEntry) == sizeof(Pair), "one layout");

struct pairs {
        struct arena *arena;
        const ProtobufCMessageDescriptor *descriptor;
        void **items;
        size_t n, size;
};

static void add_pair(struct pairs *pairs, const char *key, const char *value) {
        Pair *pair = arena_new_of(pairs->arena, Pair);

        if (!pair || pairs->n == pairs->size || !value)
                return;
        cri__pod_sandbox_config__labels_entry__init(pair);
        pair->base.descriptor = pairs->descriptor;
        pair->key = (char *)key;
        pair->value = (char *)value;
        pairs->items[pairs->n++] = pair;
}

static struct pairs pairs_new(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, size_t size) {
        return (struct pairs){ arena, descriptor, arena_alloc_array(arena, size, sizeof(void *)), 0, size };
}

static void set_labels(struct arena *arena, const struct pod *pod, Cri__PodSandboxConfig *config) {
        struct pairs labels =
                pairs_new(arena, &cri__pod_sandbox_config__labels_entry__descriptor, pod->metadata.labels.count + 3);
        struct pairs notes = pairs_new(arena, &cri__pod_sandbox_config__annotations_entry__descriptor,
                                       pod->metadata.annotations.count);

        list_for_each (label, &pod->metadata.labels)
                add_pair(&labels, label->key, label->value);
        add_pair(&labels, "io.kubernetes.pod.name", pod->metadata.name);
        add_pair(&labels, "io.kubernetes.pod.namespace", pod->metadata.namespace);
        add_pair(&labels, "io.kubernetes.pod.uid", pod->metadata.uid);
        list_for_each (note, &pod->metadata.annotations)
                add_pair(&notes, note->key, note->value);
        config->labels = (void *)labels.items;
        config->n_labels = labels.n;
        config->annotations = (void *)notes.items;
        config->n_annotations = notes.n;
}

static Cri__Protocol protocol(enum pod_protocol protocol) {
        return protocol == PROTOCOL_UDP  ? CRI__PROTOCOL__UDP :
               protocol == PROTOCOL_SCTP ? CRI__PROTOCOL__SCTP :
                                           CRI__PROTOCOL__TCP;
}

static void set_ports(struct arena *arena, const struct pod *pod, Cri__PodSandboxConfig *config) {
        const pod_container_list *lists[] = { &pod->spec.init_containers, &pod->spec.containers };
        size_t n = 0;

        if (pod->spec.host_network)
                return;
        for (size_t l = 0; l < ELEMENTS(lists); l++)
                list_for_each (c, lists[l])
                        n += c->ports.count;
        config->port_mappings = arena_alloc_array(arena, n + 1, sizeof(*config->port_mappings));
        for (size_t l = 0; l < ELEMENTS(lists) && config->port_mappings; l++)
                list_for_each (c, lists[l])
                        list_for_each (port, &c->ports) {
                                Cri__PortMapping *mapping = NEW(arena, Cri__PortMapping, cri__port_mapping__init);

                                if (!mapping)
                                        return;
                                mapping->protocol = protocol(port->protocol);
                                mapping->container_port = port->container_port;
                                mapping->host_port = port->host_port;
                                if (port->host_ip)
                                        mapping->host_ip = (char *)port->host_ip;
                                config->port_mappings[config->n_port_mappings++] = mapping;
                        }
}

static Cri__DNSConfig *make_dns(struct arena *arena, const struct dns_choice *choice) {
        Cri__DNSConfig *dns = NEW(arena, Cri__DNSConfig, cri__dnsconfig__init);

        if (dns)
                dns_choice_lists(choice, &dns->servers, &dns->n_servers, &dns->searches, &dns->n_searches,
                                 &dns->options, &dns->n_options);
        return dns;
}

static int64_t units(const resource_list *list, const char *name) {
        const struct quantity *amount = resource_get(list, name);

        return !amount ? 0 : strcmp(name, "cpu") == 0 ? quantity_milli(*amount) : quantity_units(*amount);
}

/* The sums, also where some container has no limit: for the runtime to know, not to set. */
static Cri__LinuxContainerResources *pod_resources(struct arena *arena, const struct worker *w) {
        Cri__LinuxContainerResources *r =
                NEW(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        resource_list requests = { 0 }, limits = { 0 };

        if (!r || !pod_requests(arena, w->pod, &requests) || !pod_limits(arena, w->pod, &limits))
                return NULL;
        r->cpu_shares = (int64_t)pod_cpu_shares(units(&requests, "cpu"));
        r->cpu_period = POD_CPU_PERIOD_DEFAULT;
        r->cpu_quota = pod_cpu_quota(units(&limits, "cpu"), POD_CPU_PERIOD_DEFAULT);
        r->memory_limit_in_bytes = units(&limits, "memory");
        return r;
}

static Cri__LinuxContainerResources *pod_overhead(struct arena *arena, const struct worker *w) {
        Cri__LinuxContainerResources *r =
                NEW(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        const resource_list *overhead = &w->pod->spec.overhead;

        if (r && overhead->count > 0) {
                r->cpu_shares = (int64_t)pod_cpu_shares(units(overhead, "cpu"));
                r->cpu_period = POD_CPU_PERIOD_DEFAULT;
                r->cpu_quota = pod_cpu_quota(units(overhead, "cpu"), r->cpu_period);
                r->memory_limit_in_bytes = units(overhead, "memory");
        }
        return r;
}

static Cri__LinuxPodSandboxConfig *make_linux(struct arena *arena, const struct worker *w) {
        Cri__LinuxPodSandboxConfig *config =
                NEW(arena, Cri__LinuxPodSandboxConfig, cri__linux_pod_sandbox_config__init);
        const struct pod_security *security = w->pod->spec.security;

        if (!config)
                return NULL;
        config->cgroup_parent = (char *)pod_files_cgroup(arena, w);
        config->resources = pod_resources(arena, w);
        config->overhead = pod_overhead(arena, w);
        config->security_context = request_sandbox_security(arena, w);
        if (!config->cgroup_parent || !config->resources || !config->overhead || !config->security_context)
                return NULL;
        if (!security || !security->sysctls.count)
                return config;
        config->sysctls = arena_alloc_array(arena, security->sysctls.count, sizeof(*config->sysctls));
        list_for_each (sysctl, &security->sysctls) {
                char name[SYSCTL_NAME_MAX + 1];
                Cri__LinuxPodSandboxConfig__SysctlsEntry *entry =
                        NEW(arena, Cri__LinuxPodSandboxConfig__SysctlsEntry,
                            cri__linux_pod_sandbox_config__sysctls_entry__init);
                if (!entry || !config->sysctls)
                        return NULL;
                entry->key = arena_strdup(arena, sysctl_name(sysctl->name, name));
                entry->value = (char *)sysctl->value;
                config->sysctls[config->n_sysctls++] = entry;
        }
        return config;
}

Cri__PodSandboxConfig *request_sandbox(struct arena *arena, const struct worker *w, struct err **err) {
        Cri__PodSandboxConfig *config = NEW(arena, Cri__PodSandboxConfig, cri__pod_sandbox_config__init);
        Cri__PodSandboxMetadata *metadata = NEW(arena, Cri__PodSandboxMetadata, cri__pod_sandbox_metadata__init);
        const char *hostname;

        if (!config || !metadata)
                return no_memory(err);
        metadata->name = (char *)w->pod->metadata.name;
        metadata->namespace_ = (char *)w->pod->metadata.namespace;
        metadata->uid = (char *)w->pod->metadata.uid;
        metadata->attempt = w->sandbox_attempt;
        config->metadata = metadata;
        if (!w->pod->spec.host_network) {
                if (pod_kernel_hostname(arena, w->pod, w->node->options, &hostname, err) < 0)
                        return NULL;
                config->hostname = (char *)hostname;
        }
        config->log_directory = (char *)pod_files_logs(arena, w);
        set_labels(arena, w->pod, config);
        set_ports(arena, w->pod, config);
        if (w->dns)
                config->dns_config = make_dns(arena, w->dns);
        config->linux = make_linux(arena, w);
        if (!config->log_directory || !config->hostname || !config->linux)
                return no_memory(err);
        return config;
}

/* -- container --------------------------------------------------------------------------------------------- */

static const char *ports_json(struct arena *arena, const struct pod_container *c) {
        static const char *const protocols[] = { "TCP", "TCP", "UDP", "SCTP" };
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        json_begin_list(&w);
        list_for_each (port, &c->ports) {
                json_begin_map(&w);
                json_add_string_if(&w, "name", port->name);
                if (port->host_port)
                        json_add_int(&w, "hostPort", port->host_port);
                json_add_int(&w, "containerPort", port->container_port);
                json_add_string(&w, "protocol", protocols[port->protocol]);
                json_add_string_if(&w, "hostIP", port->host_ip);
                json_end_map(&w);
        }
        json_end_list(&w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

static const char *handler_json(struct arena *arena, const struct pod_handler *handler) {
        struct json_writer w = JSON_WRITER_INIT;
        _cleanup_free_ char *text = NULL;

        pod_handler_write(handler, &w);
        return json_writer_finish(&w, &text, NULL) < 0 ? NULL : arena_strdup(arena, text);
}

static uint32_t fnv1a(uint32_t hash, const char *text) {
        for (const char *p = text; *p; p++)
                hash = (hash ^ (unsigned char)*p) * 16777619u;
        return hash;
}

/* As kubelet's HashContainer(): FNV-1a of how Go prints the bytes of the JSON of image and name. */
static const char *hash_text(struct arena *arena, const struct member *m) {
        const char *json = arena_printf(arena, "{\"image\":\"%s\",\"name\":\"%s\"}", m->spec->image, m->spec->name);
        uint32_t hash = fnv1a(2166136261u, "([]uint8)[");
        char number[8];

        for (const char *p = json ?: ""; *p; p++) {
                snprintf(number, sizeof(number), p == json ? "%u" : " %u", (unsigned char)*p);
                hash = fnv1a(hash, number);
        }
        return arena_printf(arena, "%x", fnv1a(hash, "]"));
}

static void set_container_labels(struct arena *arena, const struct member *m, uint32_t attempt,
                                 Cri__ContainerConfig *config) {
        const struct pod *pod = m->worker->pod;
        struct pairs labels = pairs_new(arena, &cri__container_config__labels_entry__descriptor, 4);
        struct pairs notes = pairs_new(arena, &cri__container_config__annotations_entry__descriptor, 8);

        add_pair(&labels, "io.kubernetes.container.name", m->spec->name);
        add_pair(&labels, "io.kubernetes.pod.name", pod->metadata.name);
        add_pair(&labels, "io.kubernetes.pod.namespace", pod->metadata.namespace);
        add_pair(&labels, "io.kubernetes.pod.uid", pod->metadata.uid);
        add_pair(&notes, "io.kubernetes.container.hash", hash_text(arena, m));
        add_pair(&notes, "io.kubernetes.container.restartCount", arena_printf(arena, "%u", attempt));
        add_pair(&notes, "io.kubernetes.container.terminationMessagePath", m->spec->termination_message_path);
        add_pair(&notes, "io.kubernetes.container.terminationMessagePolicy",
                 m->spec->termination_message_policy == MESSAGE_FALLBACK_TO_LOGS ? "FallbackToLogsOnError" : "File");
        if (pod->spec.termination_grace_period.set)
                add_pair(&notes, "io.kubernetes.pod.terminationGracePeriod",
                         arena_printf(arena, "%lld", (long long)pod->spec.termination_grace_period.value));
        if (m->spec->lifecycle && m->spec->lifecycle->pre_stop)
                add_pair(&notes, "io.kubernetes.container.preStopHandler",
                         handler_json(arena, m->spec->lifecycle->pre_stop));
        if (m->spec->ports.count)
                add_pair(&notes, "io.kubernetes.container.ports", ports_json(arena, m->spec));
        config->labels = (void *)labels.items;
        config->n_labels = labels.n;
        config->annotations = (void *)notes.items;
        config->n_annotations = notes.n;
}

static Cri__MountPropagation propagation(enum pod_propagation p) {
        return p == PROPAGATION_BIDIRECTIONAL     ? CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL :
               p == PROPAGATION_HOST_TO_CONTAINER ? CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER :
                                                    CRI__MOUNT_PROPAGATION__PROPAGATION_PRIVATE;
}

static Cri__Mount *make_mount(struct arena *arena, const struct member *m, const struct pod_volume_mount *wanted,
                              size_t index) {
        const struct pod_volume *volume = pod_find_volume(m->worker->pod, wanted->name);
        Cri__Mount *mount = NEW(arena, Cri__Mount, cri__mount__init);
        bool sub = (wanted->sub_path && wanted->sub_path[0]) || (wanted->sub_path_expr && wanted->sub_path_expr[0]);

        if (!mount || !volume)
                return NULL;
        mount->container_path = (char *)wanted->mount_path;
        if (wanted->mount_path[0] != '/')
                mount->container_path = arena_printf(arena, "/%s", wanted->mount_path);
        mount->readonly = wanted->read_only || volume->image || volume->downward_api || volume->projected;
        mount->recursive_read_only =
                wanted->recursive_read_only == RRO_ENABLED || wanted->recursive_read_only == RRO_IF_POSSIBLE;
        mount->propagation = propagation(wanted->mount_propagation);
        if (volume->image) {
                mount->image = NEW(arena, Cri__ImageSpec, cri__image_spec__init);
                if (!mount->image)
                        return NULL;
                mount->image->image = (char *)volume->image->reference;
                if (wanted->sub_path)
                        mount->image_sub_path = (char *)wanted->sub_path;
                return mount;
        }
        mount->host_path = (char *)(sub ? pod_files_subpath(arena, m, wanted->name, index) :
                                          pod_files_volume(arena, m->worker, volume));
        if (!request_mappings(arena, m->worker, &mount->uidmappings, &mount->n_uidmappings) ||
            !request_mappings(arena, m->worker, &mount->gidmappings, &mount->n_gidmappings))
                return NULL;
        return mount->host_path && mount->container_path ? mount : NULL;
}

static bool add_file_mount(struct arena *arena, const struct worker *w, Cri__ContainerConfig *config, const char *host,
                           const char *path) {
        Cri__Mount *mount = NEW(arena, Cri__Mount, cri__mount__init);

        if (!mount || !host || !request_mappings(arena, w, &mount->uidmappings, &mount->n_uidmappings) ||
            !request_mappings(arena, w, &mount->gidmappings, &mount->n_gidmappings))
                return false;
        mount->host_path = (char *)host;
        mount->container_path = (char *)path;
        config->mounts[config->n_mounts++] = mount;
        return true;
}

static bool set_mounts(struct arena *arena, const struct member *m, uint32_t attempt, Cri__ContainerConfig *config) {
        bool own_hosts = false;
        size_t index = 0;

        config->mounts = arena_alloc_array(arena, m->spec->volume_mounts.count + 2, sizeof(*config->mounts));
        if (!config->mounts)
                return false;
        list_for_each (wanted, &m->spec->volume_mounts) {
                Cri__Mount *mount = make_mount(arena, m, wanted, index++);

                if (!mount)
                        return false;
                own_hosts |= strcmp(mount->container_path, "/etc/hosts") == 0;
                config->mounts[config->n_mounts++] = mount;
        }
        if (!own_hosts &&
            !add_file_mount(arena, m->worker, config, pod_files_path(arena, m->worker, "etc-hosts"), "/etc/hosts"))
                return false;
        if (m->spec->termination_message_path && m->spec->termination_message_path[0] &&
            !add_file_mount(arena, m->worker, config, pod_files_message(arena, m, attempt),
                            m->spec->termination_message_path))
                return false;
        return true;
}

static Cri__LinuxContainerResources *make_resources(struct arena *arena, const struct member *m) {
        Cri__LinuxContainerResources *r =
                NEW(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);
        const struct pod *pod = m->worker->pod;
        struct quantity amount;
        int64_t milli = 0;

        if (!r)
                return NULL;
        r->cpu_period = POD_CPU_PERIOD_DEFAULT;
        if (pod_container_bound(pod, m->spec, "cpu", &amount)) {
                milli = quantity_milli(amount);
                r->cpu_quota = pod_cpu_quota(milli, POD_CPU_PERIOD_DEFAULT);
        }
        if (pod_container_request(m->spec, "cpu", &amount))
                milli = quantity_milli(amount);
        r->cpu_shares = (int64_t)pod_cpu_shares(milli);
        if (pod_container_bound(pod, m->spec, "memory", &amount)) {
                r->memory_limit_in_bytes = quantity_units(amount);
                r->memory_swap_limit_in_bytes = r->memory_limit_in_bytes; /* of both together: no swap */
        }
        r->oom_score_adj = pod_oom_score_adj(pod, m->spec, m->worker->node->memory_bytes);
        r->hugepage_limits = arena_alloc_array(arena, m->spec->resources.limits.count + 1, sizeof(*r->hugepage_limits));
        list_for_each (limit, &m->spec->resources.limits) {
                Cri__HugepageLimit *page;

                if (strncmp(limit->name, "hugepages-", 10) != 0)
                        continue;
                if (!(page = NEW(arena, Cri__HugepageLimit, cri__hugepage_limit__init)) || !r->hugepage_limits)
                        return NULL;
                /* "hugepages-2Mi" is "2MB" for the kernel. */
                page->page_size = arena_printf(arena, "%.*sB", (int)strlen(limit->name + 10) - 1, limit->name + 10);
                page->limit = (uint64_t)quantity_units(limit->amount);
                r->hugepage_limits[r->n_hugepage_limits++] = page;
        }
        return r;
}

static int set_environment(struct arena *arena, const struct member *m, Cri__ContainerConfig *config,
                           struct err **err) {
        struct pod_files *files = pod_files_new(arena, m->worker);
        string_list command = { 0 }, args = { 0 };
        string_map environment = { 0 };
        int r;

        if (!files)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = pod_environment(arena, m->worker->pod, m->spec, &files->facts, &environment, err)) < 0 ||
            (r = env_expand_list(arena, &m->spec->command, &environment, &command)) < 0 ||
            (r = env_expand_list(arena, &m->spec->args, &environment, &args)) < 0)
                return r;
        config->command = (char **)command.items;
        config->n_command = command.count;
        config->args = (char **)args.items;
        config->n_args = args.count;
        config->envs = arena_alloc_array(arena, environment.count + 1, sizeof(*config->envs));
        list_for_each (variable, &environment) {
                Cri__KeyValue *pair = NEW(arena, Cri__KeyValue, cri__key_value__init);

                if (!pair || !config->envs)
                        return err_set(err, ENOMEM, "out of memory");
                pair->key = (char *)variable->key;
                pair->value.data = (uint8_t *)variable->value;
                pair->value.len = strlen(variable->value);
                config->envs[config->n_envs++] = pair;
        }
        return 0;
}

static Cri__Signal stop_signal(const struct pod_container *c) {
        const ProtobufCEnumValue *value = c->lifecycle && c->lifecycle->stop_signal ?
                                                  protobuf_c_enum_descriptor_get_value_by_name(
                                                          &cri__signal__descriptor, c->lifecycle->stop_signal) :
                                                  NULL;

        return value ? (Cri__Signal)value->value : CRI__SIGNAL__RUNTIME_DEFAULT;
}

Cri__ContainerConfig *request_container(struct arena *arena, const struct member *m, struct err **err) {
        Cri__ContainerConfig *config = NEW(arena, Cri__ContainerConfig, cri__container_config__init);
        Cri__ContainerMetadata *metadata = NEW(arena, Cri__ContainerMetadata, cri__container_metadata__init);
        Cri__LinuxContainerConfig *linux_config =
                NEW(arena, Cri__LinuxContainerConfig, cri__linux_container_config__init);
        Cri__ImageSpec *image = NEW(arena, Cri__ImageSpec, cri__image_spec__init);
        uint32_t attempt = m->id ? m->restarts + 1 : m->restarts;

        if (!config || !metadata || !linux_config || !image)
                return no_memory(err);
        metadata->name = (char *)m->spec->name;
        metadata->attempt = attempt;
        config->metadata = metadata;
        image->image = (char *)(m->image_id ? m->image_id : m->spec->image);
        image->user_specified_image = (char *)m->spec->image;
        config->image = image;
        config->working_dir = (char *)(m->spec->working_dir ? m->spec->working_dir : "");
        config->log_path = arena_printf(arena, "%s/%u.log", m->spec->name, attempt);
        config->stdin = m->spec->stdin_open;
        config->stdin_once = m->spec->stdin_once;
        config->tty = m->spec->tty;
        config->stop_signal = stop_signal(m->spec);
        config->linux = linux_config;
        linux_config->resources = make_resources(arena, m);
        linux_config->security_context = request_container_security(arena, m);
        set_container_labels(arena, m, attempt, config);
        if (set_environment(arena, m, config, err) < 0)
                return NULL;
        if (!config->log_path || !linux_config->resources || !linux_config->security_context ||
            !set_mounts(arena, m, attempt, config))
                return no_memory(err);
        return config;
}
