#include "agent/eviction/settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"

static const char *const signal_names[_EVICTION_SIGNALS] = {
        [EVICTION_MEMORY] = "memory.available",           [EVICTION_NODEFS] = "nodefs.available",
        [EVICTION_NODEFS_INODES] = "nodefs.inodesFree",   [EVICTION_IMAGEFS] = "imagefs.available",
        [EVICTION_IMAGEFS_INODES] = "imagefs.inodesFree", [EVICTION_PIDS] = "pid.available",
};

static const char *const default_hard[_EVICTION_SIGNALS] = {
        [EVICTION_MEMORY] = "100Mi", [EVICTION_NODEFS] = "10%",        [EVICTION_NODEFS_INODES] = "5%",
        [EVICTION_IMAGEFS] = "15%",  [EVICTION_IMAGEFS_INODES] = "5%",
};

static const char *const reserved_names[_RESERVED_RESOURCES] = {
        [RESERVED_CPU] = "cpu",
        [RESERVED_MEMORY] = "memory",
        [RESERVED_STORAGE] = "ephemeral-storage",
        [RESERVED_PIDS] = "pid",
};

const char *eviction_signal_name(enum eviction_signal signal) {
        return signal_names[signal];
}

/* -- amounts ----------------------------------------------------------------------------------------------- */

/* "10%" as kubelet reads it: a float's share. */
static int parse_share(const char *text, float *ret_share) {
        size_t length = strlen(text);
        char *end;
        float percent;

        if (text[strspn(text, "+-.0123456789eE")] != '%')
                return -EINVAL;
        percent = strtof(text, &end);
        if (end == text || strspn(end, "%") != strlen(end) || end == text + length || !isfinite(percent))
                return -EINVAL;
        *ret_share = percent / 100;
        return 0;
}

static int parse_amount(const char *key, const char *text, struct eviction_amount *ret_amount, struct err **err) {
        size_t length = strlen(text);
        int r;

        if (length > 0 && text[length - 1] == '%') {
                float share = 0;

                if (parse_share(text, &share) < 0)
                        return err_set(err, EINVAL, "%s: \"%s\" is not a percentage like 10%%", key, text);
                *ret_amount = (struct eviction_amount){ .kind = AMOUNT_SHARE, .share = share };
                return 0;
        }
        *ret_amount = (struct eviction_amount){ .kind = AMOUNT_QUANTITY };
        if ((r = quantity_parse(text, &ret_amount->quantity, err)) < 0)
                return err_wrap(err, r, "%s", key);
        return 0;
}

static bool is_off(const char *text) {
        return strcmp(text, "0%") == 0 || strcmp(text, "100%") == 0;
}

static int put_threshold(const char *key, const char *text, struct eviction_amount *ret_amount, struct err **err) {
        struct eviction_amount amount = { .kind = AMOUNT_NONE };
        int r = is_off(text) ? 0 : parse_amount(key, text, &amount, err);

        if (r < 0)
                return r;
        if (amount.kind == AMOUNT_SHARE && amount.share < 0)
                return err_set(err, EINVAL, "eviction percentage threshold %s must be >= 0%%: %s", key, text);
        if (amount.kind == AMOUNT_SHARE && amount.share > 1)
                return err_set(err, EINVAL, "eviction percentage threshold %s must be <= 100%%: %s", key, text);
        if (amount.kind == AMOUNT_QUANTITY && quantity_sign(amount.quantity) <= 0)
                return err_set(err, EINVAL, "eviction threshold %s must be positive: %s", key, text);
        *ret_amount = amount;
        return 0;
}

static int put_reclaim(const char *key, const char *text, struct eviction_amount *ret_amount, struct err **err) {
        struct eviction_amount amount;
        int r = parse_amount(key, text, &amount, err);

        if (r < 0)
                return r;
        if (amount.kind == AMOUNT_SHARE && amount.share <= 0)
                return err_set(err, EINVAL, "eviction percentage minimum reclaim %s must be positive: %s", key, text);
        if (amount.kind == AMOUNT_QUANTITY && quantity_sign(amount.quantity) < 0)
                return err_set(err, EINVAL, "negative eviction minimum reclaim specified for %s: %s", key, text);
        *ret_amount = amount;
        return 0;
}

