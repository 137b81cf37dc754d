#include "runtime/oci/document.h"

/* ---- process ---- */

static const struct member_row console_members[] = {
        MEMBER_ROW_NUMBER("height", NUMBER, 0, oci_document_console, height, 0, UINT16_MAX),
        MEMBER_ROW_NUMBER("width", NUMBER, 0, oci_document_console, width, 0, UINT16_MAX),
};
static const struct member_type console = MEMBER_TYPE(oci_document_console, console_members);

static const struct member_row user_members[] = {
        MEMBER_ROW_NUMBER("uid", NUMBER, 0, oci_document_user, uid, 0, OCI_ID_LAST),
        MEMBER_ROW_NUMBER("gid", NUMBER, 0, oci_document_user, gid, 0, OCI_ID_LAST),
        MEMBER_ROW_NUMBER("umask", NUMBER, 0, oci_document_user, umask, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("additionalGids", NUMBERS, 0, oci_document_user, groups, 0, OCI_ID_LAST),
        MEMBER_ROW("username", STRING, 0, oci_document_user, name),
};
static const struct member_type user = MEMBER_TYPE(oci_document_user, user_members);

static const struct member_row capability_members[] = {
        MEMBER_ROW("bounding", STRINGS, 0, oci_document_capabilities, bounding),
        MEMBER_ROW("effective", STRINGS, 0, oci_document_capabilities, effective),
        MEMBER_ROW("permitted", STRINGS, 0, oci_document_capabilities, permitted),
        MEMBER_ROW("inheritable", STRINGS, 0, oci_document_capabilities, inheritable),
        MEMBER_ROW("ambient", STRINGS, 0, oci_document_capabilities, ambient),
};
static const struct member_type capabilities = MEMBER_TYPE(oci_document_capabilities, capability_members);

static const struct member_row rlimit_members[] = {
        MEMBER_ROW("type", STRING, 0, oci_document_rlimit, type),
        MEMBER_ROW_NUMBER("soft", NUMBER, 0, oci_document_rlimit, soft, 0, UINT64_MAX),
        MEMBER_ROW_NUMBER("hard", NUMBER, 0, oci_document_rlimit, hard, 0, UINT64_MAX),
};
static const struct member_type rlimit = MEMBER_TYPE(oci_document_rlimit, rlimit_members);

static const struct member_row process_members[] = {
        MEMBER_ROW("terminal", BOOL, 0, oci_document_process, terminal),
        MEMBER_ROW_OF("consoleSize", OBJECT, 0, oci_document_process, console, console),
        MEMBER_ROW_OF("user", OBJECT, 0, oci_document_process, user, user),
        MEMBER_ROW("args", STRINGS, 0, oci_document_process, args),
        MEMBER_ROW("commandLine", STRING, MEMBER_REFUSED, oci_document_process, command_line),
        MEMBER_ROW("env", STRINGS, 0, oci_document_process, env),
        MEMBER_ROW("cwd", STRING, 0, oci_document_process, cwd),
        MEMBER_ROW_OF("capabilities", OBJECT, 0, oci_document_process, capabilities, capabilities),
        MEMBER_ROW_OF("rlimits", OBJECTS, 0, oci_document_process, rlimits, rlimit),
        MEMBER_ROW("noNewPrivileges", BOOL, 0, oci_document_process, no_new_privileges),
        MEMBER_ROW("apparmorProfile", STRING, 0, oci_document_process, apparmor),
        MEMBER_ROW_NUMBER("oomScoreAdj", NUMBER, 0, oci_document_process, oom_score_adj, -1000, 1000),
        MEMBER_ROW("selinuxLabel", STRING, 0, oci_document_process, selinux),
        MEMBER_ROW("scheduler", VALUE, MEMBER_REFUSED, oci_document_process, unsupported),
        MEMBER_ROW("ioPriority", VALUE, MEMBER_REFUSED, oci_document_process, unsupported),
        MEMBER_ROW("execCPUAffinity", VALUE, MEMBER_REFUSED, oci_document_process, unsupported),
};
const struct member_type oci_document_process = MEMBER_TYPE(oci_document_process, process_members);

/* ---- hooks ---- */

static const struct member_row hook_members[] = {
        MEMBER_ROW("path", STRING, 0, oci_document_hook, path),
        MEMBER_ROW("args", STRINGS, 0, oci_document_hook, args),
        MEMBER_ROW("env", STRINGS, 0, oci_document_hook, env),
        /* "MUST be greater than zero" */
        MEMBER_ROW_NUMBER("timeout", NUMBER, 0, oci_document_hook, timeout, 1, INT64_MAX),
};
static const struct member_type hook = MEMBER_TYPE(oci_document_hook, hook_members);

static const struct member_row hooks_members[] = {
        MEMBER_ROW_OF("prestart", OBJECTS, 0, oci_document_hooks, prestart, hook),
        MEMBER_ROW_OF("createRuntime", OBJECTS, 0, oci_document_hooks, create_runtime, hook),
        MEMBER_ROW_OF("createContainer", OBJECTS, 0, oci_document_hooks, create_container, hook),
        MEMBER_ROW_OF("startContainer", OBJECTS, 0, oci_document_hooks, start_container, hook),
        MEMBER_ROW_OF("poststart", OBJECTS, 0, oci_document_hooks, poststart, hook),
        MEMBER_ROW_OF("poststop", OBJECTS, 0, oci_document_hooks, poststop, hook),
};
const struct member_type oci_document_hooks = MEMBER_TYPE(oci_document_hooks, hooks_members);

/* ---- mounts ---- */

static const struct member_row mapping_members[] = {
        MEMBER_ROW_NUMBER("containerID", NUMBER, 0, oci_document_mapping, container, 0, OCI_ID_LAST),
        MEMBER_ROW_NUMBER("hostID", NUMBER, 0, oci_document_mapping, host, 0, OCI_ID_LAST),
        MEMBER_ROW_NUMBER("size", NUMBER, 0, oci_document_mapping, size, 0, UINT32_MAX),
};
static const struct member_type mapping = MEMBER_TYPE(oci_document_mapping, mapping_members);

static const struct member_row mount_members[] = {
        MEMBER_ROW("destination", STRING, 0, oci_document_mount, destination),
        MEMBER_ROW("type", STRING, 0, oci_document_mount, type),
        MEMBER_ROW("source", STRING, 0, oci_document_mount, source),
        MEMBER_ROW("options", STRINGS, 0, oci_document_mount, options),
        MEMBER_ROW_OF("uidMappings", OBJECTS, 0, oci_document_mount, uid_mappings, mapping),
        MEMBER_ROW_OF("gidMappings", OBJECTS, 0, oci_document_mount, gid_mappings, mapping),
};
const struct member_type oci_document_mount = MEMBER_TYPE(oci_document_mount, mount_members);

/* ---- linux ---- */

static const struct member_row namespace_members[] = {
        MEMBER_ROW("type", STRING, 0, oci_document_namespace, type),
        MEMBER_ROW("path", STRING, 0, oci_document_namespace, path),
};
static const struct member_type namespace_ = MEMBER_TYPE(oci_document_namespace, namespace_members);

/* Larger numbers would be other devices: the kernel's have 12 and 20 bits. */
static const struct member_row device_members[] = {
        MEMBER_ROW("path", STRING, 0, oci_document_device, path),
        MEMBER_ROW("type", STRING, 0, oci_document_device, type),
        MEMBER_ROW_NUMBER("major", NUMBER, 0, oci_document_device, major, 0, (1 << 12) - 1),
        MEMBER_ROW_NUMBER("minor", NUMBER, 0, oci_document_device, minor, 0, (1 << 20) - 1),
        MEMBER_ROW_NUMBER("fileMode", NUMBER, 0, oci_document_device, mode, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("uid", NUMBER, 0, oci_document_device, uid, 0, OCI_ID_LAST),
        MEMBER_ROW_NUMBER("gid", NUMBER, 0, oci_document_device, gid, 0, OCI_ID_LAST),
};
static const struct member_type device = MEMBER_TYPE(oci_document_device, device_members);

/* The filter itself is compiled from the value; here it is looked at, with its place in the document. */
static const struct member_row linux_members[] = {
        MEMBER_ROW_OF("uidMappings", OBJECTS, 0, oci_document_linux, uid_mappings, mapping),
        MEMBER_ROW_OF("gidMappings", OBJECTS, 0, oci_document_linux, gid_mappings, mapping),
        MEMBER_ROW("sysctl", STRING_MAP, 0, oci_document_linux, sysctls),
        MEMBER_ROW_OF("resources", OBJECT, 0, oci_document_linux, resources, oci_document_resources),
        MEMBER_ROW("resources", VALUE, 0, oci_document_linux, resources_value),
        MEMBER_ROW("cgroupsPath", STRING, 0, oci_document_linux, cgroups_path),
        MEMBER_ROW_OF("namespaces", OBJECTS, 0, oci_document_linux, namespaces, namespace_),
        MEMBER_ROW_OF("devices", OBJECTS, 0, oci_document_linux, devices, device),
        MEMBER_ROW_OF("seccomp", OBJECT, 0, oci_document_linux, seccomp_document, seccomp_document),
        MEMBER_ROW("seccomp", VALUE, 0, oci_document_linux, seccomp),
        MEMBER_ROW("rootfsPropagation", STRING, 0, oci_document_linux, rootfs_propagation),
        MEMBER_ROW("maskedPaths", STRINGS, 0, oci_document_linux, masked_paths),
        MEMBER_ROW("readonlyPaths", STRINGS, 0, oci_document_linux, readonly_paths),
        MEMBER_ROW("mountLabel", STRING, 0, oci_document_linux, mount_label),
        MEMBER_ROW("intelRdt", VALUE, MEMBER_REFUSED, oci_document_linux, unsupported),
        MEMBER_ROW("personality", VALUE, MEMBER_REFUSED, oci_document_linux, unsupported),
        MEMBER_ROW("timeOffsets", VALUE, MEMBER_REFUSED, oci_document_linux, unsupported),
        MEMBER_ROW("netDevices", VALUE, MEMBER_REFUSED, oci_document_linux, unsupported),
        MEMBER_ROW("memoryPolicy", VALUE, MEMBER_REFUSED, oci_document_linux, unsupported),
};
static const struct member_type platform = MEMBER_TYPE(oci_document_linux, linux_members);

/* ---- the whole ---- */

static const struct member_row root_members[] = {
        MEMBER_ROW("path", STRING, 0, oci_document_root, path),
        MEMBER_ROW("readonly", BOOL, 0, oci_document_root, readonly),
};
static const struct member_type root = MEMBER_TYPE(oci_document_root, root_members);

static const struct member_row members[] = {
        MEMBER_ROW("ociVersion", STRING, MEMBER_REQUIRED, oci_document, version),
        MEMBER_ROW_OF("process", OBJECT, MEMBER_REQUIRED, oci_document, process, oci_document_process),
        MEMBER_ROW_OF("root", OBJECT, MEMBER_REQUIRED, oci_document, root, root),
        MEMBER_ROW("hostname", STRING, 0, oci_document, hostname),
        MEMBER_ROW("domainname", STRING, 0, oci_document, domainname),
        MEMBER_ROW_OF("mounts", OBJECTS, 0, oci_document, mounts, oci_document_mount),
        MEMBER_ROW_OF("hooks", OBJECT, 0, oci_document, hooks, oci_document_hooks),
        MEMBER_ROW("hooks", VALUE, 0, oci_document, hooks_value),
        MEMBER_ROW("annotations", STRING_MAP, 0, oci_document, annotations),
        MEMBER_ROW("annotations", VALUE, 0, oci_document, annotations_value),
        MEMBER_ROW_OF("linux", OBJECT, 0, oci_document, platform, platform),
        MEMBER_ROW("windows", VALUE, MEMBER_REFUSED, oci_document, unsupported),
        MEMBER_ROW("vm", VALUE, MEMBER_REFUSED, oci_document, unsupported),
        MEMBER_ROW("solaris", VALUE, MEMBER_REFUSED, oci_document, unsupported),
        MEMBER_ROW("zos", VALUE, MEMBER_REFUSED, oci_document, unsupported),
};
const struct member_type oci_document = MEMBER_TYPE(oci_document, members);
