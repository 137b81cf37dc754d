/* Roles and bindings that come, change and go; ten thousand of them; the default ones that are put right again. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/auth/attributes.h"
#include "api/auth/impersonate.h"
#include "api/auth/text.h"
#include "api/auth/user.h"
#include "api/rbac/defaults.h"
#include "api/rbac/escalation.h"
#include "api/rbac/nodes.h"
#include "api/rbac/rbac.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/http/message.h"
#include "lib/json.h"
#include "lib/value.h"

static struct arena *arena;
static struct rbac *rbac;
static struct auth_authorizer chain[2];

static int set_up(void **state) {
        arena = arena_new();
        rbac = rbac_new();
        chain[0] = auth_masters;
        chain[1] = rbac_authorizer(rbac);
        return 0;
}

static int tear_down(void **state) {
        rbac_free(rbac);
        arena_free(arena);
        return 0;
}

static string_list words(const char *text) {
        string_list list = { 0 };
        char *rest = arena_strdup(arena, text);

        while (rest && rest[0])
                assert_int_equal(auth_list_add(arena, &list, strsep(&rest, " ")), 0);
        return list;
}

static void set_role(const char *name, const char *verbs, const char *resources) {
        struct kube_rbac_v1_policy_rule rule = { .verbs = words(verbs), .resources = words(resources) };
        struct kube_rbac_v1_cluster_role role = { .metadata.name = name, .rules = { &rule, 1 } };

        assert_int_equal(auth_list_add(arena, &rule.api_groups, ""), 0);
        assert_int_equal(rbac_set_cluster_role(rbac, &role), 0);
}

static void bind(const char *namespace, const char *name, const char *role, const char *kind, const char *subject) {
        struct kube_rbac_v1_subject s = { .kind = kind, .name = subject };
        struct kube_rbac_v1_role_binding b = { .metadata = { .namespace = namespace, .name = name },
                                               .subjects = { &s, 1 },
                                               .role_ref = { .kind = "ClusterRole", .name = role } };

        if (namespace[0])
                assert_int_equal(rbac_set_role_binding(rbac, &b), 0);
        else
                assert_int_equal(rbac_set_cluster_role_binding(
                                         rbac, &(struct kube_rbac_v1_cluster_role_binding){ .metadata.name = name,
                                                                                            .subjects = { &s, 1 },
                                                                                            .role_ref = b.role_ref }),
                                 0);
}

static bool may(const char *user, const char *groups, const char *verb, const char *resource, const char *namespace) {
        const struct auth_user who = { .name = user, .groups = words(groups) };
        struct auth_attributes a = AUTH_ATTRIBUTES(&who);

        a.is_resource = true;
        a.verb = verb;
        a.resource = resource;
        a.namespace = namespace;
        return auth_authorize(chain, 2, &a, arena).decision == AUTH_ALLOW;
}

static void test_what_changes_counts_at_once(void **state) {
        bind("", "b", "reader", "User", "jane");
        assert_false(may("jane", "", "get", "pods", ""));
        set_role("reader", "get", "pods");
        assert_true(may("jane", "", "get", "pods", ""));
        set_role("reader", "list", "pods");
        assert_false(may("jane", "", "get", "pods", ""));
        assert_true(may("jane", "", "list", "pods", ""));
        bind("", "b", "reader", "Group", "jane");
        assert_false(may("jane", "", "list", "pods", ""));
        assert_true(may("x", "a jane", "list", "pods", "anywhere"));
        rbac_forget(rbac, "clusterrolebindings", "", "b");
        assert_false(may("x", "jane", "list", "pods", ""));
        bind("here", "b", "reader", "User", "jane");
        assert_true(may("jane", "", "list", "pods", "here"));
        assert_false(may("jane", "", "list", "pods", "there"));
        assert_false(may("jane", "", "list", "pods", ""));
        rbac_forget(rbac, "clusterroles", "", "reader");
        assert_false(may("jane", "", "list", "pods", "here"));
        rbac_forget(rbac, "rolebindings", "here", "b");
        rbac_forget(rbac, "rolebindings", "here", "b");
        assert_true(may("x", "system:masters", "list", "pods", ""));
}

/* A name that looks like a key is a name. */
static void test_names_are_not_keys(void **state) {
        set_role("reader", "get", "pods");
        bind("", "b", "reader", "Group", "devs");
        bind("here", "c", "reader", "User", "jane");
        assert_false(may("\nGdevs", "", "get", "pods", ""));
        assert_false(may("devs", "", "get", "pods", ""));
        assert_false(may("x", "here\nUjane", "get", "pods", ""));
        assert_false(may("jane", "", "get", "pods", "here\n"));
}

