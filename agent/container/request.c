/* A container as CRI's message: what kubelet's generateContainerConfig() makes of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/request_internal.h"
#include "kube/pod/env.h"
#include "kube/pod/resources.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static bool set_hugepages(struct arena *arena, const struct member *m, Cri__LinuxContainerResources *r) {
        r->hugepage_limits = arena_alloc_array(arena, m->spec->resources.limits.count + 1, sizeof(*r->hugepage_limits));
        if (!r->hugepage_limits)
                return false;
        list_for_each (limit, &m->spec->resources.limits) {
                Cri__HugepageLimit *page;

                if (strncmp(limit->name, "hugepages-", 10) != 0)
                        continue;
                if (!(page = arena_new_message(arena, Cri__HugepageLimit, cri__hugepage_limit__init)))
                        return false;
                /* "hugepages-2Mi" is "2MB" for the kernel. */
                page->page_size = arena_printf(arena, "%.*sB", (int)strlen(limit->name + 10) - 1, limit->name + 10);
                if (!page->page_size)
                        return false;
                page->limit = (uint64_t)quantity_units(limit->amount);
                r->hugepage_limits[r->n_hugepage_limits++] = page;
        }
        return true;
}

Cri__LinuxContainerResources *member_request_resources(struct arena *arena, const struct member *m,
                                                       const struct pod_container_size *size) {
        Cri__LinuxContainerResources *r =
                arena_new_message(arena, Cri__LinuxContainerResources, cri__linux_container_resources__init);

        if (!r)
                return NULL;
        r->cpu_period = POD_CPU_PERIOD_DEFAULT;
        r->cpu_quota = pod_cpu_quota(size->cpu_limit, POD_CPU_PERIOD_DEFAULT);
        r->cpu_shares = (int64_t)pod_cpu_shares(size->cpu_request ?: size->cpu_limit);
        r->memory_limit_in_bytes = size->memory_limit;
        r->memory_swap_limit_in_bytes = size->memory_limit; /* of both together: no swap */
        r->oom_score_adj = pod_oom_score_adj(m->host->pod, m->spec, m->host->world->memory_bytes);
        return set_hugepages(arena, m, r) ? r : NULL;
}

/* Those on which it runs; an exclusive one is held to no quota (kubelet's DisableCPUQuotaWithExclusiveCPUs). */
static void set_cpus(const struct node_grant *grant, Cri__LinuxContainerResources *r) {
        if (grant->cpus)
                r->cpuset_cpus = (char *)grant->cpus;
        if (grant->exclusive)
                r->cpu_quota = -1;
}

int member_environment(struct arena *arena, const struct member *m, struct pod_files *files,
                       string_map *ret_environment, struct err **err) {
        int r = pod_files_take_services(arena, m->host->world, files, err);

        return r < 0 ? r : pod_environment(arena, m->host->pod, m->spec, &files->facts, ret_environment, err);
}

static bool add_variable(struct arena *arena, const struct string_pair *variable, Cri__ContainerConfig *config) {
        Cri__KeyValue *pair = arena_new_message(arena, Cri__KeyValue, cri__key_value__init);

        if (!pair)
                return false;
        pair->key = (char *)variable->key;
        pair->value.data = (uint8_t *)variable->value;
        pair->value.len = strlen(variable->value);
        config->envs[config->n_envs++] = pair;
        return true;
}

/* What device plugins give comes first: what the pod says outranks it. */
static bool add_variables(struct arena *arena, const struct node_grant *grant, const string_map *environment,
                          Cri__ContainerConfig *config) {
        size_t n = grant->environment.count + environment->count;

        if (!(config->envs = arena_alloc_array(arena, n + 1, sizeof(*config->envs))))
                return false;
        list_for_each (variable, &grant->environment)
                if (!string_map_get(environment, variable->key) && !add_variable(arena, variable, config))
                        return false;
        list_for_each (variable, environment)
                if (!add_variable(arena, variable, config))
                        return false;
        return true;
}

static int set_environment(struct arena *arena, const struct member *m, const struct node_grant *grant,
                           Cri__ContainerConfig *config, string_map *ret_environment, struct err **err) {
        struct pod_files *files = pod_files_new(arena, m->host->world, m->host->pod, &m->host->sandbox->addresses);
        string_list command = { 0 }, args = { 0 };
        string_map environment = { 0 };
        int r;

        if (!files)
                return err_set(err, ENOMEM, "out of memory");
        if ((r = member_environment(arena, m, files, &environment, err)) < 0)
                return r;
        if ((r = env_expand_list(arena, &m->spec->command, &environment, &command)) < 0 ||
            (r = env_expand_list(arena, &m->spec->args, &environment, &args)) < 0)
                return err_set(err, -r,
                               "command and arguments with their variables: out of memory, one is longer than %zu "
                               "bytes, or all are longer than %zu",
                               ENV_VALUE_MAX, ENV_TOTAL_MAX);
        config->command = (char **)command.items;
        config->n_command = command.count;
        config->args = (char **)args.items;
        config->n_args = args.count;
        if (!add_variables(arena, grant, &environment, config))
                return err_set(err, ENOMEM, "out of memory");
        *ret_environment = environment;
        return 0;
}

