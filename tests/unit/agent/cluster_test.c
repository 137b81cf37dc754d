/* The pods of an API service: which are wanted, and what is told of them, request by request. */
#include "tests/unit/support/fake_client.h"

#include <sys/mman.h>
#include <unistd.h>

#include "agent/cluster/internal.h"
#include "agent/node/events.h"
#include "agent/config/options.h"
#include "agent/node/world.h"
#include "kube/pod/pod.h"

#define SPEC "\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"
#define POD(uid, more) "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"" uid "\"" more "}," SPEC "}"
#define DELETED ",\"deletionTimestamp\":\"2026-11-29T00:00:00Z\",\"deletionGracePeriodSeconds\":7"

static uv_loop_t loop;
static struct fake fake;
static struct options options = { .node_name = (char *)"n1" };
static struct cluster c;
static char heard[512];
static bool here;          /* the pod is on the node */
static const char *status; /* its phase; NULL: nothing to tell */
static int exited;         /* what its container ended with, and 1; 0: it runs */
static bool creating;      /* its container is being made */

__attribute__((format(printf, 1, 2))) static void hear(const char *format, ...) {
        size_t n = strlen(heard);
        va_list args;

        va_start(args, format);
        vsnprintf(heard + n, sizeof(heard) - n, format, args);
        va_end(args);
}

static void on_pod(void *data, struct pod *pod) {
        const char *source = "";

        list_for_each (a, &pod->metadata.annotations)
                if (strcmp(a->key, "kubernetes.io/config.source") == 0)
                        source = a->value;
        hear("+%s:%s ", pod->metadata.uid, source);
        here = true;
        pod_unref(pod);
}

static void on_end(void *data, const char *uid, int64_t grace) {
        hear("-%s:%lld ", uid, grace == NODE_NEVER ? -1LL : (long long)grace);
}

static void on_listed(void *data) {
        hear("] ");
}

static bool on_has(void *data, const char *uid) {
        return here;
}

static int on_status(void *data, const char *uid, struct arena *arena, struct kube_pod_status *ret) {
        static struct kube_pod_ip ip = { "10.0.0.1" };
        static struct kube_container_state_terminated end;
        static struct kube_container_state_waiting wait = { .reason = "ContainerCreating" };
        static struct kube_container_status container = { .name = "c" };

        end.exit_code = exited - 1;
        container.state = (struct kube_container_state){ .waiting = creating ? &wait : NULL,
                                                         .terminated = creating ? NULL : &end };
        *ret = (struct kube_pod_status){ .phase = status, .pod_ips = { .items = &ip, .count = 1 } };
        if (exited || creating)
                ret->container_statuses = (__typeof__(ret->container_statuses)){ .items = &container, .count = 1 };
        return status ? 0 : -ENOENT;
}

static bool on_renews(void *data, const char *uid) {
        return creating;
}

static bool on_is_new(void *data) {
        return false;
}

static int on_node_status(void *data, struct arena *arena, struct kube_node_status *ret) {
        static struct kube_node_condition conditions[4];

        *ret = (struct kube_node_status){ .conditions = { .items = conditions } };
        return 0;
}

static int begin(void **state) {
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        heard[0] = '\0';
        here = false;
        status = NULL;
        exited = 0;
        creating = false;
        c = (struct cluster){ .loop = &loop, .options = &options, .client = &fake.base };
        c.events = (struct cluster_events){
                .node_status = on_node_status,
                .is_new = on_is_new,
                .pod = on_pod,
                .end = on_end,
                .listed = on_listed,
                .has = on_has,
                .pod_status = on_status,
                .pod_renews = on_renews,
        };
        assert_int_equal(cluster_mirrors_start(&c), 0);
        assert_int_equal(cluster_pods_start(&c), 0);
        return 0;
}

static int end(void **state) {
        cluster_own_stop(&c);
        cluster_pods_stop(&c);
        cluster_mirrors_stop(&c);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
        return 0;
}

