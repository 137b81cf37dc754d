/* `features` and `spec`: what this runtime can do, and a configuration to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"
#include "runtime/capability.h"
#include "runtime/defaults.h"
#include "runtime/oci/oci.h"

static void add_capabilities(struct json_writer *w, const char *key, uint64_t mask) {
        json_key(w, key);
        json_begin_list(w);
        for (unsigned i = 0; capability_name(i); i++)
                if (mask >> i & 1)
                        json_string(w, capability_name(i));
        json_end_list(w);
}

static const char *const namespaces[] = { "cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL };
static const char *const hooks[] = {
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL
};
static const char *const options[] = {
        "async",      "atime",       "bind",       "defaults",      "dev",          "diratime",     "dirsync",
        "exec",       "iversion",    "lazytime",   "loud",          "noatime",      "nodev",        "nodiratime",
        "noexec",     "nomand",      "norelatime", "nostrictatime", "nosuid",       "nosymfollow",  "private",
        "ratime",     "rbind",       "rdev",       "rdiratime",     "relatime",     "rexec",        "rnoatime",
        "rnodev",     "rnodiratime", "rnoexec",    "rnosuid",       "rnosymfollow", "ro",           "rprivate",
        "rrelatime",  "rro",         "rrw",        "rshared",       "rslave",       "rstrictatime", "rsuid",
        "rsymfollow", "runbindable", "rw",         "shared",        "silent",       "slave",        "strictatime",
        "suid",       "symfollow",   "sync",       "tmpcopyup",     "unbindable",   "idmap",        "ridmap",
        NULL,
};

static void add_enabled(struct json_writer *w, const char *key, bool enabled) {
        json_key(w, key);
        json_begin_map(w);
        json_add_bool(w, "enabled", enabled);
        json_end_map(w);
}

int oci_features(struct oci_call *call, struct err **err) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        _cleanup_free_ char *text = NULL;

        json_begin_map(&w);
        json_add_string(&w, "ociVersionMin", "1.0.0");
        json_add_string(&w, "ociVersionMax", OCI_VERSION);
        json_add_texts(&w, "hooks", hooks);
        json_add_texts(&w, "mountOptions", options);
        json_key(&w, "linux");
        json_begin_map(&w);
        json_add_texts(&w, "namespaces", namespaces);
        add_capabilities(&w, "capabilities", capability_all());
        json_key(&w, "cgroup");
        json_begin_map(&w);
        json_add_bool(&w, "v1", true);
        json_add_bool(&w, "v2", true);
        json_add_bool(&w, "systemd", false);
        json_add_bool(&w, "systemdUser", false);
        json_add_bool(&w, "rdma", false);
        json_end_map(&w);
        add_enabled(&w, "seccomp", true);
        add_enabled(&w, "apparmor", true);
        add_enabled(&w, "selinux", true);
        add_enabled(&w, "intelRdt", false);
        json_key(&w, "mountExtensions");
        json_begin_map(&w);
        add_enabled(&w, "idmap", true);
        json_end_map(&w);
        json_end_map(&w);
        json_end_map(&w);
        if (json_writer_finish(&w, &text, NULL) < 0)
                return err_set(err, ENOMEM, "out of memory");
        puts(text);
        return 0;
}

/* ---- spec ---- */

static const struct {
        const char *destination, *type, *source, *options[8];
} mounts[] = {
        { "/proc", "proc", "proc", { NULL } },
        { "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
        { "/dev/pts",
          "devpts",
          "devpts",
          { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" } },
        { "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
        { "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
        { "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
        { "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};

static void write_process(struct json_writer *w) {
        static const char *const args[] = { "sh", NULL };
        static const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                           "TERM=xterm", NULL };
        static const char *const sets[] = { "bounding", "effective", "permitted" };
        const uint64_t caps = (uint64_t)1 << 29 | 1 << 5 | 1 << 10; /* AUDIT_WRITE, KILL, NET_BIND_SERVICE */

        json_key(w, "process");
        json_begin_map(w);
        json_add_bool(w, "terminal", true);
        json_key(w, "user");
        json_begin_map(w);
        json_add_int(w, "uid", 0);
        json_add_int(w, "gid", 0);
        json_end_map(w);
        json_add_texts(w, "args", args);
        json_add_texts(w, "env", env);
        json_add_string(w, "cwd", "/");
        json_key(w, "capabilities");
        json_begin_map(w);
        for (size_t i = 0; i < ELEMENTS(sets); i++)
                add_capabilities(w, sets[i], caps);
        json_end_map(w);
        json_key(w, "rlimits");
        json_begin_list(w);
        json_begin_map(w);
        json_add_string(w, "type", "RLIMIT_NOFILE");
        json_add_int(w, "hard", 1024);
        json_add_int(w, "soft", 1024);
        json_end_map(w);
        json_end_list(w);
        json_add_bool(w, "noNewPrivileges", true);
        json_end_map(w);
}

static void write_linux(struct json_writer *w) {
        static const char *const types[] = { "pid", "network", "ipc", "uts", "mount", "cgroup" };

        json_key(w, "linux");
        json_begin_map(w);
        json_key(w, "resources");
        json_begin_map(w);
        json_key(w, "devices");
        json_begin_list(w);
        json_begin_map(w);
        json_add_bool(w, "allow", false);
        json_add_string(w, "access", "rwm");
        json_end_map(w);
        json_end_list(w);
        json_end_map(w);
        json_key(w, "namespaces");
        json_begin_list(w);
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                json_begin_map(w);
                json_add_string(w, "type", types[i]);
                json_end_map(w);
        }
        json_end_list(w);
        json_add_texts(w, "maskedPaths", defaults_masked_paths);
        json_add_texts(w, "readonlyPaths", defaults_readonly_paths);
        json_end_map(w);
}

static void write_spec(struct json_writer *w) {
        json_begin_map(w);
        json_add_string(w, "ociVersion", OCI_VERSION);
        write_process(w);
        json_key(w, "root");
        json_begin_map(w);
        json_add_string(w, "path", "rootfs");
        json_add_bool(w, "readonly", true);
        json_end_map(w);
        json_add_string(w, "hostname", "nacelle");
        json_key(w, "mounts");
        json_begin_list(w);
        for (size_t i = 0; i < ELEMENTS(mounts); i++) {
                json_begin_map(w);
                json_add_string(w, "destination", mounts[i].destination);
                json_add_string(w, "type", mounts[i].type);
                json_add_string(w, "source", mounts[i].source);
                if (mounts[i].options[0])
                        json_add_texts(w, "options", mounts[i].options);
                json_end_map(w);
        }
        json_end_list(w);
        write_linux(w);
        json_end_map(w);
}

int oci_make_spec(struct oci_call *call, struct err **err) {
        static const struct option long_options[] = { { "bundle", 1, NULL, 'b' }, { NULL, 0, NULL, 0 } };
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INDENTED;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char *bundle = ".", *path;
        size_t length;
        int c;

        optind = 0;
        while ((c = getopt_long(call->argc, call->argv, "b:", long_options, NULL)) >= 0) {
                if (c != 'b')
                        return err_set(err, EINVAL, "usage: nacelle-oci spec [--bundle DIRECTORY]");
                bundle = optarg;
        }
        write_spec(&w);
        if (json_writer_finish(&w, &text, &length) < 0)
                return err_set(err, ENOMEM, "out of memory");
        path = arena_printf(call->oci->arena, "%s/config.json", bundle);
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, text, length) != (ssize_t)length)
                return err_errno(err, errno, "%s", path);
        return 0;
}
