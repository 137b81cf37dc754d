/* Where clients in the cluster reach this server. */
#pragma once

#include "api/services/cluster_ip.h"

struct api_config;

/* --advertise-address, else --bind-address, else the address from which this host reaches others. False where that is
 * of this host alone: it leads nobody anywhere. */
bool api_advertised(const struct api_config *config, char ret_text[CLUSTER_IP_TEXT_MAX]);