static void turn(void) {
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
}

static void put(const char *json) {
        fake_put(&fake, &cluster_pods, "d", "p", json);
}

/* As a watch has it: the object's last state. */
static void drop(const char *json) {
        struct bytes *bytes = bytes_copy(json, strlen(json));
        struct client_object *object = client_object_new(++fake.revision, "d", "p", bytes);

        while (fake.n_objects > 0)
                client_object_unref(fake.objects[--fake.n_objects].object);
        for (unsigned i = 0; i < fake.n_watches; i++)
                if (fake.watches[i].kind == &cluster_pods)
                        fake.watches[i].watch->changed(fake.watches[i].data, CLIENT_DELETED, object);
        client_object_unref(object);
        bytes_unref(bytes);
}

static void list(void) {
        turn();
        assert_in_range(fake_answer_lists(&fake), 1, 2); /* the Node's at first */
        turn();
}

static void expect(const char *text) {
        assert_string_equal(heard, text);
        heard[0] = '\0';
}

static void expect_sent(unsigned n, uint16_t verb, const char *target, const char *body) {
        turn();
        assert_int_equal(fake.n_sent, n);
        assert_int_equal(fake.sent[n - 1].verb, verb);
        assert_non_null(strstr(fake.sent[n - 1].target, target));
        assert_string_equal(fake.sent[n - 1].body, body);
}

#define RUNNING                                                                                                        \
        "{\"metadata\":{\"uid\":\"u1\"},\"status\":{\"phase\":\"Running\",\"podIPs\":[{\"$patch\":\"replace\"},"       \
        "{\"ip\":\"10.0.0.1\"}]}}"

static void a_pod_is_wanted_once(void **state) {
        put(POD("u1", ""));
        list();
        expect("+u1:api ] ");
        assert_string_equal(fake.lists[1].fields, "spec.nodeName=n1");
        put(POD("u1", ",\"resourceVersion\":\"9\""));
        expect("");
        put(POD("u1", ",\"labels\":{\"a\":\"b\"}"));
        expect("+u1:api ");
        assert_true(cluster_wants(&c, "u1"));
        assert_false(cluster_wants(&c, "u2"));
}

static void a_status_is_told_when_it_is_another(void **state) {
        put(POD("u1", ""));
        list();
        cluster_pod_changed(&c, "u1");
        cluster_pod_changed(&c, "another's");
        turn();
        assert_int_equal(fake.n_sent, 0);
        status = "Running";
        cluster_pod_changed(&c, "u1");
        cluster_pod_changed(&c, "u1");
        expect_sent(1, KUBE_VERB_PATCH, "/api/v1/namespaces/d/pods/p/status", RUNNING);
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
        fake_answer(&fake.sent[0], 200, "", "{}");
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
}

static void one_that_starts_is_told_of_once(void **state) {
        list();
        put(POD("u1", "")); /* given to the node just now */
        status = "Pending";
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 0);
        status = "Running";
        cluster_pod_changed(&c, "u1");
        expect_sent(1, KUBE_VERB_PATCH, "/pods/p/status", RUNNING);
}

static void one_that_does_not_start_is_told_of_in_a_while(void **state) {
        list();
        put(POD("u1", ""));
        cluster_pod_find(&c, "u1")->quiet_until = uv_now(&loop) + 5;
        status = "Pending";
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 0);
        uv_run(&loop, UV_RUN_ONCE); /* the timer */
        turn();
        assert_int_equal(fake.n_sent, 1);
        assert_non_null(strstr(fake.sent[0].body, "Pending"));
}

static void one_that_something_holds_up_is_told_of_at_once(void **state) {
        list();
        put(POD("u1", ""));
        status = "Pending";
        cluster_pod_changed(&c, "u1");
        turn();
        cluster_report_soon(cluster_pod_find(&c, "u1"));
        turn();
        assert_int_equal(fake.n_sent, 1);
        assert_non_null(strstr(fake.sent[0].body, "Pending"));
        assert_true(cluster_due_is_empty(&c.held));
}

