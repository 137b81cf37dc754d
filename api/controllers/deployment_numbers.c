/* How many pods there may be. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "kube/types.h"

int32_t deployment_wanted(const deployment *d) {
        return d->spec.replicas.set ? (int32_t)d->spec.replicas.value : 1;
}

/* Amounts are whoever's who writes objects: what is too large is the largest there is. */
static int32_t bounded(int64_t n) {
        return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}

int32_t deployment_sum(int32_t a, int32_t b) {
        return bounded((int64_t)a + b);
}

/* What cannot be read is none, as what is not given; so is what Go's int has no room for. */
int32_t deployment_scaled(const struct int_or_string *amount, int32_t total, bool up) {
        int64_t percent, scaled;
        char *end;

        if (!amount->set)
                return 0;
        if (!amount->text)
                return amount->number;
        errno = 0;
        percent = strtol(amount->text, &end, 10);
        if (errno || end == amount->text || strcmp(end, "%") != 0)
                return 0;
        if (__builtin_mul_overflow(percent, total, &scaled) || __builtin_add_overflow(scaled, up ? 99 : 0, &scaled))
                return (percent < 0) == (total < 0) ? INT32_MAX : INT32_MIN;
        return bounded(scaled / 100);
}

bool deployment_rolls(const deployment *d) {
        return kube_is(d->spec.strategy.type, "RollingUpdate") && d->spec.strategy.rolling_update;
}

/* Where neither one more nor one less were allowed nothing could move: then one may be missing. */
static int32_t unavailable_of(const deployment *d, int32_t surge) {
        int32_t n = deployment_scaled(&d->spec.strategy.rolling_update->max_unavailable, deployment_wanted(d), false);

        return n == 0 && surge == 0 ? 1 : n;
}

int32_t deployment_surge(const deployment *d) {
        return deployment_rolls(d) ?
                       deployment_scaled(&d->spec.strategy.rolling_update->max_surge, deployment_wanted(d), true) :
                       0;
}

int32_t deployment_unavailable(const deployment *d) {
        int32_t n, wanted = deployment_wanted(d);

        if (!deployment_rolls(d) || wanted == 0)
                return 0;
        n = unavailable_of(d, deployment_surge(d));
        return n < wanted ? n : wanted;
}

int32_t deployment_most(const deployment *d) {
        return deployment_sum(deployment_wanted(d), deployment_surge(d));
}

int32_t deployment_replicas(const struct deployment_set *set) {
        return set->set.spec.replicas.set ? (int32_t)set->set.spec.replicas.value : 1;
}