static void test_ten_thousand_bindings(void **state) {
        struct timespec a, b;
        char name[32], user[32];
        double each;

        set_role("reader", "get", "pods");
        for (unsigned i = 0; i < 10000; i++) {
                snprintf(name, sizeof(name), "b%u", i);
                snprintf(user, sizeof(user), "user-%u", i % 5000);
                bind(i % 2 ? name : "", name, "reader", i % 3 ? "User" : "Group", user);
        }
        assert_true(may("user-4", "", "get", "pods", ""));
        assert_false(may("nobody", "system:authenticated", "get", "pods", "b7"));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (unsigned i = 0; i < 2000; i++) {
                const struct auth_user who = { .name = "user-7",
                                               .groups = { (const char *[]){ "a", "b", "system:authenticated" }, 3 } };
                struct auth_attributes q = AUTH_ATTRIBUTES(&who);

                q.is_resource = true;
                q.verb = "delete";
                q.resource = "pods";
                q.namespace = "b7";
                assert_int_equal(auth_authorize(chain, 2, &q, arena).decision, AUTH_NO_OPINION);
                arena_reset(arena);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        each = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 2000 / 1000;
        print_message("a refusal among 10,000 bindings: %.1f us\n", each);
        assert_true(each < 500); /* walking all would be more, in a sanitized build too */
        for (unsigned i = 0; i < 10000; i++) {
                snprintf(name, sizeof(name), "b%u", i);
                rbac_forget(rbac, i % 2 ? "rolebindings" : "clusterrolebindings", i % 2 ? name : "", name);
        }
        assert_false(may("user-4", "", "get", "pods", ""));
}

static void test_covering(void **state) {
        static const struct {
                const char *owned[5], *asked[5]; /* verbs, groups, resources, names, paths */
                bool covers;
        } cases[] = {
                { { "get list", "g", "pods" }, { "get", "g", "pods" }, true },
                { { "get", "g", "pods" }, { "get list", "g", "pods" }, false },
                { { "*", "*", "*" }, { "get *", "a b", "pods/log *", "n" }, true },
                { { "get", "g", "*/scale" }, { "get", "g", "a/scale b/scale" }, true },
                { { "get", "g", "*/scale" }, { "get", "g", "a" }, false },
                { { "get", "g", "pods", "a b" }, { "get", "g", "pods", "b" }, true },
                { { "get", "g", "pods", "a" }, { "get", "g", "pods" }, false },
                { { "get", "", "", "", "/a/*" }, { "get", "", "", "", "/a/b /a/*" }, true },
                { { "get", "", "", "", "/a/*" }, { "get", "", "", "", "/a" }, false },
                { { "get", "", "", "", "*" }, { "get", "", "", "", "/x" }, true },
                { { "get", "g", "pods" }, { "get", "g", "*" }, false },
        };

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct kube_rbac_v1_policy_rule rules[2];
                rbac_rules owned = { &rules[0], 1 }, asked = { &rules[1], 1 }, missing;

                for (unsigned k = 0; k < 2; k++) {
                        const char *const *from = k ? cases[i].asked : cases[i].owned;

                        rules[k] = (struct kube_rbac_v1_policy_rule){ words(from[0]), words(from[1]), words(from[2]),
                                                                      words(from[3] ?: ""), words(from[4] ?: "") };
                }
                if (rbac_covers(arena, &owned, &asked, RBAC_TEXTS_MAX, &missing) != cases[i].covers)
                        fail_msg("case %u", i);
        }
}

/* What nobody has, and what somebody has after very many others. */
static void test_covering_is_bounded(void **state) {
        static const char *texts[3000];
        struct kube_rbac_v1_policy_rule rules[2] = { { words("get"), words("g"), words("pods"), words(""),
                                                       words("") } };
        rbac_rules owned = { &rules[0], 1 }, asked = { &rules[1], 1 }, missing;

        for (unsigned i = 0; i < 3000; i++)
                assert_non_null(texts[i] = arena_printf(arena, "t%u", i));
        rules[1] = (struct kube_rbac_v1_policy_rule){
                { texts, 3000 }, { texts, 3000 }, { texts, 3000 }, words(""), words("")
        };
        assert_int_equal(rbac_covers(arena, &owned, &asked, RBAC_TEXTS_MAX, &missing), -E2BIG);
        owned = (rbac_rules){ &rules[1], 1 };
        assert_int_equal(rbac_covers(arena, &owned, &asked, RBAC_TEXTS_MAX, &missing), -E2BIG);
        rules[1].verbs.count = rules[1].api_groups.count = 1;
        assert_int_equal(rbac_covers(arena, &owned, &asked, RBAC_TEXTS_MAX, &missing), 1);
        assert_int_equal(rbac_covers(arena, &(rbac_rules){ 0 }, &asked, RBAC_TEXTS_MAX, &missing), 0);
        assert_int_equal(missing.count, 3000);
}