static void one_with_a_container_made_anew(bool another) {
        put(POD("u1", ""));
        list();
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        fake_answer(&fake.sent[0], 200, "", "{}");
        turn();
        creating = true;
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
        if (another)
                exited = 1;
        creating = false;
        cluster_pod_changed(&c, "u1");
        turn();
}

static void of_a_container_made_anew_is_told_what_came_of_it(void **state) {
        one_with_a_container_made_anew(false);
        assert_int_equal(fake.n_sent, 1);
        assert_true(cluster_due_is_empty(&c.held));
}

static void a_container_made_anew_that_has_ended_is_told_of(void **state) {
        one_with_a_container_made_anew(true);
        assert_int_equal(fake.n_sent, 2);
        assert_non_null(strstr(fake.sent[1].body, "terminated"));
}

/* Its image is fetched for longer than most. */
static void a_container_that_is_not_made_anew_is_told_of_in_a_while(void **state) {
        static const struct event_object object = { .uid = "u1", .namespace_ = "d", .name = "p" };

        put(POD("u1", ""));
        list();
        status = "Running";
        creating = true;
        cluster_pod_changed(&c, "u1");
        turn();
        cluster_event(&c, &object, false, "Pulling", "");
        turn();
        assert_int_equal(fake.n_sent, 0);
        cluster_pod_find(&c, "u1")->quiet_until = uv_now(&loop);
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
        assert_non_null(strstr(fake.sent[0].body, "ContainerCreating"));
}

static void what_is_not_taken_is_told_again(void **state) {
        put(POD("u1", ""));
        list();
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        fake_answer(&fake.sent[0], -ECONNREFUSED, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 1);
        uv_run(&loop, UV_RUN_ONCE); /* the back-off's timer */
        expect_sent(2, KUBE_VERB_PATCH, "/pods/p/status", RUNNING);
        fake_answer(&fake.sent[1], 422, "Invalid", "{}"); /* time does not mend that */
        turn();
        assert_int_equal(fake.n_sent, 2);
        status = "Failed";
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 3);
}

/* Rights may come back, and then it is told; until they do it is not asked for more often than the Lease. */
static void what_was_denied_is_told_again_with_the_lease(void **state) {
        put(POD("u1", ""));
        list();
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        fake_answer(&fake.sent[0], 403, "Forbidden", "{}");
        turn();
        assert_int_equal(fake.n_sent, 1);
        cluster_report_denied(&c);
        expect_sent(2, KUBE_VERB_PATCH, "/pods/p/status", RUNNING);
        fake_answer(&fake.sent[1], 200, "", "{}");
        cluster_report_denied(&c);
        turn();
        assert_int_equal(fake.n_sent, 2);
        put(POD("u1", DELETED));
        cluster_pod_gone(&c, "u1");
        turn();
        fake_answer(&fake.sent[2], 401, "Unauthorized", "{}");
        turn();
        assert_int_equal(fake.n_sent, 3);
        cluster_report_denied(&c);
        expect_sent(4, KUBE_VERB_DELETE, "/pods/p", "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"u1\"}}");
}

/* Another's word of its status is put right with the Lease: the node life cycle's, when the node was lost. What came of
 * what was told, and what was before that, is no other's word. */
