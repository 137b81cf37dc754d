/* A cgroup's device filter. One program for all cgroups, whose rules are what the kernel stores for the cgroup that it
 * is attached to; zeroes, which deny all, until they are written. */
#include "bpf/devices.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
        __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
        __type(key, struct bpf_cgroup_storage_key);
        __type(value, struct bpf_device_rules);
} device_rules SEC(".maps");

struct question {
        const struct bpf_device_rules *rules;
        __u32 type, major, minor, wanted; /* bits of access that no rule has decided about */
        __u32 denied;
};

static int names(const struct bpf_device_rule *rule, const struct question *question) {
        return (!rule->type || rule->type == question->type) &&
               (rule->major == BPF_DEVICES_ANY || rule->major == question->major) &&
               (rule->minor == BPF_DEVICES_ANY || rule->minor == question->minor);
}

/* The rule that is @turn places from the last; 1 ends it. */
static long ask(__u32 turn, void *data) {
        struct question *question = data;
        __u32 i = question->rules->n - 1 - turn;
        const struct bpf_device_rule *rule;

        if (i >= BPF_DEVICES_MAX)
                return 1;
        rule = &question->rules->rules[i];
        if (!names(rule, question))
                return 0;
        if (rule->allow)
                question->wanted &= ~(__u32)rule->access;
        else
                question->denied = question->wanted & rule->access;
        return question->denied || !question->wanted;
}

SEC("cgroup/dev") int nacelle_devices_c(struct bpf_cgroup_dev_ctx *context) {
        struct question question = {
                .rules = bpf_get_local_storage(&device_rules, 0),
                .type = context->access_type & 0xffff,
                .wanted = context->access_type >> 16,
                .major = context->major,
                .minor = context->minor,
        };

        bpf_loop(question.rules->n, ask, &question, 0);
        return !question.denied && !question.wanted;
}

char terms[] SEC("license") = "Apache-2.0"; /* no helper is called that asks for more */
