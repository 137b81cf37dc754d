#include <stdio.h>
#include <string.h>

#include "kube/check/check.h"
#include "kube/names.h"

#define SYSCTL_SEGMENT "abcdefghijklmnopqrstuvwxyz0123456789-_"

/* Those of a profile's type, of seccomp or AppArmor; @given: there is one. */
static void check_profile(struct check *c, const char *child, bool given, struct pod_profile profile,
                          const char *kind) {
        static const char *const types[] = { "Localhost", "RuntimeDefault", "Unconfined", NULL };
        bool local = kube_is(profile.type, "Localhost");
        size_t before;
        char text[80];

        if (!given)
                return;
        before = TRAIL_ENTER(c, "%s", child);
        if (!profile.type)
                check_required(c, ".type", "type is required when the profile is set");
        check_choice(c, ".type", profile.type, types);
        if (local && (!profile.localhost_profile || !profile.localhost_profile[0])) {
                snprintf(text, sizeof(text), "must be set when %s type is Localhost", kind);
                check_required(c, ".localhostProfile", text);
        } else if (!local && profile.localhost_profile) {
                snprintf(text, sizeof(text), "can only be set when %s type is Localhost", kind);
                check_invalid(c, ".localhostProfile", profile.localhost_profile, text);
        } else if (profile.localhost_profile && strcmp(kind, "seccomp") == 0) {
                check_relative(c, ".localhostProfile", profile.localhost_profile);
        }
        TRAIL_LEAVE(c, before);
}

/* What of a Windows container's options is a name. */
static void check_windows(struct check *c, const struct kube_windows_security_context_options *options) {
        if (!options)
                return;
        check_no_effect(c, ".windowsOptions", options);
        check_name_if(c, ".windowsOptions.gmsaCredentialSpecName", NAME_SUBDOMAIN, options->gmsa_credential_spec_name);
        if (options->gmsa_credential_spec && !options->gmsa_credential_spec[0])
                check_invalid(c, ".windowsOptions.gmsaCredentialSpec", "",
                              "gmsaCredentialSpec cannot be an empty string");
}

