/* What the filter of bpf/devices.bpf.c reads, and its loader writes: the rules of one cgroup. */
#pragma once

#include <linux/types.h>

#define BPF_DEVICES_MAX 512
#define BPF_DEVICES_ANY 0xffffffffu

struct bpf_device_rule {
        __u32 type;         /* BPF_DEVCG_DEV_CHAR, BPF_DEVCG_DEV_BLOCK, 0 for both */
        __u32 major, minor; /* BPF_DEVICES_ANY: every one */
        __u16 access;       /* bits BPF_DEVCG_ACC_* */
        __u16 allow;
};

/* The last rule that names a device and a bit decides about it; what none names is denied. */
struct bpf_device_rules {
        __u32 n;
        struct bpf_device_rule rules[BPF_DEVICES_MAX];
};
