#include "api/controllers/node_config.h"

#include <errno.h>
#include <string.h>

#include "api/controllers/node_cidrs.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define PREFIX_FOUR 24
#define PREFIX_SIX 64

/* Where nobody says: the first that Services leave free. */
static const char *const usual_ranges[] = { "10.244.0.0/16", "10.128.0.0/16", "fd00:10:244::/56", "fd00:10:128::/56" };

/* Reads @text, "RANGE" or "RANGE,RANGE" of two families. */
static int read_list(const char *flag, const char *text, struct ip_cidr ret_ranges[NODE_RANGES_MAX], unsigned *ret_n,
                     struct err **err) {
        char one[IP_CIDR_TEXT_MAX];
        const char *at = text;
        unsigned n = 0;
        size_t length;

        do {
                length = strcspn(at, ",");

                if (n == NODE_RANGES_MAX)
                        return err_set(err, EINVAL, "--%s %s: give one range, or one of each family", flag, text);
                if (length >= sizeof(one))
                        return err_set(err, EINVAL, "--%s %s: give a range such as 10.244.0.0/16", flag, text);
                memcpy(one, at, length);
                one[length] = '\0';
                if (ip_cidr_parse(one, &ret_ranges[n], err) < 0)
                        return err_wrap(err, -EINVAL, "--%s", flag);
                ret_ranges[n].ip = ip_cidr_base(&ret_ranges[n]);
                if (n == 1 && ret_ranges[0].ip.family == ret_ranges[1].ip.family)
                        return err_set(err, EINVAL, "--%s %s: give one range, or one of each family", flag, text);
                n++;
                at += length + 1;
        } while (at[-1] == ',');
        *ret_n = n;
        return 0;
}

static bool is_free(const struct node_config *c, const struct ip_cidr *range) {
        for (unsigned i = 0; i < c->n_services; i++)
                if (node_cidrs_meet(range, &c->services[i]))
                        return false;
        return true;
}

/* A range for each family that Services have. */
static int choose(struct node_config *c, struct ip_cidr ret_ranges[NODE_RANGES_MAX], unsigned *ret_n,
                  struct err **err) {
        struct ip_cidr range;
        unsigned n = 0;

        for (unsigned i = 0; i < c->n_services; i++)
                for (size_t u = 0; n == i && u < ELEMENTS(usual_ranges); u++)
                        if (ip_cidr_parse(usual_ranges[u], &range, NULL) == 0 &&
                            range.ip.family == c->services[i].ip.family && is_free(c, &range))
                                ret_ranges[n++] = range;
        if (n < c->n_services)
                return err_set(err, EINVAL, "--service-cluster-ip-range leaves no range for pods: give --cluster-cidr");
        *ret_n = n;
        return 0;
}

static int read_prefix(const struct node_config *c, const struct ip_cidr *range, unsigned n,
                       struct node_range *ret_range, struct err **err) {
        bool six = range->ip.family == AF_INET6;
        const char *flag = c->prefix ? "node-cidr-mask-size" :
                           six       ? "node-cidr-mask-size-ipv6" :
                                       "node-cidr-mask-size-ipv4";
        unsigned own = six ? c->prefix_six : c->prefix_four, usual = six ? PREFIX_SIX : PREFIX_FOUR, prefix;

        if (c->prefix && n > 1)
                return err_set(
                        err, EINVAL,
                        "--node-cidr-mask-size %u: there are two families; give --node-cidr-mask-size-ipv4 and -ipv6",
                        c->prefix);
        prefix = own ?: c->prefix ?: usual;
        if (node_cidrs_check(range, prefix, err) < 0)
                return err_wrap(err, -EINVAL, "--%s %u", flag, prefix);
        *ret_range = (struct node_range){ *range, (uint8_t)prefix };
        return 0;
}

int node_config_read(struct node_config *config, const char *services, struct err **err) {
        struct ip_cidr ranges[NODE_RANGES_MAX];
        unsigned n = 0;
        int r = read_list("service-cluster-ip-range", services, config->services, &config->n_services, err);

        config->n_ranges = 0;
        if (r < 0 || !config->allocate)
                return r;
        r = config->cluster ? read_list("cluster-cidr", config->cluster, ranges, &n, err) :
                              choose(config, ranges, &n, err);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < n; i++)
                if ((r = read_prefix(config, &ranges[i], n, &config->ranges[i], err)) < 0)
                        return r;
        config->n_ranges = n;
        return 0;
}
