/* How long a certificate is good for. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent/identity/internal.h"

#define DAY_S INT64_C(86400)
#define SHARE_MIN 0.7 /* of a life, and up to SHARE_MORE beside: kubelet's nextRotationDeadline() */
#define SHARE_MORE 0.2

bool holder_is_credible(const struct identity_holder *h) {
        int64_t now = time(NULL);

        return now + DAY_S >= h->life.begins && now < h->life.ends;
}

int64_t holder_due_in(const struct identity_holder *h) {
        int64_t ripe_ms = (int64_t)(h->share * (double)(h->life.ends - h->life.begins) * 1000), wait = 0;

        if (h->received_ms)
                wait = ripe_ms - (int64_t)(uv_now(h->identity->config.loop) - h->received_ms);
        else if (h->pem && holder_is_credible(h))
                wait = (h->life.begins - (int64_t)time(NULL)) * 1000 + ripe_ms;
        return wait > 0 ? wait : 0;
}

void holder_keep(struct identity_holder *h, char *pem) {
        if (h->pem)
                explicit_bzero(h->pem, strlen(h->pem));
        free(h->pem);
        h->pem = pem;
        if (client_certificate_life(pem, &h->life, NULL) < 0)
                h->life = (struct client_life){ 0 };
}

double holder_share(void) {
        uint32_t random = 0;

        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
                random = 0;
        return SHARE_MIN + SHARE_MORE * random / UINT32_MAX;
}
