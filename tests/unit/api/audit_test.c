/* Which requests a policy has written down, policies that are none, and files that are full. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/audit/aside.h"
#include "api/audit/log.h"
#include "api/audit/policy.h"
#include "api/auth/attributes.h"
#include "api/auth/user.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define HEAD "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

static char directory[] = "/tmp/audit_test.XXXXXX";
static char path[64];

static int set_up(void **state) {
        if (!mkdtemp(directory))
                return -1;
        snprintf(path, sizeof(path), "%s/policy.yaml", directory);
        return 0;
}

static int tear_down(void **state) {
        char command[128];

        snprintf(command, sizeof(command), "rm -r %s", directory);
        return system(command);
}

static int load(const char *text, struct audit_policy **ret_policy, struct err **err) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        fputs(text, file);
        fclose(file);
        return audit_policy_load(path, ret_policy, err);
}

static const char *group = "system:authenticated";
static const struct auth_user jane = { .name = "jane", .groups = { &group, 1 } };

static struct auth_attributes pod_log(void) {
        struct auth_attributes a = AUTH_ATTRIBUTES(&jane);

        a.is_resource = true;
        a.verb = "get";
        a.path = "/api/v1/namespaces/ns/pods/x/log";
        a.namespace = "ns";
        a.version = "v1";
        a.resource = "pods";
        a.subresource = "log";
        a.name = "web";
        return a;
}

static void test_rules(void **state) {
        static const struct {
                const char *rule; /* before "level: Request" */
                bool fits;
        } rows[] = {
                { "", true },
                { "users: [jane], ", true },
                { "users: [joe], ", false },
                { "userGroups: [\"system:authenticated\"], ", true },
                { "userGroups: [masters], ", false },
                { "verbs: [list, get], ", true },
                { "verbs: [list], ", false },
                { "namespaces: [ns], ", true },
                { "namespaces: [m], ", false },
                { "namespaces: [\"\"], ", false },
                { "resources: [{}], ", true },
                { "resources: [{group: apps}], ", false },
                { "resources: [{group: \"*\"}], ", true },
                { "resources: [{resources: [pods]}], ", false },
                { "resources: [{resources: [pods/log]}], ", true },
                { "resources: [{resources: [pods/*]}], ", true },
                { "resources: [{resources: [\"*/log\"]}], ", true },
                { "resources: [{resources: [\"*/status\"]}], ", false },
                { "resources: [{resources: [\"*\"]}], ", true },
                { "resources: [{resources: [pod]}], ", false },
                { "resources: [{resources: [pods/log], resourceNames: [web]}], ", true },
                { "resources: [{resources: [pods/log], resourceNames: [db]}], ", false },
                { "nonResourceURLs: [\"/api*\"], ", false },
        };
        const struct auth_attributes a = pod_log();

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct audit_policy *policy = NULL;
                char text[512];

                snprintf(text, sizeof(text), HEAD "rules: [{%slevel: Request}]\n", rows[i].rule);
                if (load(text, &policy, &err) < 0)
                        fail_msg("%s", err_text(err));
                if ((audit_policy_choose(policy, &a).level == AUDIT_REQUEST) != rows[i].fits)
                        fail_msg("%s", rows[i].rule);
                audit_policy_free(policy);
        }
}

static void test_paths(void **state) {
        static const struct {
                const char *spec, *path;
                bool fits;
        } rows[] = {
                { "*", "/x", true },
                { "/x", "/x", true },
                { "/x", "/xy", false },
                { "/x*", "/xy", true },
                { "/x*", "/x", true },
                { "/x/*", "/x", false },
                { "/livez/*", "/livez/p", true },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct auth_attributes a = AUTH_ATTRIBUTES(&jane);
                struct audit_policy *policy = NULL;
                char text[256];

                a.path = rows[i].path;
                snprintf(text, sizeof(text), HEAD "rules: [{level: Metadata, nonResourceURLs: [\"%s\"]}]\n",
                         rows[i].spec);
                assert_int_equal(load(text, &policy, NULL), 0);
                assert_int_equal(audit_policy_choose(policy, &a).level, rows[i].fits ? AUDIT_METADATA : AUDIT_NONE);
                audit_policy_free(policy);
        }
}

