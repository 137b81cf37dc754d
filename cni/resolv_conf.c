#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni/dns_list.h"
#include "cni/files.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* What Go's strings.Fields takes for a blank in a line of ASCII. */
#define BLANKS " \t\v\f\r"

int cni_dns_list_add(struct dns_list *list, const char *text) {
        char **items = reallocarray(list->items, list->n + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        list->items = items;
        items[list->n] = strdup(text);
        if (!items[list->n])
                return -ENOMEM;
        list->n++;
        return 0;
}

void cni_dns_list_cut(struct dns_list *list, size_t n) {
        while (list->n > n)
                free(list->items[--list->n]);
}

int cni_dns_list_add_new(struct dns_list *list, const char *text) {
        for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->items[i], text) == 0)
                        return 0;
        return cni_dns_list_add(list, text);
}

int cni_dns_list_set_option(struct dns_list *list, const char *option) {
        size_t name = strcspn(option, ":");

        for (size_t i = 0; i < list->n; i++) {
                if (strcspn(list->items[i], ":") == name && strncmp(list->items[i], option, name) == 0) {
                        char *copy = strdup(option);

                        if (!copy)
                                return -ENOMEM;
                        free(list->items[i]);
                        list->items[i] = copy;
                        return 0;
                }
        }
        return cni_dns_list_add(list, option);
}

static void clear(struct dns_list *list) {
        cni_dns_list_cut(list, 0);
        free(list->items);
        *list = (struct dns_list){ 0 };
}

void cni_dns_config_clear(struct dns_config *config) {
        clear(&config->servers);
        clear(&config->searches);
        clear(&config->options);
}

/* The same domain with and without its final dot counts once against the limits. */
static void trim_dot(char *name) {
        size_t n = strlen(name);

        if (n > 1 && name[n - 1] == '.')
                name[n - 1] = '\0';
}

static int parse_line(char *line, struct dns_config *config, struct err **err) {
        char *rest, *key = strtok_r(line, BLANKS, &rest), *word;
        int r = 0;

        if (!key || key[0] == '#')
                return 0;
        if (strcmp(key, "nameserver") == 0) {
                word = strtok_r(NULL, BLANKS, &rest);
                if (!word)
                        return err_set(err, EINVAL, "resolv.conf: a nameserver line without an address");
                return cni_dns_list_add(&config->servers, word);
        }
        if (strcmp(key, "search") == 0) {
                cni_dns_list_cut(&config->searches, 0);
                while (r == 0 && (word = strtok_r(NULL, BLANKS, &rest))) {
                        trim_dot(word);
                        r = cni_dns_list_add(&config->searches, word);
                }
        }
        if (strcmp(key, "options") == 0)
                while (r == 0 && (word = strtok_r(NULL, BLANKS, &rest)))
                        r = cni_dns_list_set_option(&config->options, word);
        return r;
}

int cni_resolv_conf_parse(const char *text, size_t n, struct dns_config *ret_config, struct err **err) {
        _cleanup_dns_config_ struct dns_config config = { 0 };
        _cleanup_free_ char *copy = NULL;
        char *next;
        int r = 0;

        if (n > RESOLV_CONF_MAX)
                return err_set(err, EFBIG, "resolv.conf: more than %d bytes", RESOLV_CONF_MAX);
        copy = strndup(text, n);
        if (!copy)
                return err_errno(err, ENOMEM, "resolv.conf");
        next = copy;
        while (r == 0 && next)
                r = parse_line(strsep(&next, "\n"), &config, err);
        if (r == -ENOMEM)
                return err_errno(err, ENOMEM, "resolv.conf");
        if (r < 0)
                return r;
        *ret_config = config;
        config = (struct dns_config){ 0 };
        return 0;
}

static void write_list(FILE *f, const char *key, const struct dns_list *list) {
        if (list->n == 0)
                return;
        fputs(key, f);
        for (size_t i = 0; i < list->n; i++)
                fprintf(f, " %s", list->items[i]);
        fputc('\n', f);
}

char *cni_resolv_conf_format(const struct dns_config *config) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        write_list(f, "search", &config->searches);
        for (size_t i = 0; i < config->servers.n; i++)
                fprintf(f, "nameserver %s\n", config->servers.items[i]);
        write_list(f, "options", &config->options);
        if (ferror(f) | fclose(f)) {
                free(text);
                return NULL;
        }
        return text;
}
