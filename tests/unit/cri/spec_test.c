#include "cri/container/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cri/container/resources.h"
#include "cri/sandbox/sandbox.h"
#include "lib/files.h"

/* One mount as a request has it, and how it is refused; NULL: it is not. */
static const struct {
        const char *inside, *host, *image, *sub_path;
        bool readonly, recursive;
        Cri__MountPropagation propagation;
        const char *says;
} mounts[] = {
        { "/data", "/srv", "", "", false, false, 0, NULL },
        { "/data", "/srv", "", "", true, true, 0, NULL },
        { "", "/srv", "", "", false, false, 0, "no container path" },
        { "/data", "srv", "", "", false, false, 0, "host path \"srv\" is not absolute" },
        { "/data", "", "", "", false, false, 0, "is not absolute" },
        { "/data", "", "web:1", "a/b", false, false, 0, NULL },
        { "/data", "/srv", "web:1", "", false, false, 0, "both a host path and an image" },
        { "/data", "", "web:1", "/a", false, false, 0, "image sub path \"/a\" is not relative" },
        { "/data", "/srv", "", "", false, true, 0, "recursive read-only without read-only" },
        { "/data", "/srv", "", "", true, true, CRI__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL,
          "needs private propagation" },
};

static void test_mounts(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
                Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
                Cri__Mount mount = CRI__MOUNT__INIT, *all[] = { &mount };
                Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;
                _cleanup_err_ struct err *err = NULL;

                mount.container_path = (char *)(uintptr_t)mounts[i].inside;
                mount.host_path = (char *)(uintptr_t)mounts[i].host;
                image.image = (char *)(uintptr_t)mounts[i].image;
                mount.image = &image;
                mount.image_sub_path = (char *)(uintptr_t)mounts[i].sub_path;
                mount.readonly = mounts[i].readonly;
                mount.recursive_read_only = mounts[i].recursive;
                mount.propagation = mounts[i].propagation;
                config.mounts = all;
                config.n_mounts = 1;
                assert_int_equal(spec_check_config(&config, &pod, &err), mounts[i].says ? -EINVAL : 0);
                if (mounts[i].says)
                        assert_non_null(strstr(err_text(err), mounts[i].says));
        }
}

static void test_refusals(void **state) {
        Cri__LinuxContainerSecurityContext security = CRI__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;
        Cri__LinuxContainerConfig linux_ = CRI__LINUX_CONTAINER_CONFIG__INIT;
        Cri__SecurityProfile profile = CRI__SECURITY_PROFILE__INIT;
        Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
        Cri__PodSandboxConfig pod = CRI__POD_SANDBOX_CONFIG__INIT;
        static const struct {
                const char *path;
                int code;
        } logs[] = {
                { "web/0.log", 0 }, { "a..b/0.log", 0 }, { "../x", EINVAL }, { "a/../../x", EINVAL }, { "a/..", EINVAL }
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(logs); i++) {
                config.log_path = (char *)(uintptr_t)logs[i].path;
                assert_int_equal(spec_check_config(&config, &pod, NULL), -logs[i].code);
        }
        config.log_path = (char *)(uintptr_t) "";
        config.linux = &linux_;
        linux_.security_context = &security;
        security.privileged = true;
        assert_int_equal(spec_check_config(&config, &pod, NULL), -EINVAL); /* the sandbox is not */
        security.privileged = false;
        profile.profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__Localhost;
        security.seccomp = &profile;
        assert_int_equal(spec_check_config(&config, &pod, NULL), -EINVAL); /* names no file */
        profile.localhost_ref = (char *)(uintptr_t) "localhost/strict.json";
        assert_int_equal(spec_check_config(&config, &pod, NULL), 0);
        security.apparmor = &profile;
        assert_int_equal(spec_check_config(&config, &pod, NULL), -EOPNOTSUPP);
        profile.profile_type = CRI__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault;
        assert_int_equal(spec_check_config(&config, &pod, NULL), 0);
}

static void test_resources(void **state) {
        Cri__LinuxContainerResources old = CRI__LINUX_CONTAINER_RESOURCES__INIT,
                                     update = CRI__LINUX_CONTAINER_RESOURCES__INIT;
        _cleanup_arena_ struct arena *arena = arena_new();
        Cri__LinuxContainerResources *merged;
        struct cgroup_limits limits;

        (void)state;
        old.cpu_shares = 512;
        old.memory_limit_in_bytes = 1 << 20;
        old.cpuset_cpus = (char *)(uintptr_t) "0-1";
        update.memory_limit_in_bytes = 2 << 20;
        merged = resources_merge(arena, &old, &update);
        assert_int_equal(resources_to_limits(arena, merged, &limits, NULL), 0);
        assert_int_equal(limits.cpu_shares, 512);
        assert_int_equal(limits.memory_max, 2 << 20);
        assert_string_equal(limits.cpuset_cpus, "0-1");
        assert_int_equal(resources_to_limits(arena, resources_merge(arena, NULL, &update), &limits, NULL), 0);
        assert_int_equal(limits.cpu_shares, 0);
        update.memory_limit_in_bytes = -1;
        assert_int_equal(resources_to_limits(arena, &update, &limits, NULL), 0);
        assert_int_equal(limits.memory_max, CGROUP_UNLIMITED);
        update.memory_limit_in_bytes = -2;
        assert_int_equal(resources_to_limits(arena, &update, &limits, NULL), -EINVAL);
}

