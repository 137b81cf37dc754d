#include "agent/kubelet/volumes.h"

#include <stdlib.h>
#include <string.h>

#include "agent/config/options.h"
#include "agent/kubelet/internal.h"
#include "agent/kubelet/survey.h"

static struct kubelet_volume_record *find(struct kubelet *k, const char *uid) {
        return table_object(table_find(&k->volumes.by_uid, uid), struct kubelet_volume_record, by_uid);
}

static void forget(struct kubelet *k, struct kubelet_volume_record *r) {
        kubelet_volume_records_remove(r);
        table_remove(&k->volumes.by_uid, &r->by_uid);
        free(r);
}

static struct kubelet_volume_record *add(struct kubelet *k, const char *uid, uint32_t n) {
        size_t seen = (size_t)n * sizeof(struct kubelet_volume_seen), length = strlen(uid) + 1;
        struct kubelet_volume_record *r = calloc(1, sizeof(*r) + seen + length);

        if (!r)
                return NULL;
        r->n = n;
        r->uid = memcpy((char *)r->seen + seen, uid, length);
        if (table_add(&k->volumes.by_uid, &r->by_uid, r->uid) < 0) {
                free(r);
                return NULL;
        }
        kubelet_volume_records_append(&k->volumes.all, r);
        return r;
}

void kubelet_volumes_begin(struct kubelet *k) {
        LIST_EACH (kubelet_volume_records, r, &k->volumes.all)
                r->listed = false;
}

void kubelet_volumes_end(struct kubelet *k) {
        LIST_EACH (kubelet_volume_records, r, &k->volumes.all)
                if (!r->listed && !r->measuring)
                        forget(k, r);
}

static void fill_in(const struct kubelet_volume_record *r, struct kubelet_survey_pod *p) {
        p->volumes_ns = r->time_ns;
        for (uint32_t i = 0; i < r->n && i < p->n_volumes; i++) {
                p->volumes[i].known = r->seen[i].known;
                p->volumes[i].fs = r->seen[i].fs;
        }
}

/* Without memory for a record nothing is told of the pod's volumes: to measure them each time is what is not done. */
void kubelet_volumes_take(struct kubelet *k, struct kubelet_survey_pod *p) {
        struct kubelet_volume_record *r = NULL;

        if (p->n_volumes == 0 || k->world.options->volume_stats_ms < 0)
                return;
        if (!(r = find(k, p->uid)) && !(r = add(k, p->uid, p->n_volumes)))
                return;
        r->listed = true;
        fill_in(r, p);
        p->measures = !r->measuring && uv_now(k->world.loop) >= r->due;
        r->measuring |= p->measures;
}

void kubelet_volumes_keep(struct kubelet *k, const struct kubelet_survey_pod *p) {
        struct kubelet_volume_record *r = p->measures ? find(k, p->uid) : NULL;

        if (!r)
                return;
        r->measuring = false;
        r->due = uv_now(k->world.loop) + (uint64_t)k->world.options->volume_stats_ms;
        r->time_ns = p->volumes_ns;
        for (uint32_t i = 0; i < r->n && i < p->n_volumes; i++)
                r->seen[i] = (struct kubelet_volume_seen){ p->volumes[i].known, p->volumes[i].fs };
}

void kubelet_volumes_clear(struct kubelet *k) {
        LIST_EACH (kubelet_volume_records, r, &k->volumes.all)
                forget(k, r);
        table_clear(&k->volumes.by_uid);
}
