/* A pod's whole life, with real shims, cgroups and a network of its own: each allocation of each call fails in turn.
 * The call says that memory was short, or it has done all that it does otherwise; and when the pod is removed nothing
 * is left. */
#include "cri/cri.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cgroups/cgroup.h"
#include "cni/network.h"
#include "cri/state/state.h"
#include "cri/state/sync.h"
#include "images/files.h"
#include "images/layout.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/pool.h"
#include "tests/unit/support/memory.h"

#define T(text) ((char *)(uintptr_t)(text))
#define IMAGE "docker.io/library/busybox:1"
#define TRIES_MAX 5000
#define TRIES_EACH 40 /* of a call's allocations, where not all are asked for */

static struct cri *cri;
static struct pool *pool;
static uv_loop_t loop;
static char top[] = "/run/nacelle-lm-XXXXXX", root_dir[64], run_dir[64], group[64];

/* -- an image of one layer --------------------------------------------------------------------------------- */

static const char *digest(char digit) {
        static char texts[4][IMAGE_DIGEST_LENGTH + 1];
        char *text = texts[digit - 'a'];

        strcpy(text, "sha256:");
        memset(text + strlen(text), digit, 64);
        return text;
}

static void put_blob(const struct image_layout *layout, char name, const char *text) {
        assert_int_equal(image_file_write(layout->blobs, digest_hex(digest(name)), text, strlen(text), NULL), 0);
}

static void put_layer(const struct image_layout *layout, char diff, char blob) {
        char command[256], info[128];
        int fd;

        assert_int_equal(image_directory_open(layout->layers, digest_hex(digest(diff)), &fd, NULL), 0);
        snprintf(info, sizeof(info), "bytes 1000\ninodes 3\nblob %s 5\n", digest(blob));
        assert_int_equal(image_file_write(fd, "info", info, strlen(info), NULL), 0);
        snprintf(command, sizeof(command),
                 "cd /proc/%d/fd/%d && mkdir -p fs/bin fs/etc fs/proc fs/sys fs/dev && cp /bin/busybox fs/bin",
                 getpid(), fd);
        assert_int_equal(system(command), 0);
        close(fd);
}

static void put_image(void) {
        struct image_reference reference;
        struct image_layout layout;
        struct image_ref ref;
        char text[512];

        assert_int_equal(image_layout_open(root_dir, &layout, NULL), 0);
        snprintf(text, sizeof(text),
                 "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":1},\"layers\":[{\"digest\":\"%s\","
                 "\"size\":5}]}",
                 digest('b'), digest('c'));
        put_blob(&layout, 'a', text);
        snprintf(text, sizeof(text),
                 "{\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/"
                 "bin\"],\"User\":\"7\"},\"rootfs\":{\"diff_ids\":[\"%s\"]}}",
                 digest('d'));
        put_blob(&layout, 'b', text);
        put_blob(&layout, 'c', "12345");
        put_layer(&layout, 'd', 'c');
        assert_int_equal(image_reference_parse(IMAGE, &reference, NULL), 0);
        strcpy(ref.manifest, digest('a'));
        strcpy(ref.image_id, digest('b'));
        assert_int_equal(image_ref_write(&layout, &reference, &ref, NULL), 0);
        image_layout_close(&layout);
}

/* -- the world --------------------------------------------------------------------------------------------- */

static int setup(void **state) {
        struct network_options network = { .bridge = "memory0", .masquerade = true, .n_pod_cidrs = 1 };
        struct cri_options options = { .root_dir = root_dir,
                                       .run_dir = run_dir,
                                       .cgroup_root = group,
                                       .shim_path = NACELLE_TEST_SHIM,
                                       .network = &network };
        _cleanup_err_ struct err *err = NULL;
        struct ip_cidr cidr;

        (void)state;
        log_init("test", LOG_LEVEL_ERROR);
        assert_int_equal(unshare(CLONE_NEWNET), 0);
        assert_non_null(mkdtemp(top));
        snprintf(root_dir, sizeof(root_dir), "%s/root", top);
        snprintf(run_dir, sizeof(run_dir), "%s/run", top);
        snprintf(group, sizeof(group), "/nacelle-lm-%d", getpid());
        assert_int_equal(ip_cidr_parse("10.89.0.0/24", &cidr, NULL), 0);
        network.pod_cidrs = &cidr;
        assert_int_equal(mkdir(root_dir, 0755), 0);
        put_image();
        uv_loop_init(&loop);
        assert_int_equal(pool_new(&loop, &pool), 0);
        if (cri_new(&loop, pool, &options, &cri, &err) < 0)
                fail_msg("%s", err_text(err));
        /* What is written is not brought to the disk each time. */
        sync_free(cri->sync);
        cri->sync = NULL;
        return 0;
}

