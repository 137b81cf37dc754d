/* Security contexts, of containers and pods; what Windows' and Linux' pods may not say. */
#include <string.h>

#include "kube/names.h"
#include "kube/validate/pod_rules.h"
#include "lib/utf8.h"

#define ID_MAX INT32_MAX
#define APPARMOR_PROFILE_MAX 4095 /* PATH_MAX - 1 */

static void check_id(struct validation *v, const struct place *at, const struct opt_int *id) {
        if (id->set)
                validate_range(v, at, id->value, 0, ID_MAX);
}

/* --- profiles --- */

#define PROFILE_TYPES POD_TEXTS("Localhost", "RuntimeDefault", "Unconfined")

static void check_seccomp(struct validation *v, const struct place *at, const struct kube_seccomp_profile *p) {
        const struct place *local = FIELD(at, "localhostProfile");

        if (!p)
                return;
        if (!p->type || !*p->type)
                validate_required(v, FIELD(at, "type"), "type is required when seccompProfile is set");
        else
                validate_choice(v, FIELD(at, "type"), p->type, PROFILE_TYPES);
        if (!kube_is(p->type, "Localhost")) {
                if (p->localhost_profile)
                        validate_invalid_json(v, local, validate_go_json(v, &kube_seccomp_profile_type, p),
                                              "can only be set when seccomp type is Localhost");
        } else if (!p->localhost_profile) {
                validate_required(v, local, "must be set when seccomp type is Localhost");
        } else {
                validate_relative(v, local, p->localhost_profile);
        }
}

static bool is_blank(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
}

static void check_local_apparmor(struct validation *v, const struct place *at, const char *profile) {
        size_t n = profile ? strlen(profile) : 0;

        if (n == 0)
                validate_required(v, at, "must be set when AppArmor type is Localhost");
        else if (is_blank(profile[0]) || is_blank(profile[n - 1]))
                validate_invalid(v, at, profile, "must not be padded with whitespace");
        if (n > APPARMOR_PROFILE_MAX)
                validate_too_long(v, at, APPARMOR_PROFILE_MAX);
}

static void check_apparmor(struct validation *v, const struct place *at, const struct kube_app_armor_profile *p) {
        const struct place *local = FIELD(at, "localhostProfile");

        if (!p)
                return;
        if (!p->type || !*p->type)
                validate_required(v, FIELD(at, "type"), "type is required when appArmorProfile is set");
        else if (kube_is(p->type, "Localhost"))
                check_local_apparmor(v, local, p->localhost_profile);
        else if (!validate_is_one(p->type, PROFILE_TYPES))
                validate_unsupported(v, FIELD(at, "type"), p->type, PROFILE_TYPES);
        else if (p->localhost_profile)
                validate_invalid_word(v, local, p->localhost_profile,
                                      "can only be set when AppArmor type is Localhost");
}

/* --- Windows --- */

#define CREDENTIAL_KIB_MAX 64
#define DOMAIN_BYTES_MAX 256
#define USER_BYTES_MAX 104

static bool has_control(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        return true;
        return false;
}

static bool is_netbios(const char *domain) {
        return *domain && *domain != '.' && utf8_count(domain) <= 15 && !strpbrk(domain, "\\/:*?\"<>|");
}

static bool is_windows_dns(const char *domain) {
        for (const char *p = domain;; p++) {
                size_t n = strcspn(p, ".");
                const char *all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

                if (n == 0 || n > 63 || strspn(p, all) < n || p[0] == '-' || p[n - 1] == '-')
                        return false;
                p += n;
                if (*p == '\0')
                        return true;
        }
}

