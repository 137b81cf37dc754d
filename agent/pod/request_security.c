#include "agent/pod/request_security.h"

#include <string.h>

#include "agent/config/options.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define NEW(arena, type, init)                                                                                         \
        ({                                                                                                             \
                type *_message = arena_new_of((arena), type);                                                          \
                if (_message)                                                                                          \
                        init(_message);                                                                                \
                _message;                                                                                              \
        })

/* What /proc and /sys hide, and what of them is read-only, with procMount Default: the lists that kubelet sends. */
static const char *const masked_paths[] = {
        "/proc/asound",      "/proc/acpi",          "/proc/interrupts", "/proc/kcore",
        "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

bool request_mappings(struct arena *arena, const struct worker *w, Cri__IDMapping ***ret_list, size_t *ret_n) {
        Cri__IDMapping *mapping, **list;

        *ret_n = 0;
        *ret_list = NULL;
        if (w->userns < 0)
                return true;
        mapping = NEW(arena, Cri__IDMapping, cri__idmapping__init);
        list = arena_alloc(arena, sizeof(*list));
        if (!mapping || !list)
                return false;
        mapping->host_id = (uint32_t)(w->userns + 1) * WORKER_USERNS_IDS;
        mapping->length = WORKER_USERNS_IDS;
        list[0] = mapping;
        *ret_list = list;
        *ret_n = 1;
        return true;
}

static Cri__UserNamespace *users(struct arena *arena, const struct worker *w) {
        Cri__UserNamespace *u = NEW(arena, Cri__UserNamespace, cri__user_namespace__init);

        if (!u || !request_mappings(arena, w, &u->uids, &u->n_uids) ||
            !request_mappings(arena, w, &u->gids, &u->n_gids))
                return NULL;
        u->mode = w->userns < 0 ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        return u;
}

static Cri__NamespaceOption *namespaces(struct arena *arena, const struct worker *w) {
        const struct pod *pod = w->pod;
        Cri__NamespaceOption *o = NEW(arena, Cri__NamespaceOption, cri__namespace_option__init);

        if (!o || !(o->userns_options = users(arena, w)))
                return NULL;
        o->network = pod->spec.host_network ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        o->ipc = pod->spec.host_ipc ? CRI__NAMESPACE_MODE__NODE : CRI__NAMESPACE_MODE__POD;
        o->pid = pod->spec.host_pid                            ? CRI__NAMESPACE_MODE__NODE :
                 pod->spec.share_process_namespace == TRI_TRUE ? CRI__NAMESPACE_MODE__POD :
                                                                 CRI__NAMESPACE_MODE__CONTAINER;
        return o;
}

static Cri__Int64Value *number(struct arena *arena, const struct opt_int *value) {
        Cri__Int64Value *n = value && value->set ? NEW(arena, Cri__Int64Value, cri__int64_value__init) : NULL;

        if (n)
                n->value = value->value;
        return n;
}

static Cri__SecurityProfile *profile(struct arena *arena, const struct pod_profile *wanted, const char *dir,
                                     Cri__SecurityProfile__ProfileType unset) {
        Cri__SecurityProfile *p = NEW(arena, Cri__SecurityProfile, cri__security_profile__init);

        if (!p)
                return NULL;
        p->profile_type = unset;
        if (wanted && wanted->type == PROFILE_RUNTIME_DEFAULT)
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
        else if (wanted && wanted->type == PROFILE_UNCONFINED)
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
        else if (wanted && wanted->type == PROFILE_LOCALHOST && wanted->localhost_profile) {
                p->profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
                p->localhost_ref = dir ? arena_printf(arena, "%s/%s", dir, wanted->localhost_profile) :
                                         (char *)wanted->localhost_profile;
        }
        return p;
}

/* The pod's fsGroup and its supplemental groups. */
static int64_t *groups(struct arena *arena, const struct pod_security *security, size_t *ret_n) {
        size_t n = 0;
        int64_t *list =
                security ? arena_alloc_array(arena, security->supplemental_groups.count + 1, sizeof(*list)) : NULL;

        if (!list)
                return NULL;
        if (security->fs_group.set)
                list[n++] = security->fs_group.value;
        list_for_each (group, &security->supplemental_groups)
                list[n++] = *group;
        *ret_n = n;
        return list;
}

static bool any_privileged(const struct pod *pod) {
        const pod_container_list *lists[] = { &pod->spec.init_containers, &pod->spec.containers };

        for (size_t l = 0; l < ELEMENTS(lists); l++)
                list_for_each (c, lists[l])
                        if (c->security && c->security->privileged == TRI_TRUE)
                                return true;
        return false;
}

static Cri__SupplementalGroupsPolicy groups_policy(const struct pod_security *security) {
        return security && security->supplemental_groups_policy == GROUPS_STRICT ?
                       CRI__SUPPLEMENTAL_GROUPS_POLICY__Strict :
                       CRI__SUPPLEMENTAL_GROUPS_POLICY__Merge;
}

Cri__LinuxSandboxSecurityContext *request_sandbox_security(struct arena *arena, const struct worker *w) {
        const struct pod *pod = w->pod;
        Cri__LinuxSandboxSecurityContext *s =
                NEW(arena, Cri__LinuxSandboxSecurityContext, cri__linux_sandbox_security_context__init);
        const struct pod_security *security = pod->spec.security;

        if (!s || !(s->namespace_options = namespaces(arena, w)))
                return NULL;
        s->privileged = any_privileged(pod);
        /* kubelet runs every sandbox confined, whatever its containers have. */
        s->seccomp = profile(arena, NULL, NULL, CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
        if (security) {
                s->run_as_user = number(arena, &security->run_as_user);
                s->run_as_group = number(arena, &security->run_as_group);
                s->supplemental_groups = groups(arena, security, &s->n_supplemental_groups);
                s->supplemental_groups_policy = groups_policy(security);
        }
        return s;
}

static void set_user(struct arena *arena, const struct member *m, Cri__LinuxContainerSecurityContext *s) {
        const struct pod_container_security *own = m->spec->security;
        const struct pod_security *shared = m->worker->pod->spec.security;

        s->run_as_user = number(arena, own && own->run_as_user.set ? &own->run_as_user :
                                       shared                      ? &shared->run_as_user :
                                                                     NULL);
        s->run_as_group = number(arena, own && own->run_as_group.set ? &own->run_as_group :
                                        shared                       ? &shared->run_as_group :
                                                                       NULL);
        if (s->run_as_user)
                return;
        if (m->image_user)
                s->run_as_username = arena_strdup(arena, m->image_user);
        else
                s->run_as_user = number(arena, &(struct opt_int){ .set = true, .value = m->image_uid });
}

static Cri__Capability *capabilities(struct arena *arena, const struct pod_capabilities *wanted) {
        Cri__Capability *c = NEW(arena, Cri__Capability, cri__capability__init);

        if (!c)
                return NULL;
        c->add_capabilities = (char **)wanted->add.items;
        c->n_add_capabilities = wanted->add.count;
        c->drop_capabilities = (char **)wanted->drop.items;
        c->n_drop_capabilities = wanted->drop.count;
        return c;
}

static Cri__SELinuxOption *selinux(struct arena *arena, const struct pod_selinux *wanted) {
        Cri__SELinuxOption *o = wanted ? NEW(arena, Cri__SELinuxOption, cri__selinux_option__init) : NULL;

        if (!o)
                return NULL;
        if (wanted->user)
                o->user = (char *)wanted->user;
        if (wanted->role)
                o->role = (char *)wanted->role;
        if (wanted->type)
                o->type = (char *)wanted->type;
        if (wanted->level)
                o->level = (char *)wanted->level;
        return o;
}

static void set_own(struct arena *arena, const struct pod_container_security *own,
                    Cri__LinuxContainerSecurityContext *s) {
        s->privileged = own->privileged == TRI_TRUE;
        s->readonly_rootfs = own->read_only_root_filesystem == TRI_TRUE;
        s->no_new_privs = own->allow_privilege_escalation == TRI_FALSE;
        if (own->capabilities)
                s->capabilities = capabilities(arena, own->capabilities);
}

Cri__LinuxContainerSecurityContext *request_container_security(struct arena *arena, const struct member *m) {
        Cri__LinuxContainerSecurityContext *s =
                NEW(arena, Cri__LinuxContainerSecurityContext, cri__linux_container_security_context__init);
        const struct pod_container_security *own = m->spec->security;
        const struct pod_security *shared = m->worker->pod->spec.security;

        if (!s || !(s->namespace_options = namespaces(arena, m->worker)))
                return NULL;
        if (own)
                set_own(arena, own, s);
        set_user(arena, m, s);
        if (shared) {
                s->supplemental_groups = groups(arena, shared, &s->n_supplemental_groups);
                s->supplemental_groups_policy = groups_policy(shared);
        }
        s->selinux_options = selinux(arena, own && own->selinux ? own->selinux : shared ? shared->selinux : NULL);
        s->seccomp = profile(arena,
                             own && own->seccomp ? own->seccomp :
                             shared              ? shared->seccomp :
                                                   NULL,
                             m->worker->node->options->seccomp_dir, CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined);
        if ((own && own->apparmor) || (shared && shared->apparmor))
                s->apparmor = profile(arena, own && own->apparmor ? own->apparmor : shared->apparmor, NULL,
                                      CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
        if (!own || own->proc_mount != PROC_MOUNT_UNMASKED) {
                s->masked_paths = (char **)masked_paths;
                s->n_masked_paths = ELEMENTS(masked_paths);
                s->readonly_paths = (char **)readonly_paths;
                s->n_readonly_paths = ELEMENTS(readonly_paths);
        }
        return s;
}
