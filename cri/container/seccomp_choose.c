#include <string.h>

#include "cri/container/seccomp.h"
#include "runtime/seccomp/seccomp.h"

#define LOCALHOST "localhost/"

/* The profile as the field says it, or as the older text does. @ret_path: of a Localhost one. */
static int profile_of(const Cri__ContainerConfig *config, Cri__SecurityProfile__ProfileType *ret_type,
                      const char **ret_path, struct err **err) {
        const Cri__LinuxContainerSecurityContext *security = cri_container_security(config);
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

/* The file of a Localhost profile; relative ones lie below the directory for them. */
static const char *full_path(const struct cri_container *container, const char *path, char *full, size_t size) {
        if (path[0] == '/')
                return path;
        snprintf(full, size, "%s/%s", container->sandbox->cri->options.seccomp_dir, path);
        return full;
}

static bool is_unconfined(const struct cri_container *container, Cri__SecurityProfile__ProfileType type) {
        return cri_container_security(container->config)->privileged ||
               type == CRI__SECURITY_PROFILE__PROFILE_TYPE__Unconfined;
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
        if (is_unconfined(container, type))
                return 0;
        if (type == CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault)
                return seccomp_runtime_default(bounding, ret_filter, err);
        return seccomp_profile_load(full_path(container, path, full, sizeof(full)), bounding, ret_filter, err);
}

int seccomp_choose_oci(const struct cri_container *container, uint64_t bounding, struct arena *arena,
                       const char **ret_json, struct err **err) {
        Cri__SecurityProfile__ProfileType type;
        _cleanup_free_ char *json = NULL;
        char full[4096];
        const char *path;
        int r = profile_of(container->config, &type, &path, err);

        if (r < 0)
                return r;
        *ret_json = NULL;
        if (is_unconfined(container, type))
                return 0;
        r = seccomp_oci(path ? full_path(container, path, full, sizeof(full)) : NULL, bounding, &json, err);
        if (r < 0)
                return r;
        *ret_json = arena_strdup(arena, json);
        return *ret_json ? 0 : err_set(err, ENOMEM, "out of memory");
}