static void test_default_roles_are_put_right(void **state) {
        struct rbac_defaults d;
        enum rbac_change change;
        struct kube_rbac_v1_cluster_role made, again;
        struct kube_rbac_v1_cluster_role_binding binding;
        const struct kube_rbac_v1_cluster_role *basic = NULL;
        struct string_pair off = { RBAC_AUTOUPDATE, "false" };

        assert_int_equal(rbac_defaults(arena, &d), 0);
        assert_int_equal(d.cluster_roles.count, 71); /* one of them is metrics-server's, one nacelle's agents' */
        assert_int_equal(d.cluster_role_bindings.count, 51);
        assert_int_equal(d.roles.count, 7);
        assert_int_equal(d.role_bindings.count, 7);
        list_for_each (role, &d.cluster_roles) {
                assert_int_equal(rbac_reconcile_cluster_role(arena, role, role, &change, &made), 0);
                assert_int_equal(change, RBAC_KEEP);
                if (strcmp(role->metadata.name, "system:basic-user") == 0)
                        basic = role;
        }
        assert_int_equal(rbac_reconcile_cluster_role(arena, basic, NULL, &change, &made), 0);
        assert_int_equal(change, RBAC_CREATE);
        made.rules.count = 1; /* the second was taken away */
        assert_int_equal(rbac_reconcile_cluster_role(arena, basic, &made, &change, &again), 0);
        assert_int_equal(change, RBAC_UPDATE);
        assert_int_equal(again.rules.count, 2);
        made.metadata.annotations = (string_map){ &off, 1 };
        assert_int_equal(rbac_reconcile_cluster_role(arena, basic, &made, &change, &again), 0);
        assert_int_equal(change, RBAC_KEEP);
        binding = d.cluster_role_bindings.items[0];
        binding.role_ref.name = "view";
        assert_int_equal(rbac_reconcile_cluster_role_binding(arena, &d.cluster_role_bindings.items[0], &binding,
                                                             &change, &binding),
                         0);
        assert_int_equal(change, RBAC_RECREATE);
        assert_string_equal(binding.role_ref.name, "cluster-admin");
        binding.subjects.count = 0;
        assert_int_equal(rbac_reconcile_cluster_role_binding(arena, &d.cluster_role_bindings.items[0], &binding,
                                                             &change, &binding),
                         0);
        assert_int_equal(change, RBAC_UPDATE);
        assert_int_equal(binding.subjects.count, 1);
}

/* Beside what the Node authorizer lets them: of others' Nodes no more than the network of the cluster needs. */
static void test_what_nodes_hear_of_others(void **state) {
        struct rbac_defaults d;

        assert_int_equal(rbac_defaults(arena, &d), 0);
        list_for_each (role, &d.cluster_roles)
                assert_int_equal(rbac_set_cluster_role(rbac, role), 0);
        list_for_each (binding, &d.cluster_role_bindings)
                assert_int_equal(rbac_set_cluster_role_binding(rbac, binding), 0);
        assert_true(may("system:node:n1", "system:nodes", "list", "nodes", ""));
        assert_true(may("system:node:n1", "system:nodes", "watch", "nodes", ""));
        assert_true(may("system:node:n1", "system:nodes", "watch", "services", ""));
        assert_false(may("system:node:n1", "system:nodes", "get", "nodes", ""));
        assert_false(may("system:node:n1", "system:nodes", "watch", "endpoints", ""));
        assert_false(may("system:node:n1", "system:nodes", "patch", "events", "default"));
        assert_false(may("system:node:n1", "", "list", "nodes", ""));
        assert_true(may("system:kube-proxy", "", "get", "nodes", "")); /* whose role is as it was */
}

static int impersonate(const char *who, const char *const *fields, struct auth_impersonated *ret) {
        const struct auth_user user = { .name = who };
        struct auth_attributes a = AUTH_ATTRIBUTES(&user);
        struct http_fields list = { 0 };

        a.is_resource = true;
        a.verb = "list";
        a.resource = "pods";
        for (; fields[0]; fields += 2)
                assert_int_equal(
                        http_fields_add(&list, arena, fields[0], strlen(fields[0]), fields[1], strlen(fields[1])), 0);
        *ret = (struct auth_impersonated){ .message = "" };
        return auth_impersonate(&list, &a, chain, 2, arena, ret);
}