static const struct {
        Cri__NamespaceMode mode;
        uint32_t container, length;
        size_t n;
        const char *says;
} users[] = {
        { CRI__NAMESPACE_MODE__POD, 0, 65536, 1, NULL },
        { CRI__NAMESPACE_MODE__NODE, 0, 0, 0, NULL },
        { CRI__NAMESPACE_MODE__NODE, 0, 1, 1, "without id mappings" },
        { CRI__NAMESPACE_MODE__CONTAINER, 0, 1, 1, "none of POD and NODE" },
        { CRI__NAMESPACE_MODE__TARGET, 0, 1, 1, "none of POD and NODE" },
        { CRI__NAMESPACE_MODE__POD, 0, 65536, 2, "exactly one" },
        { CRI__NAMESPACE_MODE__POD, 0, 0, 1, "maps nothing" },
        { CRI__NAMESPACE_MODE__POD, 1, 65536, 1, "begins at container id 0" },
};

static void test_user_namespaces(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(users); i++) {
                Cri__LinuxSandboxSecurityContext security = CRI__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;
                Cri__LinuxPodSandboxConfig linux_ = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
                Cri__PodSandboxConfig config = CRI__POD_SANDBOX_CONFIG__INIT;
                Cri__NamespaceOption namespaces = CRI__NAMESPACE_OPTION__INIT;
                Cri__IDMapping mapping = CRI__IDMAPPING__INIT, *mappings[] = { &mapping, &mapping };
                Cri__UserNamespace user = CRI__USER_NAMESPACE__INIT;
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                struct id_mappings result;

                mapping.host_id = 100000;
                mapping.container_id = users[i].container;
                mapping.length = users[i].length;
                user.mode = users[i].mode;
                user.uids = user.gids = mappings;
                user.n_uids = user.n_gids = users[i].n;
                namespaces.userns_options = &user;
                security.namespace_options = &namespaces;
                linux_.security_context = &security;
                config.linux = &linux_;
                assert_int_equal(sandbox_fill_mappings(&config, arena, &result, &err), users[i].says ? -EINVAL : 0);
                if (users[i].says)
                        assert_non_null(strstr(err_text(err), users[i].says));
                else if (users[i].n)
                        assert_int_equal(result.uids[0].host, 100000);
        }
}

static void test_cdi(void **state) {
        static const char spec[] = "{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/"
                                   "net\",\"containerEdits\":{\"env\":[\"ALL=1\"]},\"devices\":["
                                   "{\"name\":\"one\",\"containerEdits\":{\"env\":[\"ONE=yes\"],\"deviceNodes\":[{"
                                   "\"path\":\"/dev/one\",\"hostPath\":\"/dev/null\"}],"
                                   "\"mounts\":[{\"hostPath\":\"/srv\",\"containerPath\":\"/"
                                   "one\",\"options\":[\"ro\",\"bind\",\"rslave\"]}],\"additionalGids\":[44]}},"
                                   "{\"name\":\"tmp\",\"containerEdits\":{\"mounts\":[{\"hostPath\":\"x\","
                                   "\"containerPath\":\"/t\",\"type\":\"tmpfs\"}]}},"
                                   "{\"name\":\"rdt\",\"containerEdits\":{\"intelRdt\":{\"closID\":\"x\"}}},{\"name\":"
                                   "\"again\",\"containerEdits\":{\"env\":[\"AGAIN=1\"]}},"
                                   "{\"name\":\"hooked\",\"containerEdits\":{\"hooks\":[{\"hookName\":"
                                   "\"createRuntime\",\"path\":\"/x\"}]}}]}";
        static const struct {
                const char *name;
                int code;
        } names[] = { { "vendor.com/net=one", 0 },
                      { "vendor.com/net=two", ENODEV },
                      { "vendor.com/gpu=one", ENODEV },
                      { "one", EINVAL },
                      { "vendor.com/net=hooked", EOPNOTSUPP },
                      { "vendor.com/net=tmp", EOPNOTSUPP },
                      { "vendor.com/net=rdt", EOPNOTSUPP } };
        char top[] = "/tmp/nacelle-cdi-XXXXXX", path[128];
        struct cri cri = { 0 };

        (void)state;
        assert_non_null(mkdtemp(top));
        snprintf(path, sizeof(path), "%s/vendor.json", top);
        assert_int_equal(files_replace(path, spec, strlen(spec), 0644, NULL), 0);
        snprintf(path, sizeof(path), "%s/broken.yaml", top);
        assert_int_equal(files_replace(path, "{", 1, 0644, NULL), 0);
        cri.options.cdi_dirs = top;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                Cri__ContainerConfig config = CRI__CONTAINER_CONFIG__INIT;
                Cri__CDIDevice device = CRI__CDIDEVICE__INIT, again = CRI__CDIDEVICE__INIT,
                               *devices[] = { &device, &again };
                _cleanup_arena_ struct arena *arena = arena_new();

                device.name = (char *)(uintptr_t)names[i].name;
                config.cdi_devices = devices;
                config.n_cdi_devices = names[i].code ? 1 : 2;
                again.name = (char *)(uintptr_t) "vendor.com/net=again";
                assert_int_equal(spec_add_cdi(&cri, arena, &config, NULL), -names[i].code);
                if (names[i].code)
                        continue;
                assert_int_equal(config.n_envs, 3); /* what the file says for all its devices, once */
                assert_string_equal(config.envs[1]->key, "ONE");
                assert_string_equal(config.envs[2]->key, "AGAIN");
                assert_int_equal(config.linux->security_context->supplemental_groups[0], 44);
                assert_int_equal(config.mounts[0]->propagation, CRI__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER);
                assert_string_equal(config.devices[0]->host_path, "/dev/null");
                assert_true(config.mounts[0]->readonly);
        }
        assert_int_equal(files_remove_tree(top, NULL), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mounts),    cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_resources), cmocka_unit_test(test_user_namespaces),
                cmocka_unit_test(test_cdi),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
