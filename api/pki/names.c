#include <errno.h>
#include <string.h>

#include "api/pki/internal.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/ip.h"

static int add_name(string_list *names, const char *name, struct err **err) {
        struct ip ip = { 0 }, none = { 0 };

        if (!name)
                return -ENOMEM;
        if (ip_parse(name, &ip, NULL) == 0) {
                none.family = ip.family;
                if (ip_equal(&ip, &none)) /* 0.0.0.0: all of the host's, which are not known here */
                        return 0;
        } else if (!name[0] || strlen(name) > 253 ||
                   name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*")])
                return err_set(err, EINVAL,
                               "\"%s\" is no address and no DNS name: the serving certificate cannot have it", name);
        list_for_each (there, names) {
                if (strcmp(*there, name) == 0)
                        return 0;
        }
        if (names->count == PKI_NAMES_MAX)
                return err_set(err, E2BIG, "the serving certificate: more than %d names", PKI_NAMES_MAX);
        names->items[names->count++] = name;
        return 0;
}

int pki_serving_names(struct arena *arena, const struct pki_config *config, string_list *ret_names, struct err **err) {
        static const char *const usual[] = { "localhost",  "127.0.0.1",          "::1",
                                             "kubernetes", "kubernetes.default", "kubernetes.default.svc" };
        string_list names = { 0 };
        int r;

        names.items = arena_alloc_array(arena, PKI_NAMES_MAX, sizeof(*names.items));
        if (!names.items)
                return -ENOMEM;
        for (unsigned i = 0; i < ELEMENTS(usual); i++)
                if ((r = add_name(&names, usual[i], err)) < 0)
                        return r;
        if ((r = add_name(&names, arena_printf(arena, "kubernetes.default.svc.%s", config->domain), err)) < 0)
                return r;
        for (unsigned i = 0; config->names && config->names[i]; i++)
                if ((r = add_name(&names, arena_strdup(arena, config->names[i]), err)) < 0)
                        return r;
        *ret_names = names;
        return 0;
}
