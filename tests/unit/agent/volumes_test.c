/* What containers may have made of a volume must not lead the agent out of it. Needs root (mounts). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volumes/atomic_writer.h"
#include "agent/volumes/files.h"
#include "agent/volumes/nested.h"
#include "agent/volumes/subpath.h"
#include "agent/volumes/tree.h"
#include "agent/volumes/volumes.h"
#include "agent/volumes/written.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static char top[64];

static char *at(const char *name) {
        static char paths[8][192];
        static int next;
        char *path = paths[next++ % 8];

        snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
        return path;
}

static void put(const char *name, const char *text) {
        FILE *f = fopen(at(name), "w");

        fputs(text, f);
        fclose(f);
}

static void read_back(const char *name, char *text) {
        FILE *f = fopen(at(name), "r");
        size_t n = f ? fread(text, 1, 63, f) : 0;

        text[n] = '\0';
        if (f)
                fclose(f);
}

static int setup(void **state) {
        strcpy(top, "/tmp/nacelle-volumes-XXXXXX");
        assert_non_null(mkdtemp(top));
        mkdir(at("vol"), 0750);
        mkdir(at("out"), 0755);
        put("out/secret", "secret");
        return 0;
}

static int teardown(void **state) {
        struct err *err = NULL;

        if (pod_tree_remove(top, &err) < 0)
                fail_msg("%s", err_text(err));
        return access(top, F_OK) == 0;
}

static void test_subpath(void **state) {
        char text[64];

        mkdir(at("vol/d"), 0755);
        put("vol/d/f", "inside");
        assert_int_equal(subpath_mount(at("vol"), "d/f", at("t/file"), NULL), 0);
        read_back("t/file", text);
        assert_string_equal(text, "inside");
        assert_int_equal(subpath_mount(at("vol"), "new/deep", at("t/dir"), NULL), 0);
        assert_int_equal(access(at("vol/new/deep"), F_OK), 0);
        assert_int_equal(subpath_mount(at("vol"), "d", at("t/dir"), NULL), 0); /* mounted anew */
        read_back("t/dir/f", text);
        assert_string_equal(text, "inside");
}

static void test_subpath_refusals(void **state) {
        static const struct {
                const char *link, *target, *subpath;
        } cases[] = {
                { NULL, NULL, "../out" },
                { NULL, NULL, "a/../../out" },
                { "vol/up", "../out", "up" },
                { "vol/up2", "../out", "up2/new" },
                { "vol/abs", "/etc", "abs/passwd" },
                { "vol/proc", "/proc/self/root", "proc/etc" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_err_ struct err *err = NULL;

                if (cases[i].link)
                        assert_int_equal(symlink(cases[i].target, at(cases[i].link)), 0);
                assert_int_equal(subpath_mount(at("vol"), cases[i].subpath, at("t/x"), &err), -EXDEV);
                assert_non_null(strstr(err_text(err), "leads out of its volume"));
                assert_int_not_equal(access(at("t/x"), F_OK), 0);
                assert_int_not_equal(access(at("out/new"), F_OK), 0);
        }
}

/* What a container mounts below the volume's place: links are not followed, and names lead nowhere else. */
static void test_nested_mount_points(void **state) {
        static const struct {
                const char *path, *made, *not_made;
                int r;
        } cases[] = {
                { "/v/new/deep", "vol/new/deep", NULL, 0 },
                { "/v//./x/", "vol/x", NULL, 0 },
                { "/v/link/y", NULL, "out/y", 0 },
                { "/v/file/y", NULL, NULL, 0 },
                { "/v/../z", NULL, "z", 0 }, /* another place, as the runtime has it */
                { "/v/a/../../z", NULL, "z", 0 },
                { "/v/b/../c", "vol/c", "vol/b", 0 },
                { "/w/.././/v/d/", "vol/d", "w", 0 },
                { "v/e", "vol/e", NULL, 0 },
                { "/v/..data/z", NULL, "vol/..data", -EINVAL },
                { "/vw/z", NULL, "vol/z", 0 },
                { "/v", NULL, NULL, 0 },
        };
        struct kube_volume_mount mounts[] = { { .name = "v", .mount_path = "/v/" }, { .name = "other" } };
        struct kube_container container = { .volume_mounts = { mounts, ELEMENTS(mounts) } };
        const struct kube_volume volume = { .name = "v" };
        struct pod pod = { .spec.containers = { &container, 1 } };
        const struct pod_files files = { .pod = &pod };

        assert_int_equal(symlink("../out", at("vol/link")), 0);
        put("vol/file", "text");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                mounts[1].mount_path = cases[i].path;
                assert_int_equal(nested_make(&files, &volume, at("vol"), NULL), cases[i].r);
                assert_true(!cases[i].made || access(at(cases[i].made), F_OK) == 0);
                assert_true(!cases[i].not_made || access(at(cases[i].not_made), F_OK) < 0);
        }
        mounts[0].sub_path = "d"; /* what is mounted there is no place of the volume's own */
        mounts[1].mount_path = "/v/other";
        assert_int_equal(nested_make(&files, &volume, at("vol"), NULL), 0);
        assert_int_not_equal(access(at("vol/other"), F_OK), 0);
}