static void check_windows_user(struct validation *v, const struct place *at, const char *name) {
        const char *slash = strchr(name, '\\'), *user = slash ? slash + 1 : name;
        const char *domain = slash ? validate_copy(v, name, (size_t)(slash - name)) : "";

        if (strlen(domain) >= DOMAIN_BYTES_MAX)
                validate_invalid_word(v, at, name, "runAsUserName's Domain length must be under 256 characters");
        if (slash && !is_netbios(domain) && !is_windows_dns(domain))
                validate_invalid_word(v, at, name,
                                      "runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        if (!*user)
                validate_invalid_word(v, at, name, "runAsUserName's User cannot be empty");
        else if (strlen(user) > USER_BYTES_MAX)
                validate_invalid_word(v, at, name,
                                      "runAsUserName's User length must not be longer than 104 characters");
        if (*user && user[strspn(user, ". ")] == '\0')
                validate_invalid_word(v, at, name, "runAsUserName's User cannot contain only periods or spaces");
        if (strpbrk(user, "\"/\\:;|=,+*?<>@[]"))
                validate_invalid_word(
                        v, at, name,
                        "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
}

static void check_run_as(struct validation *v, const struct place *at, const char *name) {
        const char *slash = strchr(name, '\\');

        if (!*name)
                validate_invalid_word(v, at, name, "runAsUserName cannot be an empty string");
        else if (has_control(name))
                validate_invalid_word(v, at, name, "runAsUserName cannot contain control characters");
        else if (slash && strchr(slash + 1, '\\'))
                validate_invalid_word(v, at, name, "runAsUserName cannot contain more than one backslash");
        else
                check_windows_user(v, at, name);
}

static void check_windows(struct validation *v, const struct place *at,
                          const struct kube_windows_security_context_options *w) {
        const struct place *spec = FIELD(at, "gmsaCredentialSpec"), *name = FIELD(at, "gmsaCredentialSpecName");
        const char *problems[NAME_PROBLEMS_MAX];
        unsigned n;

        if (!w)
                return;
        n = w->gmsa_credential_spec_name ? name_problems(NAME_SUBDOMAIN, w->gmsa_credential_spec_name, problems) : 0;
        for (unsigned i = 0; i < n; i++)
                validate_invalid_word(v, name, w->gmsa_credential_spec_name, problems[i]);
        if (w->gmsa_credential_spec && !*w->gmsa_credential_spec)
                validate_invalid_word(v, spec, "", "gmsaCredentialSpec cannot be an empty string");
        else if (w->gmsa_credential_spec && strlen(w->gmsa_credential_spec) > CREDENTIAL_KIB_MAX * 1024)
                validate_invalid_word(v, spec, w->gmsa_credential_spec, "gmsaCredentialSpec size must be under 64 KiB");
        if (w->run_as_user_name)
                check_run_as(v, FIELD(at, "runAsUserName"), w->run_as_user_name);
}

/* All containers are the host's processes, or none is. */
void validate_host_process(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        const struct kube_pod_security_context *pod = spec->security_context;
        enum tri of_pod = pod && pod->windows_options ? pod->windows_options->host_process : TRI_UNSET;
        unsigned n = 0, hosts = 0;

        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit); n++) {
                const struct kube_security_context *s = visit.container->security_context;
                enum tri own = s && s->windows_options ? s->windows_options->host_process : TRI_UNSET;
                const struct place *here = FIELD(VISIT_PLACE(at, &visit), "securityContext");

                if (of_pod != TRI_UNSET && own != TRI_UNSET && own != of_pod)
                        validate_invalid_bool(
                                v, FIELD(FIELD(here, "windowsOptions"), "hostProcess"), own == TRI_TRUE,
                                validate_text(v,
                                              "pod hostProcess value must be identical if both are specified, was %s",
                                              of_pod == TRI_TRUE ? "true" : "false"));
                hosts += own == TRI_TRUE || (own == TRI_UNSET && of_pod == TRI_TRUE);
        }
        if (hosts == 0)
                return;
        if (hosts != n)
                validate_invalid(v, at, "",
                                 "If pod contains any hostProcess containers then all containers must be HostProcess "
                                 "containers");
        if (!spec->host_network)
                validate_invalid_bool(v, FIELD(at, "hostNetwork"), false,
                                      "hostNetwork must be true if pod contains any hostProcess containers");
}

/* --- of containers --- */

