/* The fields of a Service that depend on each other: clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/services/work.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

#define FOUR "IPv4"
#define SIX "IPv6"
#define SINGLE "SingleStack"
#define PREFER "PreferDualStack"
#define REQUIRE "RequireDualStack"

static bool is(const char *text, const char *word) {
        return kube_is(text, word);
}

static const char *first_of(const string_list *list) {
        return list->count > 0 ? list->items[0] : "";
}

int service_families_normalize(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        const struct kube_service_spec *old = w->old ? &w->old->spec : NULL;
        const char *now = spec->cluster_ip ?: "", *was = old && old->cluster_ip ? old->cluster_ip : "";

        if (!old)
                return *now && spec->cluster_ips.count == 0 ? service_list_add(w->arena, &spec->cluster_ips, now) : 0;
        if (spec->cluster_ips.count == 0 && strcmp(was, now) == 0)
                spec->cluster_ips = old->cluster_ips;
        if (strcmp(was, now) == 0 || !service_same_list(&old->cluster_ips, &spec->cluster_ips))
                return 0;
        spec->cluster_ips = (string_list){ 0 };
        return *was && !*now ? 0 : service_list_add(w->arena, &spec->cluster_ips, now);
}

static bool is_used(const struct kube_service *service, int32_t port) {
        list_for_each (p, &service->spec.ports)
                if (p->node_port == port)
                        return true;
        return false;
}

/* The node port that the port of this name had, unless another has it now. */
static int32_t port_before(const struct service_work *w, const char *name) {
        int32_t port = 0;

        list_for_each (p, &w->old->spec.ports)
                if (strcmp(p->name ?: "", name ?: "") == 0)
                        port = p->node_port;
        return port && is_used(w->service, port) ? 0 : port;
}

int service_families_keep(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        const struct kube_service_spec *old = &w->old->spec;
        struct kube_service before = *w->service;

        if (service_has_addresses(w->old) && service_has_addresses(w->service)) {
                if (!spec->cluster_ip || !*spec->cluster_ip)
                        spec->cluster_ip = old->cluster_ip;
                if (spec->cluster_ips.count == 0)
                        spec->cluster_ips = old->cluster_ips;
        }
        if (service_has_node_ports(w->old) && service_has_node_ports(&before)) {
                int32_t *found = arena_alloc_array(w->arena, (size_t)spec->ports.count + 1, sizeof(*found));

                if (!found)
                        return -ENOMEM;
                for (uint32_t i = 0; i < spec->ports.count; i++)
                        if (spec->ports.items[i].node_port == 0)
                                found[i] = port_before(w, spec->ports.items[i].name);
                for (uint32_t i = 0; i < spec->ports.count; i++)
                        if (found[i])
                                spec->ports.items[i].node_port = found[i];
        }
        if (service_has_health_port(w->old) && service_has_health_port(w->service) && spec->health_check_node_port == 0)
                spec->health_check_node_port = old->health_check_node_port;
        return 0;
}

/* --- what is said has to fit --- */

static void check_one_said(struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec;
        const char *one = spec->cluster_ip ?: "", *list = service_list_text(w->arena, &spec->cluster_ips);

        if (*one && spec->cluster_ips.count == 0)
                problem_error(&w->problems, "spec.clusterIPs", "Required value");
        else if (*one && strcmp(first_of(&spec->cluster_ips), one) != 0)
                problem_error(&w->problems, "spec.clusterIPs", "Invalid value: %s: first value must match `clusterIP`",
                              list);
        else if (!*one && spec->cluster_ips.count > 0)
                problem_error(&w->problems, "spec.clusterIPs",
                              "Invalid value: %s: must be empty when `clusterIP` is not specified", list);
}