static void check_escalation(struct check *c, const struct kube_security_context *s) {
        if (s->privileged == TRI_TRUE)
                check_invalid(c, "", "", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        if (!s->capabilities)
                return;
        list_for_each (capability, &s->capabilities->add)
                if (strcmp(*capability, "CAP_SYS_ADMIN") == 0)
                        check_invalid(c, "", "",
                                      "cannot set `allowPrivilegeEscalation` to false and "
                                      "`capabilities.Add` CAP_SYS_ADMIN");
}

void check_container_security(struct check *c, const struct kube_security_context *s) {
        static const char *const proc_mounts[] = { "Default", "Unmasked", NULL };
        size_t before;

        if (!s)
                return;
        before = TRAIL_ENTER(c, ".securityContext");
        check_id(c, ".runAsUser", &s->run_as_user);
        check_id(c, ".runAsGroup", &s->run_as_group);
        if (kube_is(s->proc_mount, "Unmasked") && c->pod->spec.host_users != TRI_FALSE)
                check_invalid(c, ".procMount", "Unmasked", "`hostUsers` must be false to use `Unmasked`");
        check_profile(c, ".seccompProfile", s->seccomp_profile, POD_PROFILE(s->seccomp_profile), "seccomp");
        check_profile(c, ".appArmorProfile", s->app_armor_profile, POD_PROFILE(s->app_armor_profile), "AppArmor");
        check_choice(c, ".procMount", s->proc_mount, proc_mounts);
        check_windows(c, s->windows_options);
        if (s->allow_privilege_escalation == TRI_FALSE)
                check_escalation(c, s);
        TRAIL_LEAVE(c, before);
}

/* Segments of lower case letters, digits, "-" and "_", beginning and ending with a letter or digit, divided by "." or
 * "/". */
static bool is_sysctl_name(const char *name) {
        if (strlen(name) > SYSCTL_NAME_MAX)
                return false;
        for (;;) {
                size_t n = strspn(name, SYSCTL_SEGMENT);

                if (n == 0 || strchr("-_", name[0]) || strchr("-_", name[n - 1]))
                        return false;
                if (name[n] == '\0')
                        return true;
                if (name[n] != '.' && name[n] != '/')
                        return false;
                name += n + 1;
        }
}

/* A sysctl of a namespace that the pod shares with the host is the host's. */
static void check_host_sysctl(struct check *c, const char *name) {
        char dotted[SYSCTL_NAME_MAX + 1];

        sysctl_name(name, dotted);
        if (c->pod->spec.host_network && strncmp(dotted, "net.", 4) == 0)
                check_invalid(c, ".name", name, "may not be specified when 'hostNetwork' is true");
        if (c->pod->spec.host_ipc &&
            (strncmp(dotted, "kernel.shm", 10) == 0 || strncmp(dotted, "kernel.msg", 10) == 0 ||
             strcmp(dotted, "kernel.sem") == 0 || strncmp(dotted, "fs.mqueue.", 10) == 0))
                check_invalid(c, ".name", name, "may not be specified when 'hostIPC' is true");
}

static void check_sysctls(struct check *c, const struct kube_pod_security_context *s) {
        for (uint32_t i = 0; i < s->sysctls.count; i++) {
                const char *name = s->sysctls.items[i].name;
                size_t before = TRAIL_ENTER(c, ".sysctls[%u]", i);

                if (!name)
                        check_required(c, ".name", "");
                else if (!is_sysctl_name(name))
                        check_invalid(c, ".name", name,
                                      "must have at most 253 characters and match regex "
                                      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
                for (uint32_t j = 0; j < i && name; j++)
                        if (s->sysctls.items[j].name && strcmp(s->sysctls.items[j].name, name) == 0)
                                check_duplicate(c, ".name", name);
                if (name)
                        check_host_sysctl(c, name);
                TRAIL_LEAVE(c, before);
        }
}

void check_pod_security(struct check *c) {
        static const char *const group_changes[] = { "Always", "OnRootMismatch", NULL };
        static const char *const groups[] = { "Merge", "Strict", NULL };
        static const char *const label_changes[] = { "Recursive", NULL }; /* MountOption has a gate, which is closed */
        const struct kube_pod_spec *spec = &c->pod->spec;
        const struct kube_pod_security_context *s = spec->security_context;
        size_t before = TRAIL_ENTER(c, ".securityContext");

        check_id(c, ".fsGroup", &s->fs_group);
        check_id(c, ".runAsUser", &s->run_as_user);
        check_id(c, ".runAsGroup", &s->run_as_group);
        for (uint32_t i = 0; i < s->supplemental_groups.count; i++) {
                size_t inner = TRAIL_ENTER(c, ".supplementalGroups[%u]", i);

                check_id(c, "", &(struct opt_int){ s->supplemental_groups.items[i], true });
                TRAIL_LEAVE(c, inner);
        }
        check_sysctls(c, s);
        check_choice(c, ".fsGroupChangePolicy", s->fs_group_change_policy, group_changes);
        check_choice(c, ".supplementalGroupsPolicy", s->supplemental_groups_policy, groups);
        check_choice(c, ".seLinuxChangePolicy", s->se_linux_change_policy, label_changes);
        check_no_effect(c, ".seLinuxChangePolicy", s->se_linux_change_policy);
        check_windows(c, s->windows_options);
        check_profile(c, ".seccompProfile", s->seccomp_profile, POD_PROFILE(s->seccomp_profile), "seccomp");
        check_profile(c, ".appArmorProfile", s->app_armor_profile, POD_PROFILE(s->app_armor_profile), "AppArmor");
        TRAIL_LEAVE(c, before);
        if (spec->share_process_namespace == TRI_TRUE && spec->host_pid)
                check_invalid(c, ".shareProcessNamespace", "true",
                              "ShareProcessNamespace and HostPID cannot both be enabled");
}
