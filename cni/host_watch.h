/* Events of the host's own addresses and routes, as a loop hears them. */
#pragma once

#include <stdbool.h>

#include "cni/netlink.h"

struct err;

/* A socket of the thread's namespace that hears of them; its descriptor is to be polled. */
int cni_host_watch_open(struct netlink *ret_netlink, struct err **err);

/* Reads what has come, without waiting: whether an address or a route is another: not one of ours that was added. */
bool cni_host_watch_read(struct netlink *netlink);