static void check_families(struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec;

        for (uint32_t i = 0; i < spec->ip_families.count; i++) {
                const char *family = spec->ip_families.items[i];
                char path[48];
                bool twice = false;

                snprintf(path, sizeof(path), "spec.ipFamilies[%u]", i);
                if (!is(family, FOUR) && !is(family, SIX))
                        problem_error(&w->problems, path,
                                      "Unsupported value: \"%s\": supported values: \"IPv4\", \"IPv6\"", family);
                for (uint32_t j = 0; j < i; j++)
                        twice |= strcmp(spec->ip_families.items[j], family) == 0;
                if (twice)
                        problem_error(&w->problems, path, "Duplicate value: \"%s\"", family);
        }
        if (spec->ip_family_policy && !is(spec->ip_family_policy, SINGLE) && !is(spec->ip_family_policy, PREFER) &&
            !is(spec->ip_family_policy, REQUIRE))
                problem_error(&w->problems, "spec.ipFamilyPolicy",
                              "Unsupported value: \"%s\": supported values: \"PreferDualStack\", "
                              "\"RequireDualStack\", \"SingleStack\"",
                              spec->ip_family_policy);
}

/* Whether each is an address, or "None" alone. */
static bool check_addresses(struct service_work *w) {
        const string_list *list = &w->service->spec.cluster_ips;
        bool fine = true;

        for (uint32_t i = 0; i < list->count; i++) {
                struct cluster_ip address;
                char path[48];

                snprintf(path, sizeof(path), "spec.clusterIPs[%u]", i);
                if (i == 0 && is(list->items[i], "None")) {
                        fine &= list->count == 1;
                        if (list->count > 1)
                                problem_error(&w->problems, "spec.clusterIPs",
                                              "Invalid value: %s: 'None' must be the first and only value",
                                              service_list_text(w->arena, list));
                        continue;
                }
                if (cluster_ip_parse(list->items[i], &address))
                        continue;
                problem_error(&w->problems, path,
                              "Invalid value: \"%s\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
                              list->items[i]);
                fine = false;
        }
        if (list->count > 2)
                problem_error(&w->problems, "spec.clusterIPs", "Invalid value: %s: may only hold up to 2 values",
                              service_list_text(w->arena, list));
        return fine;
}

static bool is_six(const char *address) {
        return strchr(address, ':');
}

static void check_pairs(struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec;
        const string_list *ips = &spec->cluster_ips;

        if (ips->count > 1 && (ips->count != 2 || is_six(ips->items[0]) == is_six(ips->items[1])))
                problem_error(&w->problems, "spec.clusterIPs",
                              "Invalid value: %s: may specify no more than one IP for each IP family",
                              service_list_text(w->arena, ips));
        for (uint32_t i = 0; !service_is_headless(w->service) && i < ips->count && i < spec->ip_families.count; i++) {
                bool six = is_six(ips->items[i]);
                const char *family = spec->ip_families.items[i];
                char path[48];

                snprintf(path, sizeof(path), "spec.clusterIPs[%u]", i);
                if ((is(family, FOUR) && six) || (is(family, SIX) && !six))
                        problem_error(&w->problems, path,
                                      "Invalid value: \"%s\": expected an %s value as indicated by `ipFamilies[%u]`",
                                      ips->items[i], family, i);
        }
}

static int check(struct service_work *w) {
        check_one_said(w);
        check_families(w);
        if (check_addresses(w))
                check_pairs(w);
        return w->problems.errors > 0 ? -EINVAL : 0;
}

/* --- what follows of it --- */

static void refuse_policy(struct service_work *w, const char *words) {
        problem_error(&w->problems, "spec.ipFamilyPolicy", "Invalid value: \"%s\": %s",
                      w->service->spec.ip_family_policy, words);
}

/* Who goes from two families to one says so by the policy. */
static void release(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        const struct kube_service_spec *old = &w->old->spec;

        if (is(spec->ip_family_policy, SINGLE)) {
                if (service_same_list(&old->cluster_ips, &spec->cluster_ips) && spec->cluster_ips.count > 1)
                        spec->cluster_ips.count = 1;
                if (service_same_list(&old->ip_families, &spec->ip_families) && spec->ip_families.count > 1)
                        spec->ip_families.count = 1;
                return;
        }
        if (spec->cluster_ips.count > 0 && spec->cluster_ips.count < old->cluster_ips.count)
                refuse_policy(w, "must be 'SingleStack' to release the secondary cluster IP");
        if (spec->ip_families.count > 0 && spec->ip_families.count < old->ip_families.count)
                refuse_policy(w, "must be 'SingleStack' to release the secondary IP family");
}

