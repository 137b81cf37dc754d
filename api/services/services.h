/* What Services have beside their objects: addresses and node ports of their own, IPAddresses that say whose they are,
 * and the Service "kubernetes" that leads to this server. As kube-apiserver 1.36 does it (KEP-1880, KEP-3070).
 *
 * Nothing is stored but the objects: what is taken is derived from Services at start, and followed. Ranges are those of
 * the ServiceCIDRs that are ready; "kubernetes" is the one of the command line.
 */
#pragma once

#include "api/server/pipeline.h"

struct api_request;
struct api_services;
struct api_state;
struct err;

struct api_services_config {
        struct api_state *state;
        const char *ranges;     /* --service-cluster-ip-range: one, or one of each family after a comma */
        const char *node_ports; /* --service-node-port-range */
        const char *advertised; /* where the server is reached; NULL: it is told to nobody */
        unsigned port;          /* of @advertised */
};

/* Reads Services, IPAddresses and ServiceCIDRs, makes what is missing, and follows them. Blocks; before anything is
 * served. Texts outlive it. */
int api_services_new(const struct api_services_config *config, struct api_services **ret_services, struct err **err);

/* Once nothing changes any more. NULL is fine. */
struct api_services *api_services_free(struct api_services *services);

/* Stage: a Service that is made or changed gets what its type needs. Dry runs get nothing for good. */
enum api_step api_services_allocate(struct api_request *r);
