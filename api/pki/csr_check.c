#include <errno.h>
#include <string.h>

#include "api/pki/csr.h"
#include "lib/err.h"

#define NODE_PREFIX "system:node:"
#define SIGNATURE "digital signature"
#define ENCIPHERMENT "key encipherment"
#define CLIENT "client auth"
#define SERVER "server auth"

/* As a set: signature and @use, and encipherment, which only RSA can do, or not. */
static bool usages_are(const string_list *usages, const char *use) {
        list_for_each (usage, usages) {
                if (strcmp(*usage, SIGNATURE) != 0 && strcmp(*usage, ENCIPHERMENT) != 0 && strcmp(*usage, use) != 0)
                        return false;
        }
        return kube_has(usages, SIGNATURE) && kube_has(usages, use);
}

static int refuse(struct err **err, const char *why) {
        return err_set(err, EINVAL, "%s", why);
}

static int check_node(const struct pki_csr *csr, struct err **err) {
        if (csr->organizations.count != 1 || strcmp(csr->organizations.items[0], "system:nodes") != 0)
                return refuse(err, "subject organization is not system:nodes");
        return 0;
}

static int check_node_name(const struct pki_csr *csr, struct err **err) {
        if (strncmp(csr->common_name, NODE_PREFIX, strlen(NODE_PREFIX)) != 0)
                return refuse(err, "subject common name does not begin with system:node: ");
        return 0;
}

static int check_serving(const struct pki_csr *csr, const string_list *usages, struct err **err) {
        int r = check_node(csr, err);

        if (r < 0)
                return r;
        if (csr->dns.count == 0 && csr->addresses.count == 0)
                return refuse(err, "DNS or IP subjectAltName is required");
        if (csr->emails.count > 0)
                return refuse(err, "Email subjectAltNames are not allowed");
        if (csr->uris.count > 0)
                return refuse(err, "URI subjectAltNames are not allowed");
        if (!usages_are(usages, SERVER))
                return refuse(err, "usages did not match [digital signature key encipherment server auth]");
        return check_node_name(csr, err);
}

static int check_kubelet(const struct pki_csr *csr, const string_list *usages, struct err **err) {
        int r = check_node(csr, err);

        if (r < 0)
                return r;
        if (csr->dns.count > 0)
                return refuse(err, "DNS subjectAltNames are not allowed");
        if (csr->emails.count > 0)
                return refuse(err, "Email subjectAltNames are not allowed");
        if (csr->addresses.count > 0)
                return refuse(err, "IP subjectAltNames are not allowed");
        if (csr->uris.count > 0)
                return refuse(err, "URI subjectAltNames are not allowed");
        r = check_node_name(csr, err);
        if (r < 0)
                return r;
        return usages_are(usages, CLIENT) ?
                       0 :
                       refuse(err, "usages did not match [client auth digital signature key encipherment]");
}

static int check_client(const struct pki_csr *csr, const string_list *usages, struct err **err) {
        list_for_each (usage, usages) {
                if (strcmp(*usage, SIGNATURE) != 0 && strcmp(*usage, ENCIPHERMENT) != 0 && strcmp(*usage, CLIENT) != 0)
                        return err_set(err, EINVAL, "invalid usage for client certificate: %s", *usage);
        }
        return kube_has(usages, CLIENT) ? 0 : refuse(err, "missing required usage for client certificate: client auth");
}

int pki_csr_check(const struct pki_csr *csr, const struct pki_csr_spec *spec, struct err **err) {
        static const struct {
                const char *signer;
                int (*check)(const struct pki_csr *csr, const string_list *usages, struct err **err);
        } signers[] = {
                { PKI_SIGNER_CLIENT, check_client },
                { PKI_SIGNER_KUBELET_CLIENT, check_kubelet },
                { PKI_SIGNER_KUBELET_SERVING, check_serving },
        };

        for (unsigned i = 0; i < sizeof(signers) / sizeof(signers[0]); i++) {
                if (strcmp(spec->signer, signers[i].signer) == 0)
                        return signers[i].check(csr, &spec->usages, err);
        }
        return -ENOENT;
}
