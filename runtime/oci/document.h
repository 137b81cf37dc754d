/* config.json as it is written: the runtime-spec's objects (config.md, config-linux.md, 1.2), read by the tables of
 * document*.c. What the members mean is decided where they are taken up, in config*.c.
 *
 * Every member has a row, also those of no use here: one of a wrong type is a mistake of whoever wrote it, and runc
 * refuses it too.
 */
#pragma once

#include "lib/members.h"
#include "runtime/seccomp/document.h"

struct value;

/* Of a user or group: the last one is the kernel's "leave as it is". */
#define OCI_ID_LAST (UINT32_MAX - 1)

/* ---- process ---- */

struct oci_document_user {
        const char *name;
        struct member_number uid, gid, umask;
        struct member_list groups; /* struct member_number */
};

struct oci_document_capabilities {
        struct member_list bounding, effective, permitted, inheritable, ambient;
};

struct oci_document_rlimit {
        const char *type;
        struct member_number soft, hard;
};

struct oci_document_console {
        struct member_number height, width;
};

struct oci_document_process {
        bool terminal, no_new_privileges;
        struct oci_document_console console;
        struct oci_document_user user;
        struct oci_document_capabilities capabilities;
        struct member_list args, env, rlimits;
        const char *cwd, *apparmor, *selinux, *command_line;
        struct member_number oom_score_adj;
        const struct value *unsupported;
};

extern const struct member_type oci_document_process;

/* ---- hooks ---- */

struct oci_document_hook {
        const char *path;
        struct member_list args, env;
        struct member_number timeout;
};

struct oci_document_hooks {
        struct member_list prestart, create_runtime, create_container, start_container, poststart, poststop;
};

extern const struct member_type oci_document_hooks;

/* ---- mounts ---- */

struct oci_document_mapping {
        struct member_number container, host, size;
};

struct oci_document_mount {
        const char *destination, *type, *source;
        struct member_list options, uid_mappings, gid_mappings;
};

extern const struct member_type oci_document_mount;

/* ---- resources ---- */

struct oci_document_device_rule {
        bool allow;
        const char *type, *access;
        struct member_number major, minor;
};

struct oci_document_memory {
        struct member_number limit, reservation, swap, kernel, kernel_tcp, swappiness;
        bool disable_oom_killer, use_hierarchy, check_before_update;
};

struct oci_document_cpu {
        struct member_number shares, quota, burst, period, realtime_runtime, realtime_period, idle;
        const char *cpus, *mems;
};

struct oci_document_pids {
        struct member_number limit;
};

/* A device with its weight, or with one of its rates. */
struct oci_document_io_device {
        struct member_number major, minor, weight, leaf_weight, rate;
};

struct oci_document_io {
        struct member_number weight, leaf_weight;
        struct member_list weights, read_bps, write_bps, read_iops, write_iops;
};

struct oci_document_hugetlb {
        const char *page_size;
        struct member_number limit;
};

struct oci_document_priority {
        const char *name;
        struct member_number priority;
};

struct oci_document_network {
        struct member_number class_id;
        struct member_list priorities;
};

struct oci_document_rdma {
        struct member_number handles, objects;
};

struct oci_document_resources {
        struct member_list devices, hugetlb, unified, rdma;
        struct oci_document_memory memory;
        struct oci_document_cpu cpu;
        struct oci_document_pids pids;
        struct oci_document_io io;
        struct oci_document_network network;
};

/* Also what `update --resources` reads. */
extern const struct member_type oci_document_resources;

/* ---- the rest ---- */

struct oci_document_namespace {
        const char *type, *path;
};

struct oci_document_device {
        const char *path, *type;
        struct member_number major, minor, mode, uid, gid;
};

struct oci_document_linux {
        struct member_list uid_mappings, gid_mappings, sysctls, namespaces, devices, masked_paths, readonly_paths;
        const char *cgroups_path, *rootfs_propagation, *mount_label;
        struct oci_document_resources resources;
        struct seccomp_document seccomp_document;
        const struct value *resources_value, *seccomp, *unsupported;
};

struct oci_document_root {
        const char *path;
        bool readonly;
};

struct oci_document {
        const char *version, *hostname, *domainname;
        struct oci_document_process process;
        struct oci_document_root root;
        struct oci_document_hooks hooks;
        struct oci_document_linux platform;
        struct member_list mounts, annotations;
        const struct value *hooks_value, *annotations_value, *unsupported;
};

extern const struct member_type oci_document;
