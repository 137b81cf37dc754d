/* The node's kubeconfig, as kubelet writes it after its bootstrap: the certificate is named, so that each renewal is in
 * it. */
#include <string.h>

#include "agent/identity/internal.h"
#include "lib/arena.h"
#include "lib/base64.h"

#define CONTEXT "default-context"

const char *kubeconfig_text(struct arena *arena, const struct client_remote_config *config, const char *pem_path) {
        const char *ca = config->authorities ?: "";
        char *coded = arena_alloc(arena, BASE64_LENGTH(strlen(ca)) + 1);

        if (!coded)
                return NULL;
        base64_encode(ca, strlen(ca), coded);
        return arena_printf(arena,
                            "apiVersion: v1\n"
                            "kind: Config\n"
                            "clusters:\n"
                            "- name: default-cluster\n"
                            "  cluster:\n"
                            "%s%s%s"
                            "    server: %s\n"
                            "contexts:\n"
                            "- name: " CONTEXT "\n"
                            "  context:\n"
                            "    cluster: default-cluster\n"
                            "    namespace: default\n"
                            "    user: default-auth\n"
                            "current-context: " CONTEXT "\n"
                            "users:\n"
                            "- name: default-auth\n"
                            "  user:\n"
                            "    client-certificate: %s\n"
                            "    client-key: %s\n",
                            *ca ? "    certificate-authority-data: " : "", coded, *ca ? "\n" : "", config->server,
                            pem_path, pem_path);
}
