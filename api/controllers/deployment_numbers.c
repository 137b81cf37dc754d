/* How many pods there may be. */
#include <stdlib.h>
#include <string.h>

#include "api/controllers/deployment.h"
#include "kube/types.h"

int32_t deployment_wanted(const deployment *d) {
        return d->spec.replicas.set ? (int32_t)d->spec.replicas.value : 1;
}

/* What cannot be read is none, as what is not given. */
int32_t deployment_scaled(const struct int_or_string *amount, int32_t total, bool up) {
        int64_t percent;
        char *end;

        if (!amount->set)
                return 0;
        if (!amount->text)
                return amount->number;
        percent = strtol(amount->text, &end, 10);
        if (end == amount->text || strcmp(end, "%") != 0)
                return 0;
        return (int32_t)((percent * total + (up ? 99 : 0)) / 100);
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

int32_t deployment_replicas(const struct deployment_set *set) {
        return set->set.spec.replicas.set ? (int32_t)set->set.spec.replicas.value : 1;
}
