#include "cni/bridge_names.h"

#include <stdio.h>
#include <string.h>

#define BRIDGE_CHARS 4
#define SANDBOX_CHARS 9

/* Interface groups from here on are this network's: "n" and 20 bits of the bridge. */
#define GROUP_BASE 0x6e000000u

static const char *const prefixes[] = { [BRIDGE_VETH] = "nv", [BRIDGE_IFB] = "ni", [BRIDGE_TUNNEL] = "nt" };

/* FNV-1a with a final mix, so that the upper bits depend on the last byte too. */
static uint64_t hash(const char *text) {
        uint64_t h = 0xcbf29ce484222325;

        for (; *text; text++)
                h = (h ^ (uint8_t)*text) * 0x100000001b3;
        h ^= h >> 32;
        h *= 0xd6e8feb86659fd93;
        return h ^ h >> 32;
}

static void write_hash(char *to, uint64_t h, int n) {
        for (int i = 0; i < n; i++, h >>= 5)
                to[i] = "abcdefghijklmnopqrstuvwxyz234567"[h & 31];
}

void cni_bridge_device_name(const char *bridge, const char *id, enum bridge_device device, char ret_name[IFNAMSIZ]) {
        memcpy(ret_name, prefixes[device], 2);
        write_hash(ret_name + 2, hash(bridge), BRIDGE_CHARS);
        write_hash(ret_name + 2 + BRIDGE_CHARS, hash(id), SANDBOX_CHARS);
        ret_name[2 + BRIDGE_CHARS + SANDBOX_CHARS] = '\0';
}

void cni_bridge_veth_of(const char *name, char ret_veth[IFNAMSIZ]) {
        snprintf(ret_veth, IFNAMSIZ, "%s", name);
        memcpy(ret_veth, prefixes[BRIDGE_VETH], 2);
}

bool cni_bridge_owns_device(const char *bridge, const char *name) {
        char own[BRIDGE_CHARS];

        write_hash(own, hash(bridge), BRIDGE_CHARS);
        return strlen(name) == 2 + BRIDGE_CHARS + SANDBOX_CHARS &&
               (memcmp(name, prefixes[BRIDGE_VETH], 2) == 0 || memcmp(name, prefixes[BRIDGE_IFB], 2) == 0) &&
               memcmp(name + 2, own, BRIDGE_CHARS) == 0;
}

uint32_t cni_bridge_group(const char *bridge) {
        return GROUP_BASE | (uint32_t)(hash(bridge) & 0xfffff);
}