static bool has_family(const struct service_work *w, bool six) {
        return w->services->both || w->services->six == six;
}

/* Families of the addresses that are asked for. */
static int infer(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        const string_list *ips = &spec->cluster_ips;
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < ips->count && !is(ips->items[i], "None"); i++) {
                bool six = is_six(ips->items[i]);
                char path[48];

                if (i < spec->ip_families.count)
                        continue;
                snprintf(path, sizeof(path), "spec.clusterIPs[%u]", i);
                if (has_family(w, six))
                        r = service_list_add(w->arena, &spec->ip_families, cluster_ip_family(six));
                else
                        problem_error(&w->problems, path, "Invalid value: %s: %s is not configured on this cluster",
                                      service_list_text(w->arena, ips), cluster_ip_family(six));
        }
        return r;
}

static int add_default(struct service_work *w) {
        string_list *families = &w->service->spec.ip_families;

        return families->count > 0 ? 0 : service_list_add(w->arena, families, cluster_ip_family(w->services->six));
}

static int add_other(struct service_work *w) {
        string_list *families = &w->service->spec.ip_families;

        if (families->count != 1 || is(w->service->spec.ip_family_policy, SINGLE))
                return 0;
        return service_list_add(w->arena, families, is(first_of(families), FOUR) ? SIX : FOUR);
}

static int check_configured(struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec;

        if (is(spec->ip_family_policy, REQUIRE) && !w->services->both)
                refuse_policy(w, "this cluster is not configured for dual-stack services");
        for (uint32_t i = 0; i < spec->ip_families.count; i++) {
                char path[48];

                snprintf(path, sizeof(path), "spec.ipFamilies[%u]", i);
                if (!has_family(w, is(spec->ip_families.items[i], SIX)))
                        problem_error(&w->problems, path, "Invalid value: \"%s\": not configured on this cluster",
                                      spec->ip_families.items[i]);
        }
        return w->problems.errors > 0 ? -EINVAL : 0;
}

/* A Service that would have two families if they were there is left as it was when the cluster has changed. */
bool service_families_settled(const struct service_work *w) {
        const struct kube_service_spec *spec = &w->service->spec, *old = w->old ? &w->old->spec : NULL;

        return old && kube_is(old->type, spec->type) && service_has_addresses(w->service) &&
               is(spec->ip_family_policy, PREFER) && is(old->ip_family_policy, PREFER) &&
               service_same_list(&old->cluster_ips, &spec->cluster_ips) &&
               service_same_list(&old->ip_families, &spec->ip_families);
}

static const char *usual_policy(const struct service_work *w) {
        if (w->old && w->old->spec.ip_family_policy)
                return w->old->spec.ip_family_policy;
        return service_is_headless(w->service) && w->service->spec.selector.count == 0 ? REQUIRE : SINGLE;
}

int service_families_choose(struct service_work *w) {
        struct kube_service_spec *spec = &w->service->spec;
        int r;

        if (!service_has_addresses(w->service) || service_families_settled(w))
                return 0;
        if (!spec->ip_family_policy)
                spec->ip_family_policy = usual_policy(w);
        r = check(w);
        if (r < 0)
                return r;
        if (w->old)
                release(w);
        if (is(spec->ip_family_policy, SINGLE) && spec->cluster_ips.count == 2)
                refuse_policy(
                        w, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
        if (is(spec->ip_family_policy, SINGLE) && spec->ip_families.count == 2)
                refuse_policy(
                        w, "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
        r = infer(w) ?: w->problems.errors > 0 ? -EINVAL : 0;
        if (r < 0)
                return r;
        /* Whose endpoints somebody else names, of whichever family. */
        if (service_is_headless(w->service) && spec->selector.count == 0)
                return add_default(w) ?: add_other(w);
        return check_configured(w) ?: add_default(w) ?: w->services->both ? add_other(w) : 0;
}