static void a_status_that_another_writes_is_told_again(void **state) {
        static const char own[] = "\"phase\":\"Running\",\"podIP\":\"\",\"podIPs\":[{\"ip\":\"10.0.0.1\"}]";
        char answer[256], object[512];

        put(POD("u1", ""));
        list();
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        snprintf(answer, sizeof(answer), "{\"metadata\":{\"resourceVersion\":\"%lld\"}}", (long long)fake.revision + 1);
        fake_answer(&fake.sent[0], 200, "", answer);
        turn();
        snprintf(object, sizeof(object), "{\"metadata\":{\"uid\":\"u1\"},\"status\":{%s}}", own);
        put(object); /* the revision that came of it */
        cluster_report_denied(&c);
        turn();
        assert_int_equal(fake.n_sent, 1);
        put(object); /* another's, that says the same */
        cluster_report_denied(&c);
        turn();
        assert_int_equal(fake.n_sent, 1);
        put("{\"metadata\":{\"uid\":\"u1\"},\"status\":{\"phase\":\"Failed\"}}");
        turn();
        assert_int_equal(fake.n_sent, 1);
        cluster_report_denied(&c);
        expect_sent(2, KUBE_VERB_PATCH, "/pods/p/status", RUNNING);
}

/* A 404 may be of somebody in front of a service that is away: nothing counts as told, or as deleted, before the watch
 * says that the pod is gone. */
static void what_is_not_found_is_told_again_with_the_lease(void **state) {
        put(POD("u1", ""));
        list();
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        fake_answer(&fake.sent[0], 404, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 1);
        cluster_report_denied(&c);
        expect_sent(2, KUBE_VERB_PATCH, "/pods/p/status", RUNNING);
        fake_answer(&fake.sent[1], 200, "", "{}");
        put(POD("u1", DELETED));
        cluster_pod_gone(&c, "u1");
        turn();
        fake_answer(&fake.sent[2], 404, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 3);
        cluster_report_denied(&c);
        expect_sent(4, KUBE_VERB_DELETE, "/pods/p", "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"u1\"}}");
        fake_answer(&fake.sent[3], 404, "", "{}");
        drop(POD("u1", DELETED));
        cluster_report_denied(&c);
        turn();
        assert_int_equal(fake.n_sent, 4);
}

/* One that cannot be made either (nobody has its namespace) is tried in a while, not as fast as the answers come. */
static void a_lease_that_has_no_place_waits(void **state) {
        assert_int_equal(cluster_lease_start(&c), 0);
        uv_run(&loop, UV_RUN_ONCE); /* the timer */
        assert_int_equal(fake.sent[0].verb, KUBE_VERB_PATCH);
        assert_non_null(strstr(fake.sent[0].target, "/leases/n1"));
        fake_answer(&fake.sent[0], 404, "NotFound", "{}");
        assert_int_equal(fake.n_sent, 2);
        assert_int_equal(fake.sent[1].verb, KUBE_VERB_CREATE);
        fake_answer(&fake.sent[1], 404, "NotFound", "{}");
        turn();
        assert_int_equal(fake.n_sent, 2);
        assert_true(uv_backend_timeout(&loop) > 50);
        cluster_lease_stop(&c);
}

static void a_deleted_pod_is_buried_when_it_is_gone(void **state) {
        put(POD("u1", ""));
        list();
        expect("+u1:api ] ");
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        put(POD("u1", DELETED));
        expect("-u1:7 ");
        put(POD("u1", DELETED));
        expect("");
        assert_false(cluster_wants(&c, "u1"));
        cluster_pod_gone(&c, "u1"); /* while the status is under way */
        turn();
        assert_int_equal(fake.n_sent, 1);
        fake_answer(&fake.sent[0], 200, "", "{}");
        expect_sent(2, KUBE_VERB_DELETE, "/api/v1/namespaces/d/pods/p",
                    "{\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"u1\"}}");
        fake_answer(&fake.sent[1], 200, "", "{}");
        put(POD("u1", DELETED)); /* a finalizer keeps it */
        turn();
        assert_int_equal(fake.n_sent, 2);
        drop(POD("u1", DELETED));
        assert_int_equal(c.pods_by_uid.n, 0);
}

