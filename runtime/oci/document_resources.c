#include "runtime/oci/document.h"

/* -1 is any; the filter compares 32 bits. */
static const struct member_row device_rule_members[] = {
        MEMBER_ROW("allow", BOOL, 0, oci_document_device_rule, allow),
        MEMBER_ROW("type", STRING, 0, oci_document_device_rule, type),
        MEMBER_ROW_NUMBER("major", NUMBER, 0, oci_document_device_rule, major, -1, UINT32_MAX),
        MEMBER_ROW_NUMBER("minor", NUMBER, 0, oci_document_device_rule, minor, -1, UINT32_MAX),
        MEMBER_ROW("access", STRING, 0, oci_document_device_rule, access),
};
static const struct member_type device_rule = MEMBER_TYPE(oci_document_device_rule, device_rule_members);

static const struct member_row memory_members[] = {
        MEMBER_ROW_NUMBER("limit", NUMBER, 0, oci_document_memory, limit, -1, INT64_MAX),
        MEMBER_ROW_NUMBER("reservation", NUMBER, 0, oci_document_memory, reservation, -1, INT64_MAX),
        MEMBER_ROW_NUMBER("swap", NUMBER, 0, oci_document_memory, swap, -1, INT64_MAX),
        MEMBER_ROW_NUMBER("kernel", NUMBER, 0, oci_document_memory, kernel, -1, INT64_MAX),
        MEMBER_ROW_NUMBER("kernelTCP", NUMBER, 0, oci_document_memory, kernel_tcp, -1, INT64_MAX),
        MEMBER_ROW_NUMBER("swappiness", NUMBER, 0, oci_document_memory, swappiness, 0, 100),
        MEMBER_ROW("disableOOMKiller", BOOL, 0, oci_document_memory, disable_oom_killer),
        MEMBER_ROW("useHierarchy", BOOL, 0, oci_document_memory, use_hierarchy),
        MEMBER_ROW("checkBeforeUpdate", BOOL, 0, oci_document_memory, check_before_update),
};
static const struct member_type memory = MEMBER_TYPE(oci_document_memory, memory_members);

static const struct member_row cpu_members[] = {
        MEMBER_ROW_NUMBER("shares", NUMBER, 0, oci_document_cpu, shares, 0, INT64_MAX),
        MEMBER_ROW_NUMBER("quota", NUMBER, 0, oci_document_cpu, quota, INT64_MIN, INT64_MAX),
        MEMBER_ROW_NUMBER("burst", NUMBER, 0, oci_document_cpu, burst, 0, INT64_MAX),
        MEMBER_ROW_NUMBER("period", NUMBER, 0, oci_document_cpu, period, 0, INT64_MAX),
        MEMBER_ROW_NUMBER("realtimeRuntime", NUMBER, MEMBER_REFUSED, oci_document_cpu, realtime_runtime, INT64_MIN,
                          INT64_MAX),
        MEMBER_ROW_NUMBER("realtimePeriod", NUMBER, MEMBER_REFUSED, oci_document_cpu, realtime_period, 0, UINT64_MAX),
        MEMBER_ROW("cpus", STRING, 0, oci_document_cpu, cpus),
        MEMBER_ROW("mems", STRING, 0, oci_document_cpu, mems),
        MEMBER_ROW_NUMBER("idle", NUMBER, 0, oci_document_cpu, idle, 0, 1),
};
static const struct member_type cpu = MEMBER_TYPE(oci_document_cpu, cpu_members);

static const struct member_row pids_members[] = {
        MEMBER_ROW_NUMBER("limit", NUMBER, 0, oci_document_pids, limit, INT64_MIN, INT64_MAX),
};
static const struct member_type pids = MEMBER_TYPE(oci_document_pids, pids_members);

