/* The command line: flags with kube-apiserver's names where it has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/log.h"

struct err;

#define API_PORT 6443

struct api_config {
        const char *data_dir;
        const char *bind_address;
        const char *service_range; /* --service-cluster-ip-range */
        const char *certificate, *key, *client_ca;
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

/* Texts are argv's. -EINVAL with the flag's name and what is wrong. */
int api_config_parse(int argc, char **argv, struct api_config *ret_config, struct err **err);

/* The first address of --service-cluster-ip-range: that of the API itself. -EINVAL when it is no range. */
int api_config_service(const struct api_config *config, char *ret_text, size_t size, struct err **err);

const char *api_config_help(void);