static const struct {
        const char *who, *fields[9], *result; /* name, groups; or the message */
        int r;
} impersonations[] = {
        { "boss", { NULL }, "", 1 },
        { "boss", { "Impersonate-User", "" }, "", 1 }, /* without a text it is as if it were not there */
        { "boss", { "Impersonate-Uid", "" }, "", 1 },
        { "old", { "Impersonate-User", "jane", "Impersonate-Uid", "" }, "jane system:authenticated", 0 },
        { "boss", { "Impersonate-User", "", "Impersonate-User", "jane" }, "", 1 }, /* the first of them counts */
        { "boss", { "Impersonate-User", "jane" }, "jane system:authenticated", 0 },
        { "boss",
          { "Impersonate-User", "jane", "Impersonate-Group", "a", "Impersonate-Group", "system:unauthenticated" },
          "jane a system:unauthenticated",
          0 },
        { "boss", { "Impersonate-User", "system:anonymous" }, "system:anonymous system:unauthenticated", 0 },
        { "boss",
          { "Impersonate-User", "system:serviceaccount:web:robot" },
          "system:serviceaccount:web:robot system:serviceaccounts system:serviceaccounts:web "
          "system:authenticated",
          0 },
        { "boss",
          { "Impersonate-Group", "jane" },
          "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"jane\"}, "
          "Extra:map[string][]string(nil)} without impersonating a user name",
          -EINVAL },
        { "boss",
          { "Impersonate-Extra-Scopes", "x" },
          "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string(nil), "
          "Extra:map[string][]string{\"scopes\":[]string{\"x\"}}} without impersonating a user name",
          -EINVAL },
        { "imp",
          { "Impersonate-User", "jane" },
          "pods is forbidden: User \"imp\" cannot impersonate-on:user-info:list resource \"pods\" in API group "
          "\"\" at the cluster scope",
          -EACCES },
        { "imp",
          { "Impersonate-User", "system:serviceaccount:web:robot" },
          "pods is forbidden: User \"imp\" cannot impersonate-on:serviceaccount:list resource \"pods\" in API "
          "group \"\" at the cluster scope",
          -EACCES },
        { "imp",
          { "Impersonate-User", "system:node:n1" },
          "pods is forbidden: User \"imp\" cannot impersonate-on:arbitrary-node:list resource \"pods\" in API "
          "group \"\" at the cluster scope",
          -EACCES },
        { "c1", { "Impersonate-User", "jane", "Impersonate-Group", "a" }, "jane a system:authenticated", 0 },
        { "c1",
          { "Impersonate-User", "jane", "Impersonate-Group", "b" },
          "groups.authentication.k8s.io \"b\" is forbidden: User \"c1\" cannot impersonate:user-info resource "
          "\"groups\" in API group \"authentication.k8s.io\" at the cluster scope",
          -EACCES },
        { "c1",
          { "Impersonate-User", "joe" },
          "users.authentication.k8s.io \"joe\" is forbidden: User \"c1\" cannot impersonate:user-info resource "
          "\"users\" in API group \"authentication.k8s.io\" at the cluster scope",
          -EACCES },
        { "c3", { "Impersonate-User", "system:node:n1" }, "system:node:n1 system:nodes system:authenticated", 0 },
        { "c3",
          { "Impersonate-User", "system:node:n1", "Impersonate-Group", "system:nodes" },
          "users \"system:node:n1\" is forbidden: User \"c3\" cannot impersonate resource \"users\" in API "
          "group \"\" at the cluster scope",
          -EACCES },
        { "c3",
          { "Impersonate-User", "system:node:n2" },
          "nodes.authentication.k8s.io \"n2\" is forbidden: User \"c3\" cannot impersonate:arbitrary-node "
          "resource \"nodes\" in API group \"authentication.k8s.io\" at the cluster scope",
          -EACCES },
        { "c3",
          { "Impersonate-User", "system:serviceaccount:default:x" },
          "system:serviceaccount:default:x system:serviceaccounts system:serviceaccounts:default "
          "system:authenticated",
          0 },
        { "c3",
          { "Impersonate-User", "system:serviceaccount:default:x", "Impersonate-Group", "b" },
          "serviceaccounts \"x\" is forbidden: User \"c3\" cannot impersonate resource \"serviceaccounts\" in "
          "API group \"\" in the namespace \"default\"",
          -EACCES },
        { "c4",
          { "Impersonate-User", "jane", "Impersonate-Group", "system:masters" },
          "groups.authentication.k8s.io \"system:masters\" is forbidden: User \"c4\" cannot impersonate:user-info "
          "resource \"groups\" in API group \"authentication.k8s.io\" at the cluster scope: impersonating the "
          "system:masters group is not allowed",
          -EACCES },
        { "c4",
          { "Impersonate-User", "jane", "Impersonate-Group", "" },
          "groups.authentication.k8s.io is forbidden: User \"c4\" cannot impersonate:user-info resource "
          "\"groups\" in API group \"authentication.k8s.io\" at the cluster scope: impersonating the empty string "
          "group is not allowed",
          -EACCES },
        { "c4", /* whose keys are no domain-prefixed paths in lower case may say none */
          { "Impersonate-User", "jane", "Impersonate-Extra-Scopes", "b" },
          "userextras.authentication.k8s.io is forbidden: User \"c4\" cannot impersonate:user-info resource "
          "\"userextras\" in API group \"authentication.k8s.io\" at the cluster scope: impersonating an invalid key in "
          "extra is not allowed: extra.key: Invalid value: \"scopes\": must be a domain-prefixed path (such as "
          "\"acme.io/foo\")",
          -EACCES },
        { "c4",
          { "Impersonate-User", "jane", "Impersonate-Extra-example.com%2F%41", "b" },
          "userextras.authentication.k8s.io is forbidden: User \"c4\" cannot impersonate:user-info resource "
          "\"userextras\" in API group \"authentication.k8s.io\" at the cluster scope: impersonating a non-lowercase "
          "key in extra is not allowed: \"example.com/A\"",
          -EACCES },
        { "c4",
          { "Impersonate-User", "jane", "Impersonate-Extra-example.com%2Fa", "b" },
          "jane system:authenticated",
          0 },
        { "c4",
          { "Impersonate-User", "system:anonymous", "Impersonate-Group", "system:authenticated" },
          "system:anonymous system:authenticated system:unauthenticated",
          0 },
        { "c4", { "Impersonate-User", "system:node:" }, "system:node: system:authenticated", 0 },
        { "c4", { "Impersonate-User", "system:node:No_Name" }, "system:node:No_Name system:authenticated", 0 },
        { "old", { "Impersonate-User", "jane" }, "jane system:authenticated", 0 },
        { "old",
          { "Impersonate-User", "jane", "Impersonate-Group", "b" },
          "groups \"b\" is forbidden: User \"old\" cannot impersonate resource \"groups\" in API group \"\" at "
          "the cluster scope",
          -EACCES },
        { "old",
          { "Impersonate-User", "jane", "Impersonate-Extra-Scopes", "b" },
          "userextras.authentication.k8s.io \"b\" is forbidden: User \"old\" cannot impersonate resource "
          "\"userextras/scopes\" in API group \"authentication.k8s.io\" at the "
          "cluster scope",
          -EACCES },
        { "old",
          { "Impersonate-User", "jane", "Impersonate-Uid", "b" },
          "uids.authentication.k8s.io \"b\" is forbidden: User \"old\" cannot impersonate resource \"uids\" in "
          "API group \"authentication.k8s.io\" at the cluster scope",
          -EACCES },
};

