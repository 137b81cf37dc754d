/* A container's securityContext as CRI has it (kubelet's kuberuntime/security_context.go). */
#include <string.h>

#include "agent/config/options.h"
#include "agent/container/request_internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

/* What /proc and /sys hide, and what of them is read-only, with procMount Default: the lists that kubelet sends. */
static const char *const masked_paths[] = {
        "/proc/asound",      "/proc/acpi",          "/proc/interrupts", "/proc/kcore",
        "/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi",          "/sys/firmware",    "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* The user that the manifest names, else the image's. */
static bool set_user(struct arena *arena, const struct member *m, Cri__LinuxContainerSecurityContext *s) {
        const struct kube_security_context *own = m->spec->security_context;
        const struct kube_pod_security_context *shared = m->host->pod->spec.security_context;
        const struct opt_int of_image = { .set = true, .value = m->image_uid };

        if (!request_number(arena,
                            own && own->run_as_user.set ? &own->run_as_user :
                            shared                      ? &shared->run_as_user :
                                                          NULL,
                            &s->run_as_user) ||
            !request_number(arena,
                            own && own->run_as_group.set ? &own->run_as_group :
                            shared                       ? &shared->run_as_group :
                                                           NULL,
                            &s->run_as_group))
                return false;
        if (s->run_as_user)
                return true;
        if (m->image_user)
                return (s->run_as_username = arena_strdup(arena, m->image_user));
        return request_number(arena, &of_image, &s->run_as_user);
}

static Cri__Capability *capabilities(struct arena *arena, const struct kube_capabilities *wanted) {
        Cri__Capability *c = arena_new_message(arena, Cri__Capability, cri__capability__init);

        if (!c)
                return NULL;
        c->add_capabilities = (char **)wanted->add.items;
        c->n_add_capabilities = wanted->add.count;
        c->drop_capabilities = (char **)wanted->drop.items;
        c->n_drop_capabilities = wanted->drop.count;
        return c;
}

static Cri__SELinuxOption *selinux(struct arena *arena, const struct kube_se_linux_options *wanted) {
        Cri__SELinuxOption *o = arena_new_message(arena, Cri__SELinuxOption, cri__selinux_option__init);

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

static bool set_own(struct arena *arena, const struct kube_security_context *own,
                    Cri__LinuxContainerSecurityContext *s) {
        s->privileged = own->privileged == TRI_TRUE;
        s->readonly_rootfs = own->read_only_root_filesystem == TRI_TRUE;
        s->no_new_privs = own->allow_privilege_escalation == TRI_FALSE;
        return !own->capabilities || (s->capabilities = capabilities(arena, own->capabilities));
}

static bool set_groups(struct arena *arena, const struct kube_pod_security_context *shared,
                       Cri__LinuxContainerSecurityContext *s) {
        s->supplemental_groups_policy = request_groups_policy(shared);
        return request_groups(arena, shared, &s->supplemental_groups, &s->n_supplemental_groups);
}

/* The container's own profiles and labels, else the pod's. */
static bool set_confinement(struct arena *arena, const struct member *m, Cri__LinuxContainerSecurityContext *s) {
        const struct kube_security_context *own = m->spec->security_context;
        const struct kube_pod_security_context *shared = m->host->pod->spec.security_context;
        const struct kube_se_linux_options *label = own && own->se_linux_options ? own->se_linux_options :
                                                    shared                       ? shared->se_linux_options :
                                                                                   NULL;
        const struct kube_seccomp_profile *seccomp = own && own->seccomp_profile ? own->seccomp_profile :
                                                     shared                      ? shared->seccomp_profile :
                                                                                   NULL;
        const struct kube_app_armor_profile *apparmor = own && own->app_armor_profile ? own->app_armor_profile :
                                                        shared                        ? shared->app_armor_profile :
                                                                                        NULL;

        if (label && !(s->selinux_options = selinux(arena, label)))
                return false;
        if (apparmor && !(s->apparmor = request_profile(arena, POD_PROFILE(apparmor), NULL,
                                                        CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault)))
                return false;
        return (s->seccomp = request_profile(arena, POD_PROFILE(seccomp), m->host->world->options->seccomp_dir,
                                             CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined));
}

Cri__LinuxContainerSecurityContext *member_request_security(struct arena *arena, const struct member *m) {
        Cri__LinuxContainerSecurityContext *s = arena_new_message(arena, Cri__LinuxContainerSecurityContext,
                                                                  cri__linux_container_security_context__init);
        const struct kube_security_context *own = m->spec->security_context;
        const struct kube_pod_security_context *shared = m->host->pod->spec.security_context;

        if (!s || !(s->namespace_options = request_namespaces(arena, m->host->pod, m->host->sandbox->userns)) ||
            (own && !set_own(arena, own, s)) || !set_user(arena, m, s) || (shared && !set_groups(arena, shared, s)) ||
            !set_confinement(arena, m, s))
                return NULL;
        if (!own || !kube_is(own->proc_mount, "Unmasked")) {
                s->masked_paths = (char **)masked_paths;
                s->n_masked_paths = ELEMENTS(masked_paths);
                s->readonly_paths = (char **)readonly_paths;
                s->n_readonly_paths = ELEMENTS(readonly_paths);
        }
        return s;
}
