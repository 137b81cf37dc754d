/* The table of checks: which there are at a level, from which version on. */
#include "api/admission/pod_security.h"

#include <errno.h>
#include <string.h>

#include "api/admission/pod_security_check.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define VERSIONS_MAX 4
#define MINOR_LAST 35 /* nothing has changed since */

static const struct check {
        const char *name;
        enum pod_security_level level;
        const char *overrides; /* of restricted: what of baseline it takes the place of */
        struct {
                int32_t since;
                pod_check_function check;
        } versions[VERSIONS_MAX];
} checks[] = {
        { "appArmorProfile", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_app_armor } } },
        { "capabilities_baseline", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_capabilities } } },
        { "hostNamespaces", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_host_namespaces } } },
        { "hostPathVolumes", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_host_paths } } },
        { "hostPorts", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_host_ports } } },
        { "hostProbesAndHostLifecycle", POD_SECURITY_BASELINE, NULL, { { 34, pod_check_host_probes } } },
        { "privileged", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_privileged } } },
        { "procMount", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_proc }, { 35, pod_check_proc_mapped } } },
        { "seLinuxOptions", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_se_linux } } },
        { "seccompProfile_baseline",
          POD_SECURITY_BASELINE,
          NULL,
          { { 0, pod_check_seccomp_annotations }, { 19, pod_check_seccomp } } },
        { "sysctls", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_sysctls } } },
        { "windowsHostProcess", POD_SECURITY_BASELINE, NULL, { { 0, pod_check_windows_process } } },

        { "allowPrivilegeEscalation",
          POD_SECURITY_RESTRICTED,
          NULL,
          { { 8, pod_check_escalation }, { 25, pod_check_escalation_linux } } },
        { "capabilities_restricted",
          POD_SECURITY_RESTRICTED,
          "capabilities_baseline",
          { { 22, pod_check_dropped }, { 25, pod_check_dropped_linux } } },
        { "procMount_restricted", POD_SECURITY_RESTRICTED, "procMount", { { 35, pod_check_proc } } },
        { "restrictedVolumes", POD_SECURITY_RESTRICTED, "hostPathVolumes", { { 0, pod_check_volumes } } },
        { "runAsNonRoot",
          POD_SECURITY_RESTRICTED,
          NULL,
          { { 0, pod_check_not_root }, { 35, pod_check_not_root_mapped } } },
        { "runAsUser", POD_SECURITY_RESTRICTED, NULL, { { 23, pod_check_user }, { 35, pod_check_user_mapped } } },
        { "seccompProfile_restricted",
          POD_SECURITY_RESTRICTED,
          "seccompProfile_baseline",
          { { 19, pod_check_seccomp_given }, { 25, pod_check_seccomp_given_linux } } },
};

/* The check as @minor has it; NULL: it has none. */
static pod_check_function function_of(const struct check *check, int32_t minor) {
        pod_check_function found = NULL;

        for (unsigned i = 0; i < VERSIONS_MAX && check->versions[i].check; i++)
                if (check->versions[i].since <= minor)
                        found = check->versions[i].check;
        return found;
}

static bool is_overridden(const struct check *check, int32_t minor) {
        for (size_t i = 0; i < ELEMENTS(checks); i++)
                if (checks[i].overrides && strcmp(checks[i].overrides, check->name) == 0 &&
                    function_of(&checks[i], minor))
                        return true;
        return false;
}

static int gather(struct pod_check *c) {
        const struct kube_pod_spec *spec = c->spec;
        const struct kube_container **all = arena_alloc_array(
                c->arena,
                (size_t)spec->init_containers.count + spec->containers.count + spec->ephemeral_containers.count,
                sizeof(struct kube_container *));

        if (!all)
                return -ENOMEM;
        list_for_each (one, &spec->init_containers)
                all[c->n_containers++] = one;
        list_for_each (one, &spec->containers)
                all[c->n_containers++] = one;
        list_for_each (one, &spec->ephemeral_containers)
                all[c->n_containers++] = &one->container;
        c->containers = all;
        return 0;
}

int pod_security_evaluate(struct arena *arena, const struct pod_security_bar *bar, const struct kube_object_meta *meta,
                          const struct kube_pod_spec *spec, struct pod_security_verdict *ret_verdict) {
        struct pod_check c = { .arena = arena,
                               .annotations = &meta->annotations,
                               .spec = spec,
                               .minor = bar->minor < MINOR_LAST ? bar->minor : MINOR_LAST };
        struct pod_words reasons = { 0 }, details = { 0 };
        int r = bar->level == POD_SECURITY_PRIVILEGED ? 0 : gather(&c);

        for (size_t i = 0; r == 0 && i < ELEMENTS(checks); i++) {
                pod_check_function check = checks[i].level <= bar->level ? function_of(&checks[i], c.minor) : NULL;

                if (!check || (bar->level == POD_SECURITY_RESTRICTED && is_overridden(&checks[i], c.minor)))
                        continue;
                c.reason = c.detail = NULL;
                check(&c);
                if (c.reason && c.error == 0) {
                        pod_words_add(&c, &reasons, c.reason);
                        pod_words_add_made(&c, &details,
                                           *c.detail ? arena_printf(arena, "%s (%s)", c.reason, c.detail) : c.reason);
                }
                r = c.error;
        }
        if (r < 0)
                return r;
        *ret_verdict = (struct pod_security_verdict){ reasons.n > 0 ? pod_words_join(&c, &reasons, ", ") : NULL,
                                                      details.n > 0 ? pod_words_join(&c, &details, ", ") : NULL };
        return c.error;
}