/* Who may: "boss" all, "c1" and "c3" some by the constrained verbs (KEP-5284), "old" users alone. */
static void set_impersonators(void) {
        struct kube_rbac_v1_policy_rule all = { words("*"), words("*"), words("*"), { 0 }, { 0 } }, constrained[3];
        struct kube_rbac_v1_cluster_role everything = { .metadata.name = "everything", .rules = { &all, 1 } };

        assert_int_equal(rbac_set_cluster_role(rbac, &everything), 0);
        set_role("old", "impersonate", "users");
        constrained[0] = (struct kube_rbac_v1_policy_rule){ words("impersonate:user-info"),
                                                            words("authentication.k8s.io"),
                                                            words("users groups"),
                                                            words("jane a"),
                                                            { 0 } };
        constrained[1] = (struct kube_rbac_v1_policy_rule){
                words("impersonate-on:user-info:list"), words("*"), words("pods"), { 0 }, { 0 }
        };
        assert_int_equal(
                rbac_set_cluster_role(rbac, &(struct kube_rbac_v1_cluster_role){ .metadata.name = "c1",
                                                                                 .rules = { constrained, 2 } }),
                0);
        constrained[0] = (struct kube_rbac_v1_policy_rule){ words("impersonate:serviceaccount"),
                                                            words("authentication.k8s.io"),
                                                            words("serviceaccounts"),
                                                            { 0 },
                                                            { 0 } };
        constrained[1] = (struct kube_rbac_v1_policy_rule){
                words("impersonate-on:serviceaccount:list impersonate-on:arbitrary-node:list"),
                words("*"),
                words("pods"),
                { 0 },
                { 0 }
        };
        constrained[2] = (struct kube_rbac_v1_policy_rule){
                words("impersonate:arbitrary-node"), words("authentication.k8s.io"), words("nodes"), words("n1"), { 0 }
        };
        assert_int_equal(
                rbac_set_cluster_role(rbac, &(struct kube_rbac_v1_cluster_role){ .metadata.name = "c3",
                                                                                 .rules = { constrained, 3 } }),
                0);
        bind("", "c1", "c1", "User", "c1");
        bind("", "c3", "c3", "User", "c3");
        constrained[0] = (struct kube_rbac_v1_policy_rule){ words("impersonate:user-info impersonate:arbitrary-node"),
                                                            words("authentication.k8s.io"),
                                                            words("*"),
                                                            { 0 },
                                                            { 0 } };
        constrained[1] = (struct kube_rbac_v1_policy_rule){
                words("impersonate-on:user-info:list impersonate-on:arbitrary-node:list"),
                words("*"),
                words("pods"),
                { 0 },
                { 0 }
        };
        assert_int_equal(
                rbac_set_cluster_role(rbac, &(struct kube_rbac_v1_cluster_role){ .metadata.name = "c4",
                                                                                 .rules = { constrained, 2 } }),
                0);
        bind("", "c4", "c4", "User", "c4");
        bind("", "boss", "everything", "User", "boss");
        bind("", "old", "old", "User", "old");
}

