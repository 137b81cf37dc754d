/* Results of CNI plugins: the specification's result object as what the rest of the agent wants to know. */
#pragma once

#include "cni/conflist.h"
#include "cni/network.h"

/* Takes addresses, gateways, hardware address and the host's interface from @result of CNI @version, for the interface
 * @interface of the pod. -EINVAL names what is wrong. */
int cni_plugin_result_read(const struct value *result, enum cni_version version, const char *interface,
                           struct network_result *ret_result, struct err **err);
