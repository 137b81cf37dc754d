#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/files.h"
#include "lib/cleanup.h"

static const char managed[] = "# Kubernetes-managed hosts file.\n"
                              "127.0.0.1\tlocalhost\n"
                              "::1\tlocalhost ip6-localhost ip6-loopback\n"
                              "fe00::0\tip6-localnet\n"
                              "fe00::0\tip6-mcastprefix\n"
                              "fe00::1\tip6-allnodes\n"
                              "fe00::2\tip6-allrouters\n";
static const char managed_host_network[] = "# Kubernetes-managed hosts file (host network).\n";

static void write_ips(FILE *f, const struct hosts_options *options) {
        for (const char *const *ip = options->ips; ip && *ip; ip++) {
                if (options->domain && options->domain[0])
                        fprintf(f, "%s\t%s.%s\t%s\n", *ip, options->hostname, options->domain, options->hostname);
                else
                        fprintf(f, "%s\t%s\n", *ip, options->hostname);
        }
}

static void write_aliases(FILE *f, const struct hosts_options *options) {
        if (options->n_aliases > 0)
                fputs("\n# Entries added by HostAliases.\n", f);
        for (size_t i = 0; i < options->n_aliases; i++) {
                const char *const *name = options->aliases[i].hostnames;

                fprintf(f, "%s\t", options->aliases[i].ip);
                for (bool first = true; name && *name; name++, first = false)
                        fprintf(f, "%s%s", first ? "" : "\t", *name);
                fputc('\n', f);
        }
}

char *cni_hosts_format(const struct hosts_options *options) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (options->node_hosts) {
                fputs(managed_host_network, f);
                fputs(options->node_hosts, f);
        } else {
                fputs(managed, f);
                write_ips(f, options);
        }
        write_aliases(f, options);
        if (ferror(f) | fclose(f)) {
                free(text);
                return NULL;
        }
        return text;
}

char *cni_hostname_format(const char *hostname) {
        char *text;

        return asprintf(&text, "%s\n", hostname) < 0 ? NULL : text;
}