/* Its end came while something else was under way, and with the pod the node's word of it goes. */
static void how_a_pod_has_ended_is_told_before_it_is_buried(void **state) {
        list();
        put(POD("u1", ""));
        status = "Running";
        cluster_pod_changed(&c, "u1");
        turn();
        put(POD("u1", DELETED));
        exited = 1;
        status = "Succeeded";
        cluster_pod_changed(&c, "u1");
        cluster_pod_gone(&c, "u1");
        status = NULL;
        turn();
        assert_int_equal(fake.n_sent, 1);
        fake_answer(&fake.sent[0], 200, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 2);
        assert_non_null(strstr(fake.sent[1].body, "Succeeded"));
        fake_answer(&fake.sent[1], 503, "", "{}");
        while (fake.n_sent == 2)
                uv_run(&loop, UV_RUN_ONCE);
        assert_string_equal(fake.sent[2].body, fake.sent[1].body);
        fake_answer(&fake.sent[2], 200, "", "{}");
        turn();
        assert_int_equal(fake.n_sent, 4);
        assert_int_equal(fake.sent[3].verb, KUBE_VERB_DELETE);
}

static void one_that_has_ended_to_be_deleted_is_told_of_once(void **state) {
        list();
        put(POD("u1", ""));
        put(POD("u1", DELETED));
        status = "Running";
        exited = 1;
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
        fake_answer(&fake.sent[0], 200, "", "{}");
        exited = 2; /* any other status */
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 1);
        status = "Succeeded";
        cluster_pod_changed(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 2);
        fake_answer(&fake.sent[1], 200, "", "{}");
        exited = 1;
        cluster_pod_changed(&c, "u1");
        turn();
        cluster_pod_gone(&c, "u1");
        turn();
        assert_int_equal(fake.n_sent, 3);
        assert_int_equal(fake.sent[2].verb, KUBE_VERB_DELETE);
        assert_true(cluster_due_is_empty(&c.held));
}

static void one_of_which_nothing_is_here_is_buried_at_once(void **state) {
        put(POD("u1", DELETED));
        list();
        expect("-u1:7 ] ");
        turn();
        assert_int_equal(fake.n_sent, 1);
        assert_int_equal(fake.sent[0].verb, KUBE_VERB_DELETE);
}

static void one_that_has_ended_is_not_started(void **state) {
        put("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u1\"}," SPEC
            ",\"status\":{\"phase\":\"Failed\"}}");
        list();
        expect("] ");
        here = true;
        drop(POD("u1", ""));
        put("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u2\"}," SPEC
            ",\"status\":{\"phase\":\"Failed\"}}");
        expect("+u2:api "); /* of the first the node has kept nothing */
}

static void what_a_list_has_not_is_gone(void **state) {
        put(POD("u1", ""));
        list();
        expect("+u1:api ] ");
        fake_end_watches(&fake, -ESTALE);
        while (fake.n_objects > 0)
                client_object_unref(fake.objects[--fake.n_objects].object);
        for (int i = 0; i < 6 && !heard[0]; i++) { /* the Node's list, and the pods' */
                fake_answer_lists(&fake);
                uv_run(&loop, UV_RUN_ONCE);
        }
        expect("-u1:-1 ] ");
}

/* The next list, whenever it is due. */
static void list_again(void) {
        unsigned before = fake.n_lists;

        fake_end_watches(&fake, -ESTALE);
        while (fake.n_lists < before + 2) /* the Node's list, and the pods' */
                uv_run(&loop, UV_RUN_ONCE);
        fake_answer_lists(&fake);
        turn();
}

static void what_cannot_be_read_ends_nothing(void **state) {
        here = true; /* from before the agent's start */
        put("{\"metadata\":{\"name\":\"p\",");
        list();
        expect("");
        assert_true(c.listed && c.unread);
        assert_in_range(uv_backend_timeout(&loop), 1, CLUSTER_LIST_AGAIN_MS);
        put(POD("u1", ""));
        expect("+u1:api ");
        put("[[[");
        expect("");
        list_again();
        expect("");
        assert_true(cluster_wants(&c, "u1"));
        put(NULL);
        list_again();
        expect("-u1:-1 ] ");
}

