/* The command line and the configuration file: flags with kube-apiserver's names where it has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/controllers/node_config.h"
#include "kube/types.h"
#include "lib/log.h"

struct arena;
struct err;

#define API_PORT 6443

enum api_command { API_SERVE, API_BACKUP, API_RESTORE };

struct api_config {
        enum api_command command;
        const char *file;        /* of a backup */
        struct arena *from_file; /* what --config gave: lives as long as the configuration; NULL: none */
        const char *config_file, *data_dir;
        const char *bind_address;
        const char *service_range; /* --service-cluster-ip-range */
        const char *node_ports;    /* --service-node-port-range */
        const char *advertised;    /* --advertise-address; NULL: not given */
        const char *certificate, *key, *client_ca;
        const char *kubelet_certificate, *kubelet_key;    /* --kubelet-client-certificate, -key; NULL: api/pki's */
        const char *kubelet_ca;                           /* --kubelet-certificate-authority; NULL: none is asked for */
        const char *kubelet_types;                        /* --kubelet-preferred-address-types */
        int64_t kubelet_timeout_ns;                       /* --kubelet-timeout */
        const char *extra_names;                          /* --cert-extra-sans; NULL: none */
        const char *controllers;                          /* which of them run; NULL: all */
        bool scheduler;                                   /* whether it places pods, too */
        const char *enable_admission, *disable_admission; /* plugins, by name */
        struct node_config nodes;
        unsigned not_ready_s, unreachable_s; /* --default-not-ready-toleration-seconds ... */
        int64_t compaction_ns;               /* --etcd-compaction-interval; 0: nothing is compacted */
        const char *event_ttl;               /* as given; */
        int64_t event_ttl_s;                 /* read; 0: events stay */
        uint64_t unused_tokens_ns;           /* for how long tokens of Secrets stay that nobody uses */
        bool extend_tokens;                  /* those of pods' volumes live for a year */
        unsigned port, loops;
        unsigned reads_max, writes_max;       /* --max-requests-inflight, --max-mutating-requests-inflight */
        int64_t request_timeout_ns;           /* --request-timeout */
        int64_t shutdown_delay_ns;            /* --shutdown-delay-duration */
        const char *audit_policy, *audit_log; /* files; NULL: nothing is audited */
        unsigned audit_max_mib, audit_max_files, audit_max_days;
        double goaway_chance; /* --goaway-chance */
        enum log_level log_level;
        bool show_help, show_version;
};

/* Reads --config's file, which the other flags outrank, and the flags, in which @argv's texts stay. -EINVAL with what
 * is wrong and where. Whatever it returns: api_config_deinit() then. */
int api_config_parse(int argc, char **argv, struct api_config *ret_config, struct err **err);

void api_config_deinit(struct api_config *config);

/* The first address of --service-cluster-ip-range: that of the API itself. -EINVAL when it is no range. */
int api_config_service(const struct api_config *config, char *ret_text, size_t size, struct err **err);

/* All flags with what holds for them, in the order of their names, as Go's programs write such; in @arena, where what
 * was given is not copied. 0 or -ENOMEM. */
int api_config_flags(const struct api_config *config, struct arena *arena, string_map *ret_flags);

const char *api_config_help(void);
