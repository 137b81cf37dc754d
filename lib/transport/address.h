/* Where a stream leads to: texts of Unix and TCP addresses. Names are looked up elsewhere (lib/resolve.h). */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct err;

/* Reads "ADDRESS:PORT", "[ADDRESS]:PORT" with a numeric address, or a Unix socket's path as lib/listen.h takes it.
 * Returns 0, or -EINVAL with *@err quoting @text. */
int address_parse(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size, struct err **err);

/* The port of a TCP address; 0 for others. */
uint16_t address_port(const struct sockaddr_storage *address);