static const struct member_row io_weight_members[] = {
        MEMBER_ROW_NUMBER("major", NUMBER, 0, oci_document_io_device, major, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("minor", NUMBER, 0, oci_document_io_device, minor, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("weight", NUMBER, 0, oci_document_io_device, weight, 0, UINT16_MAX),
        MEMBER_ROW_NUMBER("leafWeight", NUMBER, MEMBER_REFUSED, oci_document_io_device, leaf_weight, 0, UINT16_MAX),
};
static const struct member_type io_weight = MEMBER_TYPE(oci_document_io_device, io_weight_members);

static const struct member_row io_rate_members[] = {
        MEMBER_ROW_NUMBER("major", NUMBER, 0, oci_document_io_device, major, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("minor", NUMBER, 0, oci_document_io_device, minor, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("rate", NUMBER, 0, oci_document_io_device, rate, 0, UINT64_MAX),
};
static const struct member_type io_rate = MEMBER_TYPE(oci_document_io_device, io_rate_members);

static const struct member_row io_members[] = {
        MEMBER_ROW_NUMBER("weight", NUMBER, 0, oci_document_io, weight, 0, UINT16_MAX),
        MEMBER_ROW_NUMBER("leafWeight", NUMBER, MEMBER_REFUSED, oci_document_io, leaf_weight, 0, UINT16_MAX),
        MEMBER_ROW_OF("weightDevice", OBJECTS, 0, oci_document_io, weights, io_weight),
        MEMBER_ROW_OF("throttleReadBpsDevice", OBJECTS, 0, oci_document_io, read_bps, io_rate),
        MEMBER_ROW_OF("throttleWriteBpsDevice", OBJECTS, 0, oci_document_io, write_bps, io_rate),
        MEMBER_ROW_OF("throttleReadIOPSDevice", OBJECTS, 0, oci_document_io, read_iops, io_rate),
        MEMBER_ROW_OF("throttleWriteIOPSDevice", OBJECTS, 0, oci_document_io, write_iops, io_rate),
};
static const struct member_type io = MEMBER_TYPE(oci_document_io, io_members);

static const struct member_row hugetlb_members[] = {
        MEMBER_ROW("pageSize", STRING, 0, oci_document_hugetlb, page_size),
        MEMBER_ROW_NUMBER("limit", NUMBER, 0, oci_document_hugetlb, limit, 0, UINT64_MAX),
};
static const struct member_type hugetlb = MEMBER_TYPE(oci_document_hugetlb, hugetlb_members);

static const struct member_row priority_members[] = {
        MEMBER_ROW("name", STRING, 0, oci_document_priority, name),
        MEMBER_ROW_NUMBER("priority", NUMBER, 0, oci_document_priority, priority, 0, UINT32_MAX),
};
static const struct member_type priority = MEMBER_TYPE(oci_document_priority, priority_members);

static const struct member_row network_members[] = {
        MEMBER_ROW_NUMBER("classID", NUMBER, MEMBER_REFUSED, oci_document_network, class_id, 0, UINT32_MAX),
        MEMBER_ROW_OF("priorities", OBJECTS, MEMBER_REFUSED, oci_document_network, priorities, priority),
};
static const struct member_type network = MEMBER_TYPE(oci_document_network, network_members);

static const struct member_row rdma_members[] = {
        MEMBER_ROW_NUMBER("hcaHandles", NUMBER, 0, oci_document_rdma, handles, 0, UINT32_MAX),
        MEMBER_ROW_NUMBER("hcaObjects", NUMBER, 0, oci_document_rdma, objects, 0, UINT32_MAX),
};
static const struct member_type rdma = MEMBER_TYPE(oci_document_rdma, rdma_members);

/* What would silently not be limited is refused. */
static const struct member_row resources_members[] = {
        MEMBER_ROW_OF("devices", OBJECTS, 0, oci_document_resources, devices, device_rule),
        MEMBER_ROW_OF("memory", OBJECT, 0, oci_document_resources, memory, memory),
        MEMBER_ROW_OF("cpu", OBJECT, 0, oci_document_resources, cpu, cpu),
        MEMBER_ROW_OF("pids", OBJECT, 0, oci_document_resources, pids, pids),
        MEMBER_ROW_OF("blockIO", OBJECT, 0, oci_document_resources, io, io),
        MEMBER_ROW_OF("hugepageLimits", OBJECTS, 0, oci_document_resources, hugetlb, hugetlb),
        MEMBER_ROW_OF("network", OBJECT, 0, oci_document_resources, network, network),
        MEMBER_ROW_OF("rdma", OBJECT_MAP, MEMBER_REFUSED, oci_document_resources, rdma, rdma),
        MEMBER_ROW("unified", STRING_MAP, 0, oci_document_resources, unified),
};
const struct member_type oci_document_resources = MEMBER_TYPE(oci_document_resources, resources_members);