void validate_security(struct validation *v, const struct place *at, const struct kube_security_context *s,
                       bool host_users) {
        const struct place *mount = FIELD(at, "procMount");

        if (!s)
                return;
        check_id(v, FIELD(at, "runAsUser"), &s->run_as_user);
        check_id(v, FIELD(at, "runAsGroup"), &s->run_as_group);
        if (s->proc_mount)
                validate_choice(v, mount, s->proc_mount, POD_TEXTS("Default", "Unmasked"));
        if (kube_is(s->proc_mount, "Unmasked") && host_users)
                validate_invalid_word(v, mount, s->proc_mount, "`hostUsers` must be false to use `Unmasked`");
        check_seccomp(v, FIELD(at, "seccompProfile"), s->seccomp_profile);
        if (s->allow_privilege_escalation == TRI_FALSE && s->privileged == TRI_TRUE)
                validate_invalid_json(v, at, validate_go_json(v, &kube_security_context_type, s),
                                      "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        if (s->allow_privilege_escalation == TRI_FALSE && s->capabilities)
                list_for_each (capability, &s->capabilities->add)
                        if (kube_is(*capability, "CAP_SYS_ADMIN"))
                                validate_invalid_json(v, at, validate_go_json(v, &kube_security_context_type, s),
                                                      "cannot set `allowPrivilegeEscalation` to false and "
                                                      "`capabilities.Add` CAP_SYS_ADMIN");
        check_windows(v, FIELD(at, "windowsOptions"), s->windows_options);
        check_apparmor(v, FIELD(at, "appArmorProfile"), s->app_armor_profile);
}

/* --- sysctls --- */

#define SYSCTL_SEGMENT "abcdefghijklmnopqrstuvwxyz0123456789-_"

/* Segments of lower case letters, digits, "-" and "_", beginning and ending with a letter or digit, divided by "." or
 * "/". */
static bool is_sysctl(const char *name) {
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

static bool is_ipc(const char *dotted) {
        return strncmp(dotted, "kernel.shm", 10) == 0 || strncmp(dotted, "kernel.msg", 10) == 0 ||
               strcmp(dotted, "kernel.sem") == 0 || strncmp(dotted, "fs.mqueue.", 10) == 0;
}

/* What is wrong with a sysctl of a namespace that the pod shares with the host; NULL: nothing. */
static const char *host_problem(const struct kube_pod_spec *spec, const char *name) {
        char dotted[SYSCTL_NAME_MAX + 1];

        sysctl_name(name, dotted);
        if (spec->host_network && strncmp(dotted, "net.", 4) == 0)
                return "may not be specified when 'hostNetwork' is true";
        return spec->host_ipc && is_ipc(dotted) ? "may not be specified when 'hostIPC' is true" : NULL;
}

bool validate_is_host_sysctl(const struct kube_pod_spec *spec, const char *name) {
        return host_problem(spec, name);
}

static void check_sysctls(struct validation *v, const struct place *at, const struct pod_case *c) {
        const kube_sysctl_items *list = &c->spec->security_context->sysctls;
        _cleanup_validate_set_ struct validate_set seen = { 0 };

        for (uint32_t i = 0; i < list->count; i++) {
                const char *name = list->items[i].name ?: "", *problem = host_problem(c->spec, name);
                const struct place *here = FIELD(ITEM(at, i), "name");
                bool again = validate_set_has(&seen, name);

                if (!*name)
                        validate_required(v, here, "");
                else if (!is_sysctl(name))
                        validate_invalid(v, here, name,
                                         "must have at most 253 characters and match regex "
                                         "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
                else if (again)
                        validate_duplicate(v, here, name);
                if (problem && !c->options.host_sysctls)
                        validate_invalid(v, here, name, problem);
                validate_set_add(v, &seen, name);
        }
}

/* --- of pods --- */

static void check_label_change(struct validation *v, const struct place *at, const char *policy, bool any) {
        if (policy)
                validate_choice(v, at, policy, any ? POD_TEXTS("MountOption", "Recursive") : POD_TEXTS("Recursive"));
}

static void check_groups(struct validation *v, const struct place *at, const struct kube_pod_security_context *s) {
        check_id(v, FIELD(at, "fsGroup"), &s->fs_group);
        check_id(v, FIELD(at, "runAsUser"), &s->run_as_user);
        check_id(v, FIELD(at, "runAsGroup"), &s->run_as_group);
        for (uint32_t i = 0; i < s->supplemental_groups.count; i++)
                validate_range(v, ITEM(FIELD(at, "supplementalGroups"), i), s->supplemental_groups.items[i], 0, ID_MAX);
}

void validate_pod_security(struct validation *v, const struct place *at, const struct pod_case *c) {
        const struct kube_pod_security_context *s = c->spec->security_context;

        /* Internally these are parts of a security context, which is there whenever one of them is. */
        if (s)
                check_groups(v, at, s);
        if (c->spec->share_process_namespace == TRI_TRUE && c->spec->host_pid)
                validate_invalid_bool(v, FIELD(at, "shareProcessNamespace"), true,
                                      "ShareProcessNamespace and HostPID cannot both be enabled");
        if (!s)
                return;
        check_sysctls(v, FIELD(at, "sysctls"), c);
        if (s->fs_group_change_policy)
                validate_choice(v, FIELD(at, "fsGroupChangePolicy"), s->fs_group_change_policy,
                                POD_TEXTS("Always", "OnRootMismatch"));
        check_seccomp(v, FIELD(at, "seccompProfile"), s->seccomp_profile);
        check_windows(v, FIELD(at, "windowsOptions"), s->windows_options);
        check_apparmor(v, FIELD(at, "appArmorProfile"), s->app_armor_profile);
        if (s->supplemental_groups_policy)
                validate_choice(v, FIELD(at, "supplementalGroupsPolicy"), s->supplemental_groups_policy,
                                POD_TEXTS("Merge", "Strict"));
        check_label_change(v, FIELD(at, "seLinuxChangePolicy"), s->se_linux_change_policy, c->options.any_label_change);
}

/* --- systems --- */

struct forbidden {
        const char *field;
        bool given;
};

static void forbid(struct validation *v, const struct place *at, const struct forbidden *rows, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (rows[i].given)
                        validate_forbidden(v, FIELD(at, rows[i].field), "cannot be set for a windows pod");
}

#define FORBID(v, at, rows) forbid((v), (at), (rows), sizeof(rows) / sizeof(*(rows)))

static void check_linux(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        static const char text[] = "windows options cannot be set for a linux pod";

        if (spec->security_context && spec->security_context->windows_options)
                validate_forbidden(v, FIELD(FIELD(at, "securityContext"), "windowsOptions"), text);
        for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);) {
                const struct kube_security_context *s = visit.container->security_context;

                if (s && s->windows_options)
                        validate_forbidden(
                                v, FIELD(FIELD(VISIT_PLACE(at, &visit), "securityContext"), "windowsOptions"), text);
        }
}

static void check_windows_pod(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        static const struct kube_pod_security_context none;
        const struct kube_pod_security_context *s = spec->security_context ?: &none;
        const struct place *security = FIELD(at, "securityContext");
        const struct forbidden first[] = { { "appArmorProfile", s->app_armor_profile },
                                           { "seLinuxOptions", s->se_linux_options } },
                               of_pod[] = { { "hostUsers", spec->host_users != TRI_UNSET },
                                            { "hostPID", spec->host_pid },
                                            { "hostIPC", spec->host_ipc } },
                               second[] = { { "seccompProfile", s->seccomp_profile },
                                            { "fsGroup", s->fs_group.set },
                                            { "fsGroupChangePolicy", s->fs_group_change_policy },
                                            { "sysctls", s->sysctls.count > 0 } },
                               shared[] = { { "shareProcessNamespace", spec->share_process_namespace != TRI_UNSET } },
                               third[] = { { "runAsUser", s->run_as_user.set },
                                           { "runAsGroup", s->run_as_group.set },
                                           { "supplementalGroups", s->supplemental_groups.items },
                                           { "supplementalGroupsPolicy", s->supplemental_groups_policy },
                                           { "seLinuxChangePolicy", s->se_linux_change_policy } };

        FORBID(v, security, first);
        FORBID(v, at, of_pod);
        FORBID(v, security, second);
        FORBID(v, at, shared);
        FORBID(v, security, third);
}

static void check_windows_container(struct validation *v, const struct place *at,
                                    const struct kube_security_context *s) {
        const struct forbidden rows[] = { { "appArmorProfile", s->app_armor_profile },
                                          { "seLinuxOptions", s->se_linux_options },
                                          { "seccompProfile", s->seccomp_profile },
                                          { "capabilities", s->capabilities },
                                          { "readOnlyRootFilesystem", s->read_only_root_filesystem != TRI_UNSET },
                                          { "privileged", s->privileged != TRI_UNSET },
                                          { "allowPrivilegeEscalation", s->allow_privilege_escalation != TRI_UNSET },
                                          { "procMount", s->proc_mount },
                                          { "runAsUser", s->run_as_user.set },
                                          { "runAsGroup", s->run_as_group.set } };

        FORBID(v, at, rows);
}

void validate_os(struct validation *v, const struct place *at, const struct kube_pod_spec *spec) {
        const struct place *os = FIELD(at, "os");

        if (!spec->os)
                return;
        if (!spec->os->name || !*spec->os->name) {
                validate_required(v, FIELD(os, "name"), "");
        } else if (kube_is(spec->os->name, "linux")) {
                check_linux(v, at, spec);
        } else if (!kube_is(spec->os->name, "windows")) {
                validate_unsupported(v, os, spec->os->name, POD_TEXTS("linux", "windows"));
        } else {
                check_windows_pod(v, at, spec);
                for (struct container_visit visit = { 0 }; validate_next_container(spec, &visit);)
                        if (visit.container->security_context)
                                check_windows_container(v, FIELD(VISIT_PLACE(at, &visit), "securityContext"),
                                                        visit.container->security_context);
        }
}