static Cri__Signal stop_signal(const struct kube_container *c) {
        const ProtobufCEnumValue *value = c->lifecycle && c->lifecycle->stop_signal ?
                                                  protobuf_c_enum_descriptor_get_value_by_name(
                                                          &cri__signal__descriptor, c->lifecycle->stop_signal) :
                                                  NULL;

        return value ? (Cri__Signal)value->value : CRI__SIGNAL__RUNTIME_DEFAULT;
}

static bool set_identity(struct arena *arena, const struct member *m, Cri__ContainerConfig *config) {
        Cri__ContainerMetadata *metadata =
                arena_new_message(arena, Cri__ContainerMetadata, cri__container_metadata__init);
        Cri__ImageSpec *image = arena_new_message(arena, Cri__ImageSpec, cri__image_spec__init);

        if (!metadata || !image)
                return false;
        metadata->name = (char *)m->spec->name;
        metadata->attempt = member_next_attempt(m);
        image->image = arena_strdup(arena, m->image_id ?: m->spec->image);
        image->user_specified_image = (char *)m->spec->image;
        config->metadata = metadata;
        config->image = image;
        config->log_path = arena_printf(arena, "%s/%u.log", m->spec->name, metadata->attempt);
        return image->image && config->log_path;
}

static bool set_linux(struct arena *arena, const struct member *m, const struct node_grant *grant,
                      Cri__ContainerConfig *config) {
        const struct pod_container_size size = member_wanted_size(m);

        config->linux = arena_new_message(arena, Cri__LinuxContainerConfig, cri__linux_container_config__init);
        if (!config->linux || !(config->linux->resources = member_request_resources(arena, m, &size)))
                return false;
        set_cpus(grant, config->linux->resources);
        return (config->linux->security_context = member_request_security(arena, m));
}

/* The container whose processes an ephemeral one is to see; NULL: none. */
static const char *target_of(const struct member *m) {
        list_for_each (ephemeral, &m->host->pod->spec.ephemeral_containers)
                if (m->role == MEMBER_EPHEMERAL && &ephemeral->container == m->spec && ephemeral->target_container_name)
                        return ephemeral->target_container_name[0] ? ephemeral->target_container_name : NULL;
        return NULL;
}

/* kubelet's namespacesForPod() of a container with a target. */
static bool set_target(struct arena *arena, const struct member *m, Cri__ContainerConfig *config) {
        Cri__NamespaceOption *namespaces = config->linux->security_context->namespace_options;
        const char *target = target_of(m);

        if (!target)
                return true;
        namespaces->pid = CRI__NAMESPACE_MODE__TARGET;
        return (namespaces->target_id = arena_strdup(arena, m->host->ops->running(m->host->data, target)));
}

Cri__ContainerConfig *member_request(struct arena *arena, const struct member *m, struct err **err) {
        Cri__ContainerConfig *config = arena_new_message(arena, Cri__ContainerConfig, cri__container_config__init);
        const char *target = target_of(m);
        string_map environment = { 0 };
        struct node_grant grant = { 0 };

        if (node_grant(m->host->world, m->host->pod, m->spec->name, arena, &grant, err) < 0)
                return NULL;
        if (target && !m->host->ops->running(m->host->data, target)) {
                err_set(err, ENOENT, "unable to find target container %s", target);
                return NULL;
        }
        if (!config || !set_identity(arena, m, config) || !set_linux(arena, m, &grant, config) ||
            !set_target(arena, m, config) || !member_request_labels(arena, m, &grant, config) ||
            !member_request_devices(arena, &grant, config)) {
                err_set(err, ENOMEM, "out of memory");
                return NULL;
        }
        config->working_dir = (char *)(m->spec->working_dir ?: "");
        config->stdin = m->spec->stdin;
        config->stdin_once = m->spec->stdin_once;
        config->tty = m->spec->tty;
        config->stop_signal = stop_signal(m->spec);
        if (set_environment(arena, m, &grant, config, &environment, err) < 0 ||
            member_request_mounts(arena, m, &grant, &environment, config, err) < 0)
                return NULL;
        return config;
}