/* -- calls ------------------------------------------------------------------------------------------------- */

struct answer {
        bool ended;
        int code;
        char text[256];
        char id[CRI_ID_LENGTH + 1]; /* of what was made */
};

static enum cri_method method_of_call;

static void on_done(void *data, const ProtobufCMessage *response, const struct err *err) {
        struct answer *answer = data;
        const char *id = "";

        if (err) {
                answer->code = err_code(err);
                snprintf(answer->text, sizeof(answer->text), "%s", err_text(err));
        } else if (method_of_call == CRI_RUN_POD_SANDBOX)
                id = ((const Cri__RunPodSandboxResponse *)response)->pod_sandbox_id;
        else if (method_of_call == CRI_CREATE_CONTAINER)
                id = ((const Cri__CreateContainerResponse *)response)->container_id;
        snprintf(answer->id, sizeof(answer->id), "%s", id);
        answer->ended = true;
}

/* Returns how many allocations there were. */
static unsigned call(enum cri_method method, const void *request, unsigned fail, struct answer *answer) {
        unsigned asked;

        *answer = (struct answer){ 0 };
        method_of_call = method;
        memory_fail(fail, 1);
        cri_call(cri, method, request, on_done, answer);
        while (!answer->ended)
                uv_run(&loop, UV_RUN_ONCE);
        asked = memory_asked();
        memory_fail(0, 0);
        assert_int_equal(cri_calls_under_way(cri), 0);
        return asked;
}

/* -- a life ------------------------------------------------------------------------------------------------ */

enum step { RUN, CREATE, START, UPDATE, EXEC, STOP, REMOVE, STOP_POD, REMOVE_POD, STEPS };

static const enum cri_method methods[STEPS] = {
        [RUN] = CRI_RUN_POD_SANDBOX,
        [CREATE] = CRI_CREATE_CONTAINER,
        [START] = CRI_START_CONTAINER,
        [UPDATE] = CRI_UPDATE_CONTAINER_RESOURCES,
        [EXEC] = CRI_EXEC_SYNC,
        [STOP] = CRI_STOP_CONTAINER,
        [REMOVE] = CRI_REMOVE_CONTAINER,
        [STOP_POD] = CRI_STOP_POD_SANDBOX,
        [REMOVE_POD] = CRI_REMOVE_POD_SANDBOX,
};

static char pod_id[CRI_ID_LENGTH + 1], container_id[CRI_ID_LENGTH + 1];

static const Cri__PodSandboxConfig *pod_config(void) {
        static Cri__PodSandboxMetadata metadata = CRI__POD_SANDBOX_METADATA__INIT;
        static Cri__LinuxPodSandboxConfig for_linux = CRI__LINUX_POD_SANDBOX_CONFIG__INIT;
        static Cri__DNSConfig dns = CRI__DNSCONFIG__INIT;
        static Cri__PodSandboxConfig config;
        static char *servers[] = { T("10.0.0.10") };
        static char logs[64];

        config = (Cri__PodSandboxConfig)CRI__POD_SANDBOX_CONFIG__INIT;
        snprintf(logs, sizeof(logs), "%s/logs", top);
        metadata.name = T("web");
        metadata.namespace_ = T("ns");
        metadata.uid = T("uid");
        dns.servers = servers;
        dns.n_servers = 1;
        config.metadata = &metadata;
        config.hostname = T("web");
        config.log_directory = logs;
        config.dns_config = &dns;
        config.linux = &for_linux;
        return &config;
}