static int put_grace(const char *key, const char *text, int64_t *ret_ms, struct err **err) {
        int64_t ns;

        if (duration_parse(text, &ns) < 0)
                return err_set(err, EINVAL, "%s: \"%s\" is not a duration like 1m30s", key, text);
        if (ns < 0)
                return err_set(err, EINVAL, "invalid eviction grace period specified: %s, must be a positive value",
                               text);
        *ret_ms = ns / 1000000;
        return 0;
}

/* -- maps -------------------------------------------------------------------------------------------------- */

void eviction_settings_init(struct eviction_settings *s) {
        *s = (struct eviction_settings){
                .transition_ms = 5 * 60 * 1000,
                .image_high_percent = 85,
                .image_low_percent = 80,
                .image_min_age_ms = 2 * 60 * 1000,
                .local_storage = true,
                .enforce = true,
        };
        eviction_settings_clear(s, EVICTION_SOFT_GRACE);
}

void eviction_settings_clear(struct eviction_settings *s, enum eviction_map map) {
        switch (map) {
        case EVICTION_HARD:
                memset(s->hard, 0, sizeof(s->hard));
                s->hard_given = 0;
                s->has_hard = true;
                return;
        case EVICTION_SOFT:
                memset(s->soft, 0, sizeof(s->soft));
                return;
        case EVICTION_SOFT_GRACE:
                for (int i = 0; i < _EVICTION_SIGNALS; i++)
                        s->soft_grace_ms[i] = -1;
                return;
        case EVICTION_MINIMUM_RECLAIM:
                memset(s->reclaim, 0, sizeof(s->reclaim));
                return;
        case EVICTION_SYSTEM_RESERVED:
        case EVICTION_KUBE_RESERVED:
                memset(s->reserved[map - EVICTION_SYSTEM_RESERVED], 0, sizeof(s->reserved[0]));
                return;
        case _EVICTION_MAPS:
                return;
        }
}

static int find(const char *const *names, int n, const char *key) {
        for (int i = 0; i < n; i++)
                if (strcmp(names[i], key) == 0)
                        return i;
        return -1;
}

static int put_reserved(struct eviction_settings *s, enum eviction_map map, const char *key, const char *text,
                        struct err **err) {
        int i = find(reserved_names, _RESERVED_RESOURCES, key);
        struct quantity quantity;
        int r;

        if (i < 0)
                return err_set(err, EINVAL, "cannot reserve \"%s\": only cpu, memory, ephemeral-storage and pid", key);
        if ((r = quantity_parse(text, &quantity, err)) < 0)
                return err_wrap(err, r, "%s", key);
        if (quantity_sign(quantity) < 0)
                return err_set(err, EINVAL, "resource quantity for \"%s\" cannot be negative: %s", key, text);
        s->reserved[map - EVICTION_SYSTEM_RESERVED][i] = quantity;
        s->pids_reserved |= i == RESERVED_PIDS;
        return 0;
}

/* kubelet takes what is true of the containers' file system from the one that it shares. */
static bool is_derived(enum eviction_map map, const char *key) {
        return map <= EVICTION_MINIMUM_RECLAIM &&
               (strcmp(key, "containerfs.available") == 0 || strcmp(key, "containerfs.inodesFree") == 0);
}