static void test_impersonation(void **state) {
        set_impersonators();
        for (unsigned i = 0; i < sizeof(impersonations) / sizeof(impersonations[0]); i++) {
                struct auth_impersonated other;
                int r = impersonate(impersonations[i].who, impersonations[i].fields, &other);
                const char *message = other.message;

                if (r != impersonations[i].r)
                        fail_msg("case %u: %d %s", i, r, message);
                if (r == 0)
                        message = arena_printf(arena, "%s %s", other.user.name,
                                               auth_join(arena, &other.user.groups, " "));
                assert_string_equal(message, impersonations[i].result);
        }
}

static void test_what_nodes_write(void **state) {
#define POD(node, more)                                                                                                \
        "{\"metadata\":{\"name\":\"p\",\"annotations\":{\"kubernetes.io/"                                              \
        "config.mirror\":\"x\"},\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n1\","        \
        "\"controller\":true}]},\"spec\":{\"nodeName\":\"" node "\"" more "}}"
#define NODE(labels, spec) "{\"metadata\":{\"name\":\"n1\",\"labels\":{" labels "}},\"spec\":{" spec "}}"
        static const struct {
                const char *verb, *group, *resource, *subresource, *namespace, *name, *object, *old, *message;
        } cases[] = {
                { "create", "", "pods", "", "d", "", POD("n1", ""), NULL, NULL },
                { "create", "", "pods", "", "d", "", POD("n2", ""), NULL,
                  "node \"n1\" can only create pods with spec.nodeName set to itself" },
                { "create", "", "pods", "", "d", "", "{\"spec\":{\"nodeName\":\"n1\"}}", NULL,
                  "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"n1\" can only create mirror "
                  "pods" },
                { "create", "", "pods", "", "d", "", POD("n1", ",\"serviceAccountName\":\"x\""), NULL,
                  "node \"n1\" can not create pods that reference a service account" },
                { "create", "", "pods", "", "d", "", POD("n1", ",\"volumes\":[{\"secret\":{\"secretName\":\"x\"}}]"),
                  NULL, "node \"n1\" can not create pods that reference secrets" },
                { "delete", "", "pods", "", "d", "p", NULL, POD("n2", ""),
                  "node \"n1\" can only delete pods with spec.nodeName set to itself" },
                { "update", "", "pods", "", "d", "p", POD("n1", ""), POD("n1", ""),
                  "unexpected operation \"UPDATE\", node \"n1\" can only create and delete mirror pods" },
                { "update", "", "pods", "status", "d", "p", POD("n2", ""), POD("n2", ""),
                  "node \"n1\" can only update pod status for pods with spec.nodeName set to itself" },
                { "update", "", "pods", "resize", "d", "p", POD("n1", ""), POD("n1", ""),
                  "unexpected pod subresource \"resize\", only 'status' and 'eviction' are allowed" },
                { "update", "", "nodes", "", "", "n2", NULL, NULL, "node \"n1\" is not allowed to modify node \"n2\"" },
                { "create", "", "nodes", "", "", "", NODE("\"kubernetes.io/os\":\"linux\",\"a\":\"b\"", ""), NULL,
                  NULL },
                { "create", "", "nodes", "", "", "",
                  NODE("\"node-restriction.kubernetes.io/a\":\"x\",\"foo.k8s.io/b\":\"y\"", ""), NULL,
                  "node \"n1\" is not allowed to set the following labels: foo.k8s.io/b, "
                  "node-restriction.kubernetes.io/a" },
                { "update", "", "nodes", "", "", "n1", NODE("\"a\":\"b\"", "\"taints\":[]"),
                  NODE("", "\"taints\":[{\"key\":\"x\"}]"), "node \"n1\" is not allowed to modify taints" },
                { "update", "", "nodes", "", "", "n1", NODE("\"x.kubernetes.io/a\":\"b\"", ""), NODE("", ""),
                  "is not allowed to modify labels: x.kubernetes.io/a" },
                { "create", "coordination.k8s.io", "leases", "", "kube-node-lease", "",
                  "{\"metadata\":{\"name\":\"n2\"}}", NULL,
                  "can only access node lease with the same name as the requesting node" },
                { "create", "", "serviceaccounts", "token", "d", "x", "{\"spec\":{}}", NULL,
                  "node requested token not bound to a pod" },
                { "create", "", "events", "", "d", "", "{}", NULL, NULL },
        };
        const struct auth_user node = { .name = "system:node:n1", .groups = words("system:nodes") },
                               jane = { .name = "jane" };

        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct auth_attributes a = AUTH_ATTRIBUTES(&node);
                const struct value *object = NULL, *old = NULL;
                const char *message = NULL;
                int r;

                a.is_resource = true;
                a.verb = cases[i].verb;
                a.group = cases[i].group;
                a.resource = cases[i].resource;
                a.subresource = cases[i].subresource;
                a.namespace = cases[i].namespace;
                a.name = cases[i].name;
                if (cases[i].object)
                        assert_int_equal(
                                json_parse(arena, cases[i].object, strlen(cases[i].object), NULL, &object, NULL), 0);
                if (cases[i].old)
                        assert_int_equal(json_parse(arena, cases[i].old, strlen(cases[i].old), NULL, &old, NULL), 0);
                r = rbac_node_restriction(&a, object, old, arena, &message);
                if (!message != !cases[i].message || (message && strcmp(message, cases[i].message) != 0))
                        fail_msg("case %u: %s", i, message ?: "nothing");
                assert_int_equal(r, message ? -EACCES : 0);
                a.user = &jane;
                assert_int_equal(rbac_node_restriction(&a, object, old, arena, &message), 0);
        }
}

