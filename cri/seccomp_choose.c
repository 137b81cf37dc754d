#include <string.h>

#include "cri/seccomp.h"
#include "runtime/seccomp.h"

#define LOCALHOST "localhost/"

/* The profile as the field says it, or as the older text does. @ret_path: of a Localhost one. */
static int profile_of(const Cri__ContainerConfig *config, Cri__SecurityProfile__ProfileType *ret_type, const char **ret_path,
                      struct err **err) {
        const Cri__LinuxContainerSecurityContext *security = container_security(config);
        const char *text = security->seccomp_profile_path;

        *ret_path = NULL;
        *ret_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
        if (security->seccomp) {
                *ret_type = security->seccomp->profile_type;
                if (*ret_type == CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost)
                        *ret_path = security->seccomp->localhost_ref;
        } else if (!text_empty(text) && strcmp(text, "unconfined") != 0) {
                *ret_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
                if (strcmp(text, "runtime/default") != 0 && strcmp(text, "docker/default") != 0) {
                        *ret_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
                        *ret_path = text;
                }
        }
        if (*ret_type != CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost)
                return 0;
        if (!text_empty(*ret_path) && strncmp(*ret_path, LOCALHOST, strlen(LOCALHOST)) == 0)
                *ret_path += strlen(LOCALHOST);
        if (text_empty(*ret_path))
                return err_set(err, EINVAL, "seccomp profile Localhost names no file");
        return 0;
}

int seccomp_check(const Cri__ContainerConfig *config, struct err **err) {
        Cri__SecurityProfile__ProfileType type;
        const char *path;

        return profile_of(config, &type, &path, err);
}

int seccomp_choose(const struct cri_container *container, uint64_t bounding, const struct seccomp_filter **ret_filter,
                   struct err **err) {
        Cri__SecurityProfile__ProfileType type;
        char full[4096];
        const char *path;
        int r = profile_of(container->config, &type, &path, err);

        if (r < 0)
                return r;
        *ret_filter = NULL;
        if (container_security(container->config)->privileged || type == CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined)
                return 0;
        if (type == CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault)
                return seccomp_runtime_default(bounding, ret_filter, err);
        if (path[0] != '/') {
                snprintf(full, sizeof(full), "%s/%s", container->sandbox->cri->options.seccomp_dir, path);
                path = full;
        }
        return seccomp_profile_load(path, bounding, ret_filter, err);
}