static void test_the_first_rule_counts(void **state) {
        struct auth_attributes a = pod_log();
        struct audit_policy *policy = NULL;
        struct audit_choice choice;

        assert_int_equal(load(HEAD "omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
                                   "- {level: None, users: [joe]}\n"
                                   "- {level: RequestResponse, omitStages: [Panic], omitManagedFields: false}\n"
                                   "- {level: Metadata}\n",
                              &policy, NULL),
                         0);
        choice = audit_policy_choose(policy, &a);
        assert_int_equal(choice.level, AUDIT_REQUEST_RESPONSE);
        assert_int_equal(choice.omitted, 1 << AUDIT_RECEIVED | 1 << AUDIT_PANIC);
        assert_false(choice.omit_managed_fields);
        a.user = NULL; /* nobody was authenticated */
        assert_int_equal(audit_policy_choose(policy, &a).level, AUDIT_REQUEST_RESPONSE);
        audit_policy_free(policy);
        assert_int_equal(load(HEAD, &policy, NULL), 0);
        assert_int_equal(audit_policy_choose(policy, &a).level, AUDIT_NONE);
        audit_policy_free(policy);
}

static void test_policies_that_are_none(void **state) {
        static const char *const texts[] = {
                "",
                "[]",
                HEAD "rule: []\n",
                HEAD "rules: [{}]\n",
                HEAD "rules: [{level: metadata}]\n",
                HEAD "rules: [{level: None, omitStages: [Received]}]\n",
                HEAD "rules: [{level: None, nonResourceURLs: [x]}]\n",
                HEAD "rules: [{level: None, nonResourceURLs: [\"/a*b\"]}]\n",
                HEAD "rules: [{level: None, resources: [{resourceNames: [a]}]}]\n",
                HEAD "rules: [{level: None, resources: [{resource: a}]}]\n",
                HEAD "rules: {}\n",
                "apiVersion: v1\nkind: Policy\n",
        };

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct audit_policy *policy = NULL;

                if (load(texts[i], &policy, &err) >= 0)
                        fail_msg("%s", texts[i]);
                assert_non_null(strstr(err_text(err), path));
        }
}

static unsigned count_files(void) {
        char command[128], text[16] = "";
        FILE *pipe;

        snprintf(command, sizeof(command), "ls %s | grep -c '^log-.*\\.txt$'", directory);
        pipe = popen(command, "r");
        assert_non_null(fgets(text, sizeof(text), pipe));
        pclose(pipe);
        return (unsigned)atoi(text);
}

static void test_files_put_aside(void **state) {
        char log[128], old[160];

        snprintf(log, sizeof(log), "%s/log.txt", directory);
        snprintf(old, sizeof(old), "%s/log-2001-02-03T04-05-06.789.txt", directory);
        fclose(fopen(old, "w"));
        for (int i = 0; i < 3; i++) {
                fclose(fopen(log, "w"));
                assert_int_equal(audit_put_aside(log, 0, 0, NULL), 0);
                usleep(2000);
        }
        assert_int_equal(count_files(), 4);
        assert_int_equal(audit_put_aside(log, 0, 1, NULL), 0); /* there is none; the old one goes */
        assert_int_equal(access(old, F_OK), -1);
        assert_int_equal(audit_put_aside(log, 2, 0, NULL), 0);
        assert_int_equal(count_files(), 2);
}

static void test_lines(void **state) {
        char log[128];
        const struct audit_log_config config = { .path = log };
        struct audit_log *written = NULL;
        struct stat st;

        snprintf(log, sizeof(log), "%s/lines", directory);
        assert_int_equal(audit_log_open(&config, &written, NULL), 0);
        for (int i = 0; i < 1000; i++)
                assert_int_equal(audit_log_write(written, "0123456789", 10), 0);
        audit_log_close(written);
        assert_int_equal(stat(log, &st), 0);
        assert_int_equal(st.st_size, 11000);
        assert_int_equal(st.st_mode & 0777, 0600);
        snprintf(log, sizeof(log), "%s/no/lines", directory);
        assert_int_equal(audit_log_open(&config, &written, NULL), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_the_first_rule_counts),
                cmocka_unit_test(test_policies_that_are_none),
                cmocka_unit_test(test_files_put_aside),
                cmocka_unit_test(test_lines),
        };

        return cmocka_run_group_tests_name("api/audit", tests, set_up, tear_down);
}