static const Cri__ContainerConfig *container_config(void) {
        static Cri__ContainerMetadata metadata = CRI__CONTAINER_METADATA__INIT;
        static Cri__LinuxContainerResources resources = CRI__LINUX_CONTAINER_RESOURCES__INIT;
        static Cri__LinuxContainerConfig for_linux = CRI__LINUX_CONTAINER_CONFIG__INIT;
        static Cri__ImageSpec image = CRI__IMAGE_SPEC__INIT;
        static Cri__Mount mount = CRI__MOUNT__INIT, *mounts[] = { &mount };
        static Cri__KeyValue env = CRI__KEY_VALUE__INIT, *envs[] = { &env };
        static Cri__ContainerConfig config;
        static char *command[] = { T("busybox"), T("sleep"), T("1000") };

        config = (Cri__ContainerConfig)CRI__CONTAINER_CONFIG__INIT;
        metadata.name = T("main");
        image.image = T(IMAGE);
        resources.memory_limit_in_bytes = 64 << 20;
        for_linux.resources = &resources;
        mount.host_path = top;
        mount.container_path = T("/mnt");
        mount.readonly = true;
        env.key = T("A");
        env.value = (ProtobufCBinaryData){ .data = (uint8_t *)T("1"), .len = 1 };
        config.metadata = &metadata;
        config.image = &image;
        config.command = command;
        config.n_command = 3;
        config.envs = envs;
        config.n_envs = 1;
        config.mounts = mounts;
        config.n_mounts = 1;
        config.log_path = T("main.log");
        config.linux = &for_linux;
        return &config;
}

static const void *request_of(enum step step) {
        static Cri__RunPodSandboxRequest run;
        static Cri__CreateContainerRequest create;
        static Cri__StartContainerRequest start;
        static Cri__UpdateContainerResourcesRequest update;
        static Cri__LinuxContainerResources resources;
        static Cri__ExecSyncRequest exec;
        static Cri__StopContainerRequest stop;
        static Cri__RemoveContainerRequest remove_container;
        static Cri__StopPodSandboxRequest stop_pod;
        static Cri__RemovePodSandboxRequest remove_pod;
        static char *command[] = { T("busybox"), T("true") };
        const void *requests[STEPS] = { &run,  &create,           &start,    &update,    &exec,
                                        &stop, &remove_container, &stop_pod, &remove_pod };

        run = (Cri__RunPodSandboxRequest)CRI__RUN_POD_SANDBOX_REQUEST__INIT;
        run.config = (Cri__PodSandboxConfig *)(uintptr_t)pod_config();
        create = (Cri__CreateContainerRequest)CRI__CREATE_CONTAINER_REQUEST__INIT;
        create.pod_sandbox_id = pod_id;
        create.config = (Cri__ContainerConfig *)(uintptr_t)container_config();
        create.sandbox_config = run.config;
        start = (Cri__StartContainerRequest)CRI__START_CONTAINER_REQUEST__INIT;
        update = (Cri__UpdateContainerResourcesRequest)CRI__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;
        resources = (Cri__LinuxContainerResources)CRI__LINUX_CONTAINER_RESOURCES__INIT;
        resources.memory_limit_in_bytes = 128 << 20;
        update.linux = &resources;
        exec = (Cri__ExecSyncRequest)CRI__EXEC_SYNC_REQUEST__INIT;
        exec.cmd = command;
        exec.n_cmd = 2;
        stop = (Cri__StopContainerRequest)CRI__STOP_CONTAINER_REQUEST__INIT;
        remove_container = (Cri__RemoveContainerRequest)CRI__REMOVE_CONTAINER_REQUEST__INIT;
        stop_pod = (Cri__StopPodSandboxRequest)CRI__STOP_POD_SANDBOX_REQUEST__INIT;
        remove_pod = (Cri__RemovePodSandboxRequest)CRI__REMOVE_POD_SANDBOX_REQUEST__INIT;
        start.container_id = update.container_id = exec.container_id = stop.container_id =
                remove_container.container_id = container_id;
        stop_pod.pod_sandbox_id = remove_pod.pod_sandbox_id = pod_id;
        return requests[step];
}

static unsigned take(enum step step, unsigned fail, struct answer *answer) {
        unsigned asked = call(methods[step], request_of(step), fail, answer);

        if (step == RUN)
                strcpy(pod_id, answer->id);
        else if (step == CREATE)
                strcpy(container_id, answer->id);
        return asked;
}

/* -- what is there afterwards ------------------------------------------------------------------------------ */

static void assert_empty(const char *what, unsigned n, const char *folder) {
        _cleanup_closedir_ DIR *dir = NULL;
        const struct dirent *entry;
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", top, folder);
        dir = opendir(path);
        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        fail_msg("%s, allocation %u: %s/%s is left", what, n, folder, entry->d_name);
}