static const struct value *parse(const char *text) {
        const struct value *value;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
        return value;
}

static bool node_may_do(struct rbac_nodes *nodes, const char *node, const char *verb, const char *resource,
                        const char *name) {
        const struct auth_user user = { .name = arena_printf(arena, "system:node:%s", node),
                                        .groups = words("system:nodes") };
        const struct auth_authorizer of_nodes = rbac_nodes_authorizer(nodes);
        struct auth_attributes a = AUTH_ATTRIBUTES(&user);

        a.is_resource = true;
        a.verb = verb;
        a.resource = resource;
        a.namespace = strcmp(resource, "persistentvolumes") == 0 ? "" : "d";
        a.name = name;
        return auth_authorize(&of_nodes, 1, &a, arena).decision == AUTH_ALLOW;
}

static bool node_may(struct rbac_nodes *nodes, const char *node, const char *resource, const char *name) {
        return node_may_do(nodes, node, "get", resource, name);
}

/* Methods that stand for no verb, and reviews that ask for none, or for what only looks like one. */
static void test_what_is_no_verb_is_none_of_a_nodes(void **state) {
        static const char *const resources[] = { "nodes", "pods", "secrets", "persistentvolumeclaims" },
                                 *const verbs[] = { "", " ", "e", "ge", "et", "get list", "update patch", "create " };
        struct rbac_nodes *nodes = rbac_nodes_new();

        assert_int_equal(
                rbac_nodes_set_pod(nodes, parse("{\"metadata\":{\"namespace\":\"d\",\"name\":\"n1\"},\"spec\":{"
                                                "\"nodeName\":\"n1\",\"volumes\":[{\"name\":\"a\",\"secret\":{"
                                                "\"secretName\":\"n1\"}}]}}")),
                0);
        assert_true(node_may(nodes, "n1", "nodes", "n1"));
        assert_true(node_may(nodes, "n1", "secrets", "n1"));
        for (size_t i = 0; i < ELEMENTS(resources); i++)
                for (size_t k = 0; k < ELEMENTS(verbs); k++)
                        assert_false(node_may_do(nodes, "n1", verbs[k], resources[i], "n1"));
        rbac_nodes_free(nodes);
}

