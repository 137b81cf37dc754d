/* DIRECTORY/network: what the node goes on with after a cold boot without the API service.
 *
 *   cidr CIDR
 *   node NAME CIDR[,CIDR] ADDRESS[,ADDRESS]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/files.h"
#include "services/internal.h"

#define FILE_MODE 0644

static char *path_of(const char *directory) {
        char *path = NULL;

        return asprintf(&path, "%s/network", directory) < 0 ? NULL : path;
}

char *stored_text(const struct services_cidrs *own, const struct network_cluster *cluster) {
        char *text = NULL, cidr[IP_CIDR_TEXT_MAX], address[IP_TEXT_MAX];
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < own->n; i++)
                fprintf(f, "cidr %s\n", ip_cidr_format(&own->items[i], cidr));
        for (size_t i = 0; i < cluster->n_peers; i++) {
                const struct network_peer *peer = &cluster->peers[i];

                fprintf(f, "node %s ", peer->name);
                for (size_t k = 0; k < peer->n_cidrs; k++)
                        fprintf(f, "%s%s", k > 0 ? "," : "", ip_cidr_format(&peer->cidrs[k], cidr));
                for (size_t k = 0; k < peer->n_addresses; k++)
                        fprintf(f, "%s%s", k > 0 ? "," : " ", ip_format(&peer->addresses[k], address));
                fputc('\n', f);
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

int stored_write(const char *directory, const char *text, struct err **err) {
        _cleanup_free_ char *path = path_of(directory);

        return path ? files_replace_synced(path, text, strlen(text), FILE_MODE, err) :
                      err_set(err, ENOMEM, "out of memory");
}

/* The file's lines, one by one; a line that is not understood is as if it were not there. */
static int each_line(const char *directory, int (*call)(void *data, char *kind, char *rest), void *data) {
        _cleanup_free_ char *path = path_of(directory), *text = NULL;
        char *rest, *line;
        int r = 0;

        if (!path)
                return -ENOMEM;
        if (files_read(path, SERVICES_FILE_MAX, &text, NULL, NULL) < 0)
                return 0;
        rest = text;
        while (r == 0 && (line = strsep(&rest, "\n"))) {
                char *kind = strsep(&line, " ");

                if (line)
                        r = call(data, kind, line);
        }
        return r;
}

void services_leave(const char *bridge, const char *directory) {
        _cleanup_free_ char *path = path_of(directory);

        network_leave(bridge);
        if (path)
                unlink(path);
}

static int take_own(void *data, char *kind, char *rest) {
        struct services_cidrs *own = data;

        if (strcmp(kind, "cidr") == 0 && own->n < SERVICES_CIDRS_MAX &&
            ip_cidr_parse(rest, &own->items[own->n], NULL) == 0)
                own->n++;
        return 0;
}

void services_kept_cidrs(const char *directory, struct services_cidrs *ret_cidrs) {
        *ret_cidrs = (struct services_cidrs){ 0 };
        each_line(directory, take_own, ret_cidrs);
}

static int take_node(void *data, char *kind, char *rest) {
        char *name = strsep(&rest, " "), *cidrs = strsep(&rest, " "), *one;
        struct node *node;

        if (strcmp(kind, "node") != 0 || !rest || !*name)
                return 0;
        node = nodes_add(data, name);
        if (!node)
                return 0;
        while ((one = strsep(&cidrs, ",")))
                if (node->n_cidrs < SERVICES_CIDRS_MAX && ip_cidr_parse(one, &node->cidrs[node->n_cidrs], NULL) == 0)
                        node->n_cidrs++;
        while ((one = strsep(&rest, ",")))
                if (node->n_addresses < ELEMENTS(node->addresses) &&
                    ip_parse(one, &node->addresses[node->n_addresses], NULL) == 0)
                        node->n_addresses++;
        return 0;
}

int stored_read(struct services *s) {
        return each_line(s->config.directory, take_node, s);
}
