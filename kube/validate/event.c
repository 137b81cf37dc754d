/* Events, of core/v1 and of events.k8s.io/v1: one kind with two names for some fields, and two sets of rules. */
#include <string.h>

#include "kube/events_v1.h"
#include "kube/type.h"
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

/* --- events.k8s.io/v1: the same object by other names, and stricter --- */

static struct kube_event_series *series_of(struct validation *v, const struct kube_events_v1_event_series *from) {
        struct kube_event_series *series = from ? validate_alloc(v, 1, sizeof(*series)) : NULL;

        if (series) {
                series->count = from->count;
                series->last_observed_time = from->last_observed_time;
        }
        return series;
}

static struct kube_event core_of(struct validation *v, const struct kube_events_v1_event *e) {
        return (struct kube_event){
                .metadata = e->metadata,
                .involved_object = e->regarding,
                .reason = e->reason,
                .message = e->note,
                .source = e->deprecated_source,
                .first_timestamp = e->deprecated_first_timestamp,
                .last_timestamp = e->deprecated_last_timestamp,
                .count = e->deprecated_count,
                .type = e->type,
                .event_time = e->event_time,
                .series = series_of(v, e->series),
                .action = e->action,
                .related = e->related,
                .reporting_component = e->reporting_controller,
                .reporting_instance = e->reporting_instance,
        };
}

static void check_series(struct validation *v, const struct kube_event *e) {
        if (!e->series)
                return;
        if (e->series->count < 2)
                validate_invalid(v, FIELD(NULL, "series.count"), "", "should be at least 2");
        if (!e->series->last_observed_time.set)
                validate_required(v, FIELD(NULL, "series.lastObservedTime"), "");
}

/* What was of older events. */
static void check_unset(struct validation *v, const char *field, bool given) {
        if (given)
                validate_invalid(v, FIELD(NULL, field), "", "needs to be unset");
}

static void check_new_event(struct validation *v, const struct kube_event *e) {
        validate_meta(v, &e->metadata, NAME_SUBDOMAIN);
        check_series(v, e);
        if (!e->event_time.set)
                validate_required(v, FIELD(NULL, "eventTime"), "");
        if (!kube_is(e->type, "Normal") && !kube_is(e->type, "Warning"))
                validate_invalid(v, FIELD(NULL, "type"), "", validate_text(v, "has invalid value: %s", e->type ?: ""));
        check_unset(v, "firstTimestamp", e->first_timestamp.set);
        check_unset(v, "lastTimestamp", e->last_timestamp.set);
        check_unset(v, "count", e->count != 0);
        check_unset(v, "source", (e->source.component && *e->source.component) || (e->source.host && *e->source.host));
}

/* What may not change, by its name in core/v1, and in errors where that is another. */
static const struct {
        const char *name, *told;
} kept[] = {
        { "involvedObject", NULL },
        { "reason", NULL },
        { "message", NULL },
        { "source", NULL },
        { "firstTimestamp", NULL },
        { "lastTimestamp", NULL },
        { "count", NULL },
        { "reason", NULL },
        { "type", NULL },
        { "eventTime", NULL },
        { "action", NULL },
        { "related", NULL },
        { "reportingComponent", "reportingController" },
        { "reportingInstance", NULL },
};

static const char *kept_json(struct validation *v, const struct kube_event *e, const char *name) {
        const struct kube_field *field = kube_type_field(&kube_event_type, name, strlen(name));

        return field->element == KUBE_OBJECT ? validate_go_json_field(v, &kube_event_type, name, e) :
                                               validate_field_json(v, &kube_event_type, name, e);
}

static void check_changed_event(struct validation *v, const struct kube_event *e, const struct kube_event *old) {
        validate_meta_update(v, &e->metadata, &old->metadata);
        if (!validate_equal_field(&kube_event_type, "series", e, old))
                check_series(v, e);
        for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
                if (!validate_equal_field(&kube_event_type, kept[i].name, e, old))
                        validate_invalid_json(v, FIELD(NULL, kept[i].told ?: kept[i].name),
                                              kept_json(v, e, kept[i].name), VALIDATE_IMMUTABLE);
}

void validate_events_event(struct validation *v, const void *object, const void *old) {
        struct kube_event e = core_of(v, object), before;

        check_legacy(v, &e, "reportingController");
        if (!old) {
                check_new_event(v, &e);
                return;
        }
        before = core_of(v, old);
        check_changed_event(v, &e, &before);
}
