#include "api/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/controllers/controllers.h"
#include "lib/cleanup.h"
#include "lib/duration.h"
#include "lib/err.h"
#include "lib/nearest.h"

#define NS_OF_SECOND INT64_C(1000000000)

enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_LEVEL, FLAG_VERBOSITY, FLAG_BOOL };

#define AT(member) offsetof(struct api_config, member)

static const struct flag {
        const char *name;
        enum flag_kind kind;
        size_t at;
        unsigned max; /* of a number */
} flags[] = {
        { "data-dir", FLAG_TEXT, AT(data_dir), 0 },
        { "bind-address", FLAG_TEXT, AT(bind_address), 0 },
        { "secure-port", FLAG_NUMBER, AT(port), 65535 },
        { "service-cluster-ip-range", FLAG_TEXT, AT(service_range), 0 },
        { "tls-cert-file", FLAG_TEXT, AT(certificate), 0 },
        { "tls-private-key-file", FLAG_TEXT, AT(key), 0 },
        { "client-ca-file", FLAG_TEXT, AT(client_ca), 0 },
        { "controllers", FLAG_TEXT, AT(controllers), 0 },
        { "event-ttl", FLAG_TEXT, AT(event_ttl), 0 },
        { "loops", FLAG_NUMBER, AT(loops), 64 },
        { "log-level", FLAG_LEVEL, AT(log_level), 0 },
        { "v", FLAG_VERBOSITY, AT(log_level), 0 },
        { "version", FLAG_BOOL, AT(show_version), 0 },
        { "help", FLAG_BOOL, AT(show_help), 0 },
};

static const char help_text[] =
        "usage: nacelle-api [--FLAG VALUE | --FLAG=VALUE]...\n"
        "Serves the Kubernetes API from a store of its own.\n"
        "\n"
        "  --data-dir DIR            the store, keys and certificates (/var/lib/nacelle-api)\n"
        "  --bind-address IP         where it listens (0.0.0.0)\n"
        "  --secure-port PORT        the port (6443); 0: any that is free, told in the log\n"
        "  --service-cluster-ip-range CIDR\n"
        "                            Services' addresses (10.96.0.0/16)\n"
        "  --tls-cert-file FILE      the server's certificate, PEM, with what is between it and its authority\n"
        "  --tls-private-key-file FILE\n"
        "                            its key, PEM\n"
        "  --client-ca-file FILE     authorities whose certificates clients are known by, PEM\n"
        "  --controllers LIST        which controllers run: '*' is all, 'foo' that one, '-foo' not that one (*)\n"
        "  --event-ttl DURATION      for how long events are kept (1h0m0s); 0: for ever\n"
        "  --loops N                 threads that serve connections (as many as there are processors)\n"
        "  --log-level LEVEL         error, warning, info or debug (info)\n"
        "  --v N                     kube-apiserver's verbosity: 4 and more is debug\n"
        "  --version, --help\n";

const char *api_config_help(void) {
        return help_text;
}

int api_config_service(const struct api_config *config, char *ret_text, size_t size, struct err **err) {
        const char *slash = strchr(config->service_range, '/');
        bool six = strchr(config->service_range, ':');
        uint8_t address[16];
        char text[64];
        size_t n = slash ? (size_t)(slash - config->service_range) : sizeof(text);

        if (n < sizeof(text)) {
                memcpy(text, config->service_range, n);
                text[n] = '\0';
        }
        if (n >= sizeof(text) || inet_pton(six ? AF_INET6 : AF_INET, text, address) != 1)
                return err_set(err, EINVAL, "--service-cluster-ip-range %s: give a range such as 10.96.0.0/16",
                               config->service_range);
        address[six ? 15 : 3]++;
        inet_ntop(six ? AF_INET6 : AF_INET, address, ret_text, (socklen_t)size);
        return 0;
}

static int set_number(const struct flag *f, unsigned *at, const char *text, struct err **err) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);

        if (!*text || *end || *text == '-' || (f->kind == FLAG_NUMBER && number > f->max))
                return err_set(err, EINVAL, "--%s %s: give a number from 0 to %u", f->name, text, f->max);
        if (f->kind == FLAG_VERBOSITY)
                *at = number >= 4 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
        else
                *at = (unsigned)number;
        return 0;
}

static int set_level(enum log_level *level, const char *text, struct err **err) {
        static const char *const names[] = { "error", "warning", "info", "debug" };

        for (unsigned i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i], text) == 0) {
                        *level = (enum log_level)i;
                        return 0;
                }
        return err_set(err, EINVAL, "--log-level %s: give error, warning, info or debug", text);
}

static int set(const struct flag *f, struct api_config *config, const char *text, struct err **err) {
        void *at = (char *)config + f->at;

        switch (f->kind) {
        case FLAG_TEXT:
                *(const char **)at = text;
                return 0;
        case FLAG_LEVEL:
                return set_level(at, text, err);
        case FLAG_BOOL:
                *(bool *)at = strcmp(text, "false") != 0;
                return 0;
        default:
                return set_number(f, at, text, err);
        }
}

static const struct flag *find(const char *name, size_t length) {
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
                        return &flags[i];
        return NULL;
}

static int unknown(const char *argument, struct err **err) {
        struct nearest nearest = nearest_to(argument + strspn(argument, "-"));

        for (size_t i = 0; i < ELEMENTS(flags); i++)
                nearest_try(&nearest, flags[i].name);
        if (nearest.name)
                return err_set(err, EINVAL, "%s: no such flag; did you mean --%s?", argument, nearest.name);
        return err_set(err, EINVAL, "%s: no such flag; --help lists them", argument);
}

static int check(struct api_config *c, struct err **err) {
        int64_t ns;

        if (duration_parse(c->event_ttl, &ns) < 0 || ns < 0)
                return err_set(err, EINVAL, "--event-ttl %s: give a duration such as 1h0m0s", c->event_ttl);
        c->event_ttl_s = ns / NS_OF_SECOND;
        if (controllers_check(c->controllers, err) < 0)
                return -EINVAL;

        if (!c->certificate != !c->key)
                return err_set(err, EINVAL, "--tls-cert-file and --tls-private-key-file belong together: give both");
        return 0;
}

int api_config_parse(int argc, char **argv, struct api_config *ret_config, struct err **err) {
        struct api_config c = { .data_dir = "/var/lib/nacelle-api",
                                .bind_address = "0.0.0.0",
                                .service_range = "10.96.0.0/16",
                                .event_ttl = "1h0m0s",
                                .port = API_PORT,
                                .log_level = LOG_LEVEL_INFO };

        for (int i = 1; i < argc; i++) {
                const char *argument = argv[i], *name = argument + strspn(argument, "-"), *equals = strchr(name, '=');
                const struct flag *f =
                        name > argument ? find(name, equals ? (size_t)(equals - name) : strlen(name)) : NULL;
                const char *text = equals ? equals + 1 : NULL;
                int r;

                if (!f)
                        return unknown(argument, err);
                if (!text && f->kind == FLAG_BOOL)
                        text = "true";
                if (!text && i + 1 == argc)
                        return err_set(err, EINVAL, "--%s needs a value behind it", f->name);
                r = set(f, &c, text ?: argv[++i], err);
                if (r < 0)
                        return r;
        }
        *ret_config = c;
        return check(ret_config, err);
}
