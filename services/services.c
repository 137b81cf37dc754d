#include "services/services.h"

#include <errno.h>
#include <stdlib.h>

#include "services/internal.h"

int services_new(const struct services_config *config, const struct services_cidrs *own, struct services **ret_services,
                 struct err **err) {
        struct services *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return err_set(err, ENOMEM, "out of memory");
        s->config = *config;
        if (nodes_init(s, own) < 0 || model_init(s) < 0)
                r = err_set(err, ENOMEM, "out of memory");
        else
                r = host_watch(s, err);
        if (r < 0) {
                services_free(s);
                return r;
        }
        *ret_services = s;
        return 0;
}

int services_start(struct services *s) {
        int r = nodes_start(s);

        return r < 0 ? r : model_start(s);
}

const char *services_unready(const struct services *s) {
        return *s->nodes.why ? s->nodes.why : NULL;
}

void services_free(struct services *s) {
        if (!s)
                return;
        host_done(s);
        nodes_done(s);
        model_done(s);
        free(s);
}
