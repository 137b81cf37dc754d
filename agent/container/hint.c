/* A container's part of the pod's hint on disk (agent/pod/hint.h): back-off, restarts, probes, how it ended. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container/internal.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

static const char *const names[PROBERS] = { "liveness", "readiness", "startup" };

static void write_end(const struct member *m, struct json_writer *out) {
        const struct ending *end = &m->end;

        json_key(out, "end");
        json_begin_map(out);
        json_add_string_if(out, "id", end->id[0] ? end->id : NULL);
        json_add_string_if(out, "reason", end->reason);
        json_add_string_if(out, "message", end->message);
        json_add_string_if(out, "imageID", m->image_id);
        json_add_int(out, "exitCode", end->exit_code);
        json_add_int(out, "startedAt", end->started_at);
        json_add_int(out, "finishedAt", end->finished_at);
        json_end_map(out);
}

void member_write_hint(const struct member *m, struct json_writer *out) {
        json_begin_map(out);
        json_add_string(out, "name", m->spec->name);
        json_add_string_if(out, "id", member_id(m));
        json_add_int(out, "restarts", m->restarts);
        json_add_int(out, "backOff", m->crash.delay_ms);
        json_add_int(out, "backOffSet", m->crash.updated_ms);
        if (m->id[0])
                member_write_size(m, out);
        if (m->state == MEMBER_EXITED && m->end.set)
                write_end(m, out);
        json_add_bool(out, "started", m->started);
        json_add_bool(out, "ready", m->ready);
        for (int i = 0; i < PROBERS; i++) {
                const struct prober *p = &m->probers[i];

                if (!p->spec)
                        continue;
                json_key(out, names[i]);
                json_begin_list(out);
                json_int(out, p->schedule.value);
                json_int(out, p->schedule.run);
                json_int(out, p->schedule.last);
                json_bool(out, p->schedule.hold);
                json_end_list(out);
        }
        json_end_map(out);
}

/* -- read -------------------------------------------------------------------------------------------------- */

static void read_probers(struct member *m, const struct value *value) {
        for (int i = 0; i < PROBERS; i++) {
                const struct value *list = value_get(value, names[i]);
                struct prober *p = &m->probers[i];
                int64_t verdict = value_integer_or(value_at(list, 0), -1),
                        last = value_integer_or(value_at(list, 2), -1);

                if (!p->spec || m->state != MEMBER_RUNNING || verdict < VALUE_IS_UNKNOWN ||
                    verdict > VALUE_IS_FAILURE || last < PROBE_SUCCESS || last > PROBE_UNKNOWN)
                        continue;
                probe_schedule_resume(&p->schedule, (enum schedule_value)verdict,
                                      (uint32_t)value_integer_or(value_at(list, 1), 0), (enum probe_outcome)last,
                                      value_bool_or(value_at(list, 3), false));
        }
        if (m->state != MEMBER_RUNNING)
                return;
        m->ready = value_bool_or(value_get(value, "ready"), false) || m->ready;
        if (value_bool_or(value_get(value, "started"), false)) {
                m->started = true;
                for (int i = 0; i < PROBERS; i++)
                        if (m->probers[i].spec && i != SCHEDULE_READINESS)
                                probe_schedule_open(&m->probers[i].schedule, node_now(m->host->world));
                if (m->probers[SCHEDULE_READINESS].spec)
                        m->probers[SCHEDULE_READINESS].schedule.gated = false;
        }
}

/* -ENOMEM; without a text it is left as it is. */
static int copy(const struct value *value, char **text) {
        const char *read = value_string(value);
        char *made = read ? strdup(read) : NULL;

        if (read && !made)
                return -ENOMEM;
        if (made) {
                free(*text);
                *text = made;
        }
        return 0;
}

/* How a container ended that cri does not know any more. */
static int read_end(struct member *m, const struct value *end) {
        const char *id = value_string_or(value_get(end, "id"), "");

        if (m->id[0] || !value_is(end, VALUE_MAP))
                return 0;
        ending_set(&m->end, id, value_string_or(value_get(end, "reason"), ""));
        m->end.exit_code = (int)value_integer_or(value_get(end, "exitCode"), 0);
        m->end.started_at = value_integer_or(value_get(end, "startedAt"), 0);
        m->end.finished_at = value_integer_or(value_get(end, "finishedAt"), 0);
        m->state = MEMBER_EXITED;
        memcpy(m->id, m->end.id, sizeof(m->id));
        if (copy(value_get(end, "message"), &m->end.message) < 0)
                return -ENOMEM;
        return copy(value_get(end, "imageID"), &m->image_id);
}

int member_read_hint(struct member *m, const struct value *value, bool over) {
        const char *id = value_string(value_get(value, "id"));
        int64_t restarts = value_integer_or(value_get(value, "restarts"), 0);
        bool counts = restarts >= 0 && restarts < INT32_MAX;

        m->crash.delay_ms = value_integer_or(value_get(value, "backOff"), 0);
        m->crash.updated_ms = value_integer_or(value_get(value, "backOffSet"), 0);
        if (!m->id[0] && counts)
                m->restarts = (uint32_t)restarts + (id ? 1 : 0);
        if (m->id[0] && id && strcmp(m->id, id) == 0) {
                read_probers(m, value);
                member_read_size(m, value_get(value, "size"));
        }
        if (!over)
                return 0;
        m->restarts = counts ? (uint32_t)restarts : 0;
        return read_end(m, value_get(value, "end"));
}