/* Removes the pod, which must be possible whatever happened; then there is nothing. */
static void assert_nothing_left(const char *what, unsigned n) {
        static const char *const folders[] = { "root/sandboxes", "root/containers", "run/sandboxes", "run/netns",
                                               "run/pods" };
        _cleanup_free_ char **children = NULL;
        struct answer answer;

        while (cri->first_sandbox) {
                strcpy(pod_id, cri->first_sandbox->id);
                take(REMOVE_POD, 0, &answer);
                if (answer.code != 0)
                        fail_msg("%s, allocation %u: the pod cannot be removed: %s", what, n, answer.text);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_null(cri->first_container);
        for (size_t i = 0; i < ELEMENTS(folders); i++)
                assert_empty(what, n, folders[i]);
        assert_int_equal(cgroup_children(cri->cgroups, "", &children, NULL), 0);
        for (size_t i = 0; children && children[i]; i++)
                fail_msg("%s, allocation %u: cgroup %s is left", what, n, children[i]);
}

/* What a call that did not fail has done; one that failed has made nothing. */
static void assert_done(enum step step, unsigned n, const struct answer *answer) {
        const struct cri_sandbox *pod = cri->first_sandbox;
        const struct cri_container *container = cri->first_container;
        const char *what = cri_methods[methods[step]].name;
        bool good = true;

        if (answer->code != 0) {
                if ((step == RUN && pod) || (step == CREATE && container))
                        fail_msg("%s, allocation %u: it failed, but what it made is there", what, n);
                return;
        }
        if (step == RUN)
                good = pod && pod->ready && !pod->hidden && pod->n_ips == 1 && pod->shim_pid > 0 && pod->watch;
        else if (step == CREATE)
                good = container && container->phase == CRI_PHASE_CREATED && container->record->uid == 7;
        else if (step == START)
                good = container->phase == CRI_PHASE_RUNNING && container->pid > 0;
        else if (step == UPDATE)
                good = container->resources->memory_limit_in_bytes == 128 << 20;
        else if (step == STOP)
                good = container->phase == CRI_PHASE_EXITED && container->exit_code == 137;
        else if (step == REMOVE)
                good = !container;
        else if (step == STOP_POD)
                good = pod && !pod->ready;
        else if (step == REMOVE_POD)
                good = !pod;
        if (!good)
                fail_msg("%s, allocation %u: not done, though it did not fail", what, n);
}

/* A life up to @step, whose @n-th allocation fails. Returns how many it had. */
static unsigned live(enum step step, unsigned n, struct answer *answer) {
        const char *what = cri_methods[methods[step]].name;
        unsigned asked;

        for (enum step before = RUN; before < step; before++) {
                if ((before == STOP || before == REMOVE) && step > REMOVE)
                        continue; /* a pod goes with what runs in it */
                take(before, 0, answer);
                if (answer->code != 0)
                        fail_msg("before %s, %s: %s", what, cri_methods[methods[before]].name, answer->text);
        }
        asked = take(step, n, answer);
        if (answer->code != 0 && answer->code != ENOMEM)
                fail_msg("%s, allocation %u: %d: %s", what, n, answer->code, answer->text);
        assert_done(step, n, answer);
        assert_nothing_left(what, n);
        return asked;
}

static void sweep(enum step step) {
        const char *what = cri_methods[methods[step]].name;
        struct answer answer;
        unsigned n, distance, failed = 0, leaks = 0;
        long balance;

        live(step, 0, &answer);
        distance = memory_sweep_step(live(step, 0, &answer), TRIES_EACH);
        for (n = 1; n < TRIES_MAX; n += distance) {
                unsigned asked;

                balance = memory_balance();
                asked = live(step, n, &answer);
                failed += answer.code != 0;
                /* A thread that the pool starts or ends is no leak, but it happens only now and then. */
                if (memory_balance() > balance && ++leaks == 3)
                        fail_msg("%s, allocation %u leaks %ld", what, n, memory_balance() - balance);
                if (memory_balance() > balance && (n -= distance))
                        continue;
                leaks = 0;
                if (asked < n)
                        break;
        }
        assert_int_equal(answer.code, 0);
        print_message("%s: %u allocations, %u calls failed\n", what, n - 1, failed);
}

static void test_life(void **state) {
        struct answer answer;

        (void)state;
        for (enum step step = RUN; step < STEPS; step++)
                if (memory_can_fail())
                        sweep(step);
                else
                        live(step, 0, &answer); /* for the sanitizers */
}

static int teardown(void **state) {
        struct answer answer = { 0 };

        (void)state;
        memory_fail(0, 0);
        /* What a test that failed has left. */
        while (cri->first_sandbox && answer.code == 0) {
                strcpy(pod_id, cri->first_sandbox->id);
                take(REMOVE_POD, 0, &answer);
        }
        cri_free(cri);
        pool_free(pool);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return files_remove_tree(top, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_life),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