static void test_remove_follows_no_link(void **state) {
        assert_int_equal(symlink("../out", at("vol/link")), 0);
        assert_int_equal(symlink("/nowhere", at("vol/dead")), 0);
        assert_int_equal(pod_tree_remove(at("vol"), NULL), 0);
        assert_int_equal(access(at("out/secret"), F_OK), 0);
        assert_int_not_equal(access(at("vol"), F_OK), 0);
        assert_int_equal(pod_tree_remove(at("vol"), NULL), 0); /* gone is fine */
}

static void test_remove_unmounts_and_leaves_what_was_mounted(void **state) {
        mkdir(at("vol/m"), 0755);
        mkdir(at("vol/with blank"), 0755);
        assert_int_equal(mount(at("out"), at("vol/m"), NULL, MS_BIND, NULL), 0);
        assert_int_equal(mount("tmpfs", at("vol/with blank"), "tmpfs", 0, NULL), 0);
        assert_int_equal(pod_tree_remove(at("vol"), NULL), 0);
        assert_int_equal(access(at("out/secret"), F_OK), 0);
        assert_int_not_equal(access(at("vol"), F_OK), 0);
}

static void test_remove_leaves_what_was_mounted_of_one_device(void **state) {
        _cleanup_close_ int file = -EBADF;

        mkdir(at("vol/a"), 0755);
        file = open(at("vol/a/file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_int_equal(mount(at("out/secret"), at("vol/a/file"), NULL, MS_BIND, NULL), 0);
        assert_int_equal(pod_tree_remove(at("vol"), NULL), 0);
        assert_int_equal(access(at("out/secret"), F_OK), 0);
        assert_int_not_equal(access(at("vol"), F_OK), 0);
        mkdir(at("vol"), 0755);
        assert_int_equal(mount(at("out"), at("vol"), NULL, MS_BIND, NULL), 0);
        assert_int_equal(pod_tree_remove(at("vol"), NULL), 0);
        assert_int_equal(access(at("out/secret"), F_OK), 0);
        assert_int_not_equal(access(at("vol"), F_OK), 0);
}

static void test_group(void **state) {
        struct stat st;

        mkdir(at("vol/d"), 0700);
        put("vol/f", "x");
        chmod(at("vol/f"), 0600);
        assert_int_equal(symlink("../out/secret", at("vol/link")), 0);
        assert_int_equal(pod_tree_set_group(at("vol"), 1234, false, false, NULL), 0);
        assert_int_equal(stat(at("vol/f"), &st), 0);
        assert_int_equal(st.st_gid, 1234);
        assert_int_equal(st.st_mode & 07777, 0660);
        assert_int_equal(stat(at("vol/d"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 02770);
        assert_int_equal(stat(at("out/secret"), &st), 0); /* what a link points to is not the volume's */
        assert_int_equal(st.st_gid, 0);
        put("vol/g", "x");
        assert_int_equal(chown(at("vol/g"), 0, 0), 0);
        assert_int_equal(pod_tree_set_group(at("vol"), 1234, false, true, NULL), 0); /* the root fits: not walked */
        assert_int_equal(stat(at("vol/g"), &st), 0);
        assert_int_equal(st.st_gid, 0);
}

static void test_atomic_writer(void **state) {
        struct atomic_file one[] = { { "a", "1", 1, 0644, 0 }, { "d/b", "2", 1, 0400, 0 } };
        struct atomic_file two[] = { { "a", "3", 1, 0644, 0 } };
        char text[80], before[64], after[64];
        ssize_t n;

        assert_int_equal(atomic_write(at("vol"), one, 2, (gid_t)-1, NULL), 0);
        read_back("vol/a", text);
        assert_string_equal(text, "1");
        read_back("vol/d/b", text);
        assert_string_equal(text, "2");
        n = readlink(at("vol/..data"), before, 63);
        before[n] = '\0';
        assert_int_equal(atomic_write(at("vol"), one, 2, (gid_t)-1, NULL), 0); /* the same: nothing is written */
        n = readlink(at("vol/..data"), after, 63);
        after[n] = '\0';
        assert_string_equal(before, after);
        assert_int_equal(atomic_write(at("vol"), two, 1, (gid_t)-1, NULL), 0);
        read_back("vol/a", text);
        assert_string_equal(text, "3");
        assert_int_not_equal(access(at("vol/d"), F_OK), 0);
        snprintf(text, sizeof(text), "vol/%s", before);
        assert_int_not_equal(access(at(text), F_OK), 0);
}

/* A file that is no more goes, also when the others stay as they are; those of a group are its own, and their folders.
 */
static void test_atomic_writer_groups(void **state) {
        struct atomic_file files[] = { { "a", "1", 1, 0640, 0 }, { "d/b", "", 0, 0400, 77 } };
        struct stat st;

        assert_int_equal(atomic_write(at("vol"), files, 2, 1234, NULL), 0);
        assert_int_equal(stat(at("vol/d/b"), &st), 0);
        assert_true(st.st_uid == 77 && st.st_gid == 1234 && (st.st_mode & 07777) == 0400);
        assert_int_equal(stat(at("vol/d"), &st), 0);
        assert_true(st.st_gid == 1234 && (st.st_mode & 07777) == 02755);
        assert_int_equal(atomic_write(at("vol"), files, 1, 1234, NULL), 0);
        assert_int_not_equal(lstat(at("vol/d"), &st), 0);
        assert_int_equal(stat(at("vol/a"), &st), 0);
        assert_int_equal(atomic_write(at("vol"), files, 0, 1234, NULL), 0);
        assert_int_not_equal(lstat(at("vol/a"), &st), 0);
}

static void test_atomic_writer_refusals(void **state) {
        static const char *const paths[] = { "/abs", "../up", "a/../b", "..x/../..", "" };

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                struct atomic_file file = { paths[i], "x", 1, 0644, 0 };

                assert_int_equal(atomic_write(at("vol"), &file, 1, (gid_t)-1, NULL), -EINVAL);
        }
}

static size_t count_entries(const char *name) {
        _cleanup_closedir_ DIR *dir = opendir(at(name));
        size_t n = 0;

        while (dir && readdir(dir))
                n++;
        return n;
}

/* What cannot be written leaves nothing behind, however often it is tried; what is there stays. */
static void test_atomic_writer_without_room(void **state) {
        static char large[1 << 16];
        struct atomic_file small = { "a", "1", 1, 0644, 0 }, both[] = { small, { "b", large, sizeof(large), 0644, 0 } },
                           crossed[] = { { "a", "1", 1, 0644, 0 }, { "a/b", "2", 1, 0644, 0 } };
        char text[64];
        size_t before;

        assert_int_equal(mount("vol", at("vol"), "tmpfs", 0, "size=32k"), 0);
        assert_int_equal(atomic_write(at("vol"), &small, 1, (gid_t)-1, NULL), 0);
        before = count_entries("vol");
        for (int i = 0; i < 3; i++) {
                assert_int_equal(atomic_write(at("vol"), both, 2, (gid_t)-1, NULL), -ENOSPC);
                assert_true(atomic_write(at("vol"), crossed, 2, (gid_t)-1, NULL) < 0);
                assert_int_equal(count_entries("vol"), before);
        }
        read_back("vol/a", text);
        assert_string_equal(text, "1");
        both[1].length = 1;
        assert_int_equal(atomic_write(at("vol"), both, 2, (gid_t)-1, NULL), 0);
}

/* Also one that was made when the clock was not set yet. */
static void test_atomic_writer_forgets_what_was(void **state) {
        struct atomic_file file = { "a", "1", 1, 0644, 0 };

        mkdir(at("vol/..1970_01_01_00_00_09.000000001"), 0755);
        put("vol/..1970_01_01_00_00_09.000000001/a", "old");
        assert_int_equal(atomic_write(at("vol"), &file, 1, (gid_t)-1, NULL), 0);
        assert_int_not_equal(access(at("vol/..1970_01_01_00_00_09.000000001"), F_OK), 0);
}

enum { KEY_SIZE = 512 << 10, FILES = WRITTEN_BYTES_MAX / KEY_SIZE, OTHER = 50 };

/* A ConfigMap with one key of KEY_SIZE bytes. */
static struct pod_sources *large_map(void) {
        static char json[KEY_SIZE + 64] = "{\"data\":{\"k\":\"";
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_sources *sources = pod_sources_new(1, 0);
        const struct value *tree = NULL;
        size_t n = strlen(json);

        memset(json + n, 'x', KEY_SIZE);
        strcpy(json + n + KEY_SIZE, "\"}}");
        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &tree, NULL), 0);
        sources->objects[0] = (struct pod_source){ POD_CONFIG_MAP, POD_SOURCE_THERE, "m", NULL };
        assert_int_equal(pod_object_read(POD_CONFIG_MAP, tree, &sources->objects[0].object, NULL), 0);
        return sources;
}

/* One key as many files, in two volumes: all of the pod's are counted, and what is past the maximum is not written. */
static void test_written_bytes_have_a_maximum(void **state) {
        static struct kube_key_to_path items[FILES];
        static char names[FILES][8];
        struct kube_config_map_volume_source one = { .name = "m", .items = { items, FILES - OTHER } },
                                             other = { .name = "m", .items = { items, OTHER } };
        struct kube_volume volumes[] = { { .name = "one", .config_map = &one },
                                         { .name = "other", .config_map = &other } };
        struct pod_sources *sources = large_map();
        struct pod pod = { .spec.volumes = { volumes, 2 } };
        const struct pod_files files = { .pod = &pod, .dir = top, .facts.sources = sources };
        _cleanup_err_ struct err *err = NULL;

        for (size_t i = 0; i < FILES; i++) {
                snprintf(names[i], sizeof(names[i]), "f%zu", i);
                items[i] = (struct kube_key_to_path){ .key = "k", .path = names[i] };
        }
        other.items.count++;
        assert_int_equal(volumes_make(&files, &err), -E2BIG);
        assert_string_equal(err_text(err), "MountVolume.SetUp failed for volume \"other\" : the files of the pod's "
                                           "volumes have more than 134217728 bytes");
        assert_int_equal(access(at("volumes/kubernetes.io~configmap/one/f0"), F_OK), 0);
        assert_int_not_equal(access(at("volumes/kubernetes.io~configmap/other"), F_OK), 0);
        assert_int_equal(volumes_update(&files, NULL), -E2BIG);
        other.items.count--;
        assert_int_equal(volumes_make(&files, NULL), 0);
        assert_int_equal(access(at("volumes/kubernetes.io~configmap/other/f0"), F_OK), 0);
        pod_sources_unref(sources);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_written_bytes_have_a_maximum, setup, teardown),
                cmocka_unit_test_setup_teardown(test_subpath, setup, teardown),
                cmocka_unit_test_setup_teardown(test_subpath_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nested_mount_points, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove_follows_no_link, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove_unmounts_and_leaves_what_was_mounted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_remove_leaves_what_was_mounted_of_one_device, setup, teardown),
                cmocka_unit_test_setup_teardown(test_group, setup, teardown),
                cmocka_unit_test_setup_teardown(test_atomic_writer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_atomic_writer_groups, setup, teardown),
                cmocka_unit_test_setup_teardown(test_atomic_writer_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_atomic_writer_without_room, setup, teardown),
                cmocka_unit_test_setup_teardown(test_atomic_writer_forgets_what_was, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
