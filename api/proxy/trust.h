/* What all relays share: whom connections are made as, how long that may take, and which relays there are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_loop;
struct proxy;
struct proxy_relays;
struct proxy_target;
struct tls_context;

/* What a connection to @target is made with: a reference of the caller's. */
struct tls_context *proxy_tls(struct proxy *proxy, const struct proxy_target *target);

/* For how long a connection may be in the making: milliseconds. */
uint64_t proxy_patience(const struct proxy *proxy, const struct proxy_target *target);

/* The types of addresses that a node is reached by, best first; @ret_n of them. */
const char *const *proxy_address_types(const struct proxy *proxy, size_t *ret_n);

/* One more is begun; false: there are PROXY_RELAYS_MAX. One has ended. */
bool proxy_enter(struct proxy *proxy);
void proxy_exit(struct proxy *proxy);

/* The relays of @loop; on its thread. */
struct proxy_relays *proxy_open(struct proxy *proxy, const struct api_loop *loop);