/* As read, of one that names a field which is wrong: what runs goes on, and is wanted. */
static void one_that_is_wrong_now_goes_on(void **state) {
        put("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u1\"},\"spec\":{\"nodeName\":7}}");
        here = true;
        list();
        expect("] ");
        assert_true(cluster_wants(&c, "u1"));
}

static void bring(const struct fake_call *to, unsigned n, const char *more) {
        char json[512], name[32];
        struct client_object *object;

        snprintf(name, sizeof(name), "p%u", n);
        snprintf(json, sizeof(json), "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"uid\":\"%s\"}," SPEC "%s}",
                 name, name, more);
        object = fake_object(&fake, "d", name, json);
        to->list->object(to->data, object);
        client_object_unref(object);
}

/* As many as may be known; one more waits, but not where it runs; and what had ended before counts for nothing. */
static void more_than_can_be_known_wait(void **state) {
        struct fake_call *pods = NULL;

        turn();
        fake.lists[0].open = false; /* the Node's */
        fake.lists[0].list->done(fake.lists[0].data, 0, fake.revision, "");
        turn();
        pods = &fake.lists[1];
        assert_ptr_equal(pods->kind, &cluster_pods);
        pods->open = false;
        for (unsigned i = 0; i < CLUSTER_PODS_MAX; i++) {
                here = false;
                bring(pods, i, "");
        }
        assert_int_equal(c.pods_by_uid.n, CLUSTER_PODS_MAX);
        assert_false(c.turned_away);
        here = false;
        bring(pods, CLUSTER_PODS_MAX, ",\"status\":{\"phase\":\"Succeeded\"}");
        assert_false(c.turned_away);
        bring(pods, CLUSTER_PODS_MAX + 1, "");
        assert_true(c.turned_away);
        here = true;
        bring(pods, CLUSTER_PODS_MAX + 2, "");
        assert_int_equal(c.pods_by_uid.n, CLUSTER_PODS_MAX + 1);
        assert_true(cluster_wants(&c, "p4098"));
        pods->list->done(pods->data, 0, fake.revision, "");
        turn();
        assert_false(uv_backend_timeout(&loop) > 0 && uv_backend_timeout(&loop) <= CLUSTER_LIST_AGAIN_MS);
        drop("{\"metadata\":{\"name\":\"p7\",\"namespace\":\"d\",\"uid\":\"p7\"}}");
        assert_int_equal(c.pods_by_uid.n, CLUSTER_PODS_MAX);
        turn();
        assert_in_range(uv_backend_timeout(&loop), 1, CLUSTER_LIST_AGAIN_MS);
}

static void hostile_uids_are_passed_over(void **state) {
        char json[512], uid[POD_UID_MAX + 2];

        list();
        expect("] ");
        put(POD("../../etc", ""));
        put(POD("", ""));
        put("{\"metadata\":{\"name\":\"p\",\"uid\":7}}");
        put("[]");
        for (int more = 0; more < 2; more++) {
                memset(uid, 'a', sizeof(uid));
                uid[POD_UID_MAX + more] = '\0';
                snprintf(json, sizeof(json),
                         "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"%s\"}," SPEC "}", uid);
                put(json);
                assert_int_equal(c.pods_by_uid.n, 1);
        }
        assert_int_equal(strncmp(heard, "+aaa", 4), 0);
        put("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"uid\":\"u9\"},\"spec\":{\"containers\":[]}}");
        assert_null(strstr(heard, "u9"));
}

