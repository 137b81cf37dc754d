/* metrics.k8s.io: what nodes and pods use, for `kubectl top` and autoscalers, as metrics-server says it. It is scraped
 * from each kubelet's /metrics/resource, every USAGE_ROUND_S while somebody asks, else not at all.
 *
 *     api_measure ── who asks first, waits ──► scraper (the controllers' loop): rounds over all nodes
 *          ◄────────── what the last two scrapes say: a rate of CPU, memory as it was
 *
 * Nothing of it is stored. One lock guards what both sides see; scrapes are merged in under it.
 */
#pragma once

#include <uv.h>

#include "api/server/pipeline.h"

struct api_request;
struct api_state;
struct api_usage;
struct tls_context;

#define USAGE_GROUP "metrics.k8s.io"
#define USAGE_ROUND_S 15                  /* metrics-server's --metric-resolution */
#define USAGE_IDLE_S 60                   /* nobody has asked for so long: no more rounds */
#define USAGE_FIRST_MS 1000               /* between the first two, which give the first rate */
#define USAGE_PATIENCE_MS 3000            /* for which who asks first waits for slow nodes */
#define USAGE_SCRAPE_MS 10000             /* for one node */
#define USAGE_SCRAPES_MAX 64              /* at a time */
#define USAGE_BODY_MAX ((size_t)16 << 20) /* bytes of an answer */

/* NULL without memory. */
struct api_usage *api_usage_new(struct api_state *state);
void api_usage_free(struct api_usage *usage); /* stopped; NULL is fine */

/* Scrapes on @loop from now on, whenever it is asked to, with @tls, of which a reference is taken. 0 or negative errno.
 */
int api_usage_start(struct api_usage *usage, uv_loop_t *loop, struct tls_context *tls);
/* New connections are made with @tls, of which a reference is taken. From any thread, between new and free. */
void api_usage_set_tls(struct api_usage *usage, struct tls_context *tls);
void api_usage_stop(struct api_usage *usage); /* on its loop; who waits is answered with what there is */

/* Stage: get and list of this group's resources; API_NEXT for all others. */
enum api_step api_measure(struct api_request *r);