int eviction_settings_put(struct eviction_settings *s, enum eviction_map map, const char *key, const char *value,
                          struct err **err) {
        int i = find(signal_names, _EVICTION_SIGNALS, key);

        if (map >= EVICTION_SYSTEM_RESERVED)
                return put_reserved(s, map, key, value, err);
        if (is_derived(map, key))
                return 0;
        if (i < 0)
                return err_set(err, EINVAL, "unsupported eviction signal %s", key);
        switch (map) {
        case EVICTION_HARD:
                s->hard_given |= 1u << i;
                return put_threshold(key, value, &s->hard[i], err);
        case EVICTION_SOFT:
                return put_threshold(key, value, &s->soft[i], err);
        case EVICTION_SOFT_GRACE:
                return put_grace(key, value, &s->soft_grace_ms[i], err);
        default:
                return put_reclaim(key, value, &s->reclaim[i], err);
        }
}

int eviction_settings_put_list(struct eviction_settings *s, enum eviction_map map, const char *list, struct err **err) {
        const char separator = map == EVICTION_HARD || map == EVICTION_SOFT ? '<' : '=';
        _cleanup_free_ char *copy = strdup(list);
        char *rest = copy, *row, *value;
        int r;

        if (!copy)
                return err_set(err, ENOMEM, "out of memory");
        eviction_settings_clear(s, map);
        while ((row = strsep(&rest, ","))) {
                if (!*row)
                        continue;
                if (!(value = strchr(row, separator)))
                        return err_set(err, EINVAL, "\"%s\" has no %c", row, separator);
                *value++ = '\0';
                if ((r = eviction_settings_put(s, map, row, value + strspn(value, " "), err)) < 0)
                        return r;
        }
        return 0;
}

/* -- the whole --------------------------------------------------------------------------------------------- */

static int check_images(const struct eviction_settings *s, struct err **err) {
        if (s->image_high_percent < 0 || s->image_high_percent > 100)
                return err_set(err, EINVAL,
                               "imageGCHighThresholdPercent (--image-gc-high-threshold) %d must be between 0 and 100",
                               s->image_high_percent);
        if (s->image_low_percent < 0 || s->image_low_percent > 100)
                return err_set(err, EINVAL,
                               "imageGCLowThresholdPercent (--image-gc-low-threshold) %d must be between 0 and 100",
                               s->image_low_percent);
        if (s->image_low_percent >= s->image_high_percent)
                return err_set(err, EINVAL,
                               "imageGCLowThresholdPercent (--image-gc-low-threshold) %d must be less than "
                               "imageGCHighThresholdPercent (--image-gc-high-threshold) %d",
                               s->image_low_percent, s->image_high_percent);
        if (s->image_min_age_ms < 0 || s->image_max_age_ms < 0)
                return err_set(err, EINVAL, "imageMinimumGCAge and imageMaximumGCAge must not be negative");
        if (s->image_max_age_ms > 0 && s->image_max_age_ms <= s->image_min_age_ms)
                return err_set(err, EINVAL, "imageMaximumGCAge must be greater than imageMinimumGCAge");
        return 0;
}

int eviction_settings_finish(struct eviction_settings *s, struct err **err) {
        int r;

        for (int i = 0; i < _EVICTION_SIGNALS; i++) {
                if (default_hard[i] && (!s->has_hard || (s->merge_defaults && !(s->hard_given & 1u << i))) &&
                    (r = put_threshold(signal_names[i], default_hard[i], &s->hard[i], err)) < 0)
                        return r;
                if (s->soft[i].kind != AMOUNT_NONE && s->soft_grace_ms[i] < 0)
                        return err_set(err, EINVAL, "grace period must be specified for the soft eviction threshold %s",
                                       signal_names[i]);
        }
        return check_images(s, err);
}

void eviction_reserve_cpus(struct eviction_settings *s, int64_t n) {
        s->reserved[0][RESERVED_CPU] = quantity_from_units(n, QUANTITY_DECIMAL);
        s->reserved[1][RESERVED_CPU] = quantity_from_units(0, QUANTITY_DECIMAL);
}

int64_t eviction_reserved(const struct eviction_settings *s, enum reserved_resource resource) {
        struct quantity sum = quantity_add(s->reserved[0][resource], s->reserved[1][resource]);

        return resource == RESERVED_CPU ? quantity_milli(sum) : quantity_units(sum);
}