/* What @call has in the log, how often. */
static unsigned count_said(void (*call)(void), const char *text) {
        int file = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
        char log[8192];
        ssize_t n;
        unsigned count = 0;

        dup2(file, STDERR_FILENO);
        call();
        dup2(before, STDERR_FILENO);
        n = pread(file, log, sizeof(log) - 1, 0);
        log[n > 0 ? n : 0] = '\0';
        for (const char *at = log; (at = strstr(at, text)); at++)
                count++;
        close(before);
        close(file);
        return count;
}

static int refusal;
static const char *why;

static void refuse_the_node(void) {
        for (unsigned i = 0; i < 3; i++) {
                turn();
                fake_answer(&fake.sent[fake.n_sent - 1], refusal, why, "{}");
                cluster_node_changed(&c); /* it is tried again at once */
        }
        turn();
}

static void one_fault_of_the_node_is_said_once(void **state) {
        assert_int_equal(cluster_node_start(&c), 0);
        refusal = 503, why = "not yet";
        assert_int_equal(count_said(refuse_the_node, "cannot register: not yet"), 1);
        refusal = 403, why = "not you";
        assert_int_equal(count_said(refuse_the_node, "cannot register: not you"), 1);
        refusal = 503, why = "not yet";
        assert_int_equal(count_said(refuse_the_node, "cannot register"), 0);
        fake_answer(&fake.sent[fake.n_sent - 1], 201, "", "{}");
        turn();
        assert_int_equal(count_said(refuse_the_node, "cannot tell its status: not yet"), 1);
        cluster_node_stop(&c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_pod_is_wanted_once, begin, end),
                cmocka_unit_test_setup_teardown(a_status_is_told_when_it_is_another, begin, end),
                cmocka_unit_test_setup_teardown(one_that_starts_is_told_of_once, begin, end),
                cmocka_unit_test_setup_teardown(one_that_does_not_start_is_told_of_in_a_while, begin, end),
                cmocka_unit_test_setup_teardown(one_that_something_holds_up_is_told_of_at_once, begin, end),
                cmocka_unit_test_setup_teardown(of_a_container_made_anew_is_told_what_came_of_it, begin, end),
                cmocka_unit_test_setup_teardown(a_container_made_anew_that_has_ended_is_told_of, begin, end),
                cmocka_unit_test_setup_teardown(a_container_that_is_not_made_anew_is_told_of_in_a_while, begin, end),
                cmocka_unit_test_setup_teardown(what_is_not_taken_is_told_again, begin, end),
                cmocka_unit_test_setup_teardown(what_was_denied_is_told_again_with_the_lease, begin, end),
                cmocka_unit_test_setup_teardown(a_status_that_another_writes_is_told_again, begin, end),
                cmocka_unit_test_setup_teardown(what_is_not_found_is_told_again_with_the_lease, begin, end),
                cmocka_unit_test_setup_teardown(a_lease_that_has_no_place_waits, begin, end),
                cmocka_unit_test_setup_teardown(a_deleted_pod_is_buried_when_it_is_gone, begin, end),
                cmocka_unit_test_setup_teardown(how_a_pod_has_ended_is_told_before_it_is_buried, begin, end),
                cmocka_unit_test_setup_teardown(one_that_has_ended_to_be_deleted_is_told_of_once, begin, end),
                cmocka_unit_test_setup_teardown(one_of_which_nothing_is_here_is_buried_at_once, begin, end),
                cmocka_unit_test_setup_teardown(one_that_has_ended_is_not_started, begin, end),
                cmocka_unit_test_setup_teardown(what_a_list_has_not_is_gone, begin, end),
                cmocka_unit_test_setup_teardown(what_cannot_be_read_ends_nothing, begin, end),
                cmocka_unit_test_setup_teardown(one_that_is_wrong_now_goes_on, begin, end),
                cmocka_unit_test_setup_teardown(more_than_can_be_known_wait, begin, end),
                cmocka_unit_test_setup_teardown(hostile_uids_are_passed_over, begin, end),
                cmocka_unit_test_setup_teardown(one_fault_of_the_node_is_said_once, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