/* What two pods name is their node's until both are gone. */
static void test_the_graph_forgets(void **state) {
        struct rbac_nodes *nodes = rbac_nodes_new();
        const struct value
                *p1 = parse("{\"metadata\":{\"namespace\":\"d\",\"name\":\"p1\"},\"spec\":{\"nodeName\":\"n1\","
                            "\"volumes\":[{\"name\":\"a\",\"secret\":{\"secretName\":\"s\"}},"
                            "{\"name\":\"b\",\"ephemeral\":{}}]}}"),
                *p2 = parse("{\"metadata\":{\"namespace\":\"d\",\"name\":\"p2\"},\"spec\":{\"nodeName\":\"n1\","
                            "\"imagePullSecrets\":[{\"name\":\"s\"}]}}"),
                *moved = parse("{\"metadata\":{\"namespace\":\"d\",\"name\":\"p2\"},\"spec\":{\"nodeName\":\"n2\"}}"),
                *volume = parse("{\"metadata\":{\"name\":\"v\"},\"spec\":{\"claimRef\":{\"namespace\":\"d\",\"name\":"
                                "\"p1-b\"},\"csi\":{\"nodeStageSecretRef\":{\"name\":\"vs\"}}}}");

        assert_int_equal(rbac_nodes_set_volume(nodes, volume), 0);
        assert_false(node_may(nodes, "n1", "persistentvolumes", "v"));
        assert_int_equal(rbac_nodes_set_pod(nodes, p1), 0);
        assert_int_equal(rbac_nodes_set_pod(nodes, p2), 0);
        assert_true(node_may(nodes, "n1", "secrets", "s"));
        assert_true(node_may(nodes, "n1", "secrets", "vs"));
        assert_true(node_may(nodes, "n1", "persistentvolumeclaims", "p1-b"));
        assert_true(node_may(nodes, "n1", "persistentvolumes", "v"));
        assert_false(node_may(nodes, "n2", "secrets", "s"));
        assert_int_equal(rbac_nodes_set_pod(nodes, moved), 0);
        assert_true(node_may(nodes, "n1", "secrets", "s"));
        assert_true(node_may(nodes, "n2", "pods", "p2"));
        rbac_nodes_forget(nodes, "pods", "d", "p1");
        assert_false(node_may(nodes, "n1", "secrets", "s"));
        assert_false(node_may(nodes, "n1", "secrets", "vs"));
        rbac_nodes_forget(nodes, "persistentvolumes", "", "v");
        assert_int_equal(rbac_nodes_set_pod(nodes, parse("{}")), -EINVAL);
        rbac_nodes_free(nodes);
}

/* --- readers and changes --- */

#define READERS 8
#define READS 2000000 /* of each: far more than there is time for while changes get through */

static _Atomic bool changed;

static void *ask_until_changed(void *data) {
        const struct auth_authorizer authorizer = rbac_authorizer(rbac);
        const struct auth_user nobody = { .name = "nobody" };
        struct arena *own = arena_new();
        uintptr_t n = 0;

        for (; n < READS && !changed; n++) {
                struct auth_attributes a = AUTH_ATTRIBUTES(&nobody);

                a.is_resource = true;
                a.verb = "get";
                a.resource = "pods";
                a.namespace = "d";
                auth_authorize(&authorizer, 1, &a, own);
                arena_reset(own);
        }
        arena_free(own);
        return (void *)n;
}

/* Requests that follow one another without a pause keep no change out. */
static void test_changes_among_readers(void **state) {
        struct kube_rbac_v1_cluster_role role = { .metadata = { .name = (char *)"r" } };
        pthread_t readers[READERS];
        void *reads;

        changed = false;
        for (unsigned i = 0; i < READERS; i++)
                assert_int_equal(pthread_create(&readers[i], NULL, ask_until_changed, NULL), 0);
        for (unsigned i = 0; i < 100; i++) {
                assert_int_equal(rbac_set_cluster_role(rbac, &role), 0);
                usleep(1000);
        }
        changed = true;
        for (unsigned i = 0; i < READERS; i++) {
                pthread_join(readers[i], &reads);
                assert_true((uintptr_t)reads < READS);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_changes_counts_at_once),
                TEST(test_changes_among_readers),
                TEST(test_names_are_not_keys),
                TEST(test_ten_thousand_bindings),
                TEST(test_covering),
                TEST(test_covering_is_bounded),
                TEST(test_default_roles_are_put_right),
                TEST(test_what_nodes_hear_of_others),
                TEST(test_impersonation),
                TEST(test_what_nodes_write),
                TEST(test_the_graph_forgets),
                TEST(test_what_is_no_verb_is_none_of_a_nodes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
