/* Events, of core/v1 and of events.k8s.io/v1: one kind with two names for some fields, and two sets of rules. */
#include <string.h>

#include "kube/events_v1.h"
#include "kube/validate/core.h"
#include "kube/validate/pod_rules.h"

#define TEXT_MAX 128
#define NOTE_MAX 1024

/* --- what both are asked --- */

static void check_length(struct validation *v, const char *field, const char *text, size_t max) {
        if (strlen(text ?: "") > max)
                validate_invalid(v, FIELD(NULL, field), "", validate_text(v, "can have at most %zu characters", max));
}

static void check_involved(struct validation *v, const char *namespace, const char *of, bool timed) {
        const struct place *at = FIELD(FIELD(NULL, "involvedObject"), "namespace");
        bool other = timed ? strcmp(namespace, "kube-system") == 0 : !*namespace;
        bool wrong = *of ? !timed && strcmp(namespace, of) != 0 : strcmp(namespace, "default") != 0 && !other;

        if (wrong)
                validate_invalid(v, at, of, "does not match event.namespace");
}

static void check_reporting(struct validation *v, const struct kube_event *e, const char *controller) {
        if (!e->reporting_component || !*e->reporting_component)
                validate_required(v, FIELD(NULL, controller), "");
        validate_name(v, FIELD(NULL, controller), NAME_QUALIFIED, e->reporting_component);
        if (!e->reporting_instance || !*e->reporting_instance)
                validate_required(v, FIELD(NULL, "reportingInstance"), "");
        check_length(v, "reportingInstance", e->reporting_instance, TEXT_MAX);
        if (!e->action || !*e->action)
                validate_required(v, FIELD(NULL, "action"), "");
        check_length(v, "action", e->action, TEXT_MAX);
        if (!e->reason || !*e->reason)
                validate_required(v, FIELD(NULL, "reason"), "");
        check_length(v, "reason", e->reason, TEXT_MAX);
        check_length(v, "message", e->message, NOTE_MAX);
}

static void check_legacy(struct validation *v, const struct kube_event *e, const char *controller) {
        check_involved(v, e->metadata.namespace ?: "", e->involved_object.namespace ?: "", e->event_time.set);
        if (e->event_time.set)
                check_reporting(v, e, controller);
        validate_name(v, FIELD(NULL, "namespace"), NAME_SUBDOMAIN, e->metadata.namespace);
}

/* --- core/v1 --- */

void validate_event(struct validation *v, const void *object, const void *old) {
        check_legacy(v, object, "reportingComponent");
}
