#include "images/worker/request.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static const struct {
        const char *name;
        enum image_transfer_kind kind;
        const char *arguments;
} kinds[] = {
        { "pull", IMAGE_PULL, "REFERENCE" }, { "import", IMAGE_IMPORT, "FILE" },
        { "push", IMAGE_PUSH, "REFERENCE" }, { "export", IMAGE_EXPORT, "FILE REFERENCE" },
        { "login", IMAGE_LOGIN, "HOST" },
};

/* A field of the request: its key in messages is its long option. */
#define FIELD(member) offsetof(struct image_transfer_request, member)
static const struct {
        const char *key;
        size_t offset;
        const char *help; /* NULL: not on the command line, where others would see it */
} fields[] = {
        { "root", FIELD(root_dir), "DIR  the directory that holds images/ (/var/lib/nacelle)" },
        { "reference", FIELD(reference), "NAME  import: the name of an image that brings none" },
        { "file", FIELD(file), NULL },
        { "platform", FIELD(platform), "OS/ARCH[/VARIANT]  instead of this machine's" },
        { "registries", FIELD(registries), "FILE  mirrors and credentials, as k3s' registries.yaml" },
        { "hosts-dir", FIELD(hosts_dir), "DIR  HOST/hosts.toml, as containerd's certs.d" },
        { "docker-config", FIELD(docker_config), "FILE  credentials, as docker's config.json" },
        { "insecure", FIELD(insecure), "HOST[,HOST...]  registries reached by plain HTTP" },
        { "username", FIELD(auth.username), NULL },
        { "password", FIELD(auth.password), NULL },
        { "auth", FIELD(auth.auth), NULL },
        { "identity-token", FIELD(auth.identity_token), NULL },
        { "registry-token", FIELD(auth.registry_token), NULL },
        { "auth-server", FIELD(auth.server), NULL },
        { "helped-username", FIELD(helped.username), NULL },
        { "helped-password", FIELD(helped.password), NULL },
        { "helped-identity-token", FIELD(helped.identity_token), NULL },
        { "helper-error", FIELD(helper_error), NULL },
};

static const char **field(struct image_transfer_request *t, size_t offset) {
        return (const char **)((char *)t + offset);
}

static int find_kind(const char *name, enum image_transfer_kind *ret_kind) {
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (strcmp(name, kinds[i].name) == 0) {
                        *ret_kind = kinds[i].kind;
                        return (int)i;
                }
        return -EINVAL;
}

static int check(const struct image_request *q, struct err **err) {
        const struct image_transfer_request *t = &q->transfer;

        if (!t->root_dir)
                return err_set(err, EINVAL, "no root directory");
        if (!t->file && (t->kind == IMAGE_IMPORT || t->kind == IMAGE_EXPORT))
                return err_set(err, EINVAL, "no file");
        if (!t->reference && t->kind != IMAGE_IMPORT)
                return err_set(err, EINVAL, "no reference");
        return 0;
}

int request_receive(int fd, struct image_request *q, struct err **err) {
        const char *key, *value;
        ssize_t n;

        do
                n = recv(fd, q->message.bytes, sizeof(q->message.bytes), MSG_TRUNC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return err_errno(err, errno, "receive the request");
        if ((size_t)n > sizeof(q->message.bytes))
                return err_set(err, E2BIG, "a request of %zd bytes; at most %zu are read", n, sizeof(q->message.bytes));
        q->message.n = (size_t)n;
        q->socket = fd;
        if (!image_message_valid(&q->message) ||
            find_kind(image_message_get(&q->message, "kind") ?: "", &q->transfer.kind) < 0)
                return err_set(err, EINVAL, "a malformed request");
        for (size_t at = 0; image_message_next(&q->message, &at, &key, &value);)
                for (size_t i = 0; i < ELEMENTS(fields); i++)
                        if (strcmp(key, fields[i].key) == 0)
                                *field(&q->transfer, fields[i].offset) = value;
        return check(q, err);
}

static void help(void) {
        printf("Usage: nacelle-image KIND [OPTION...] ARGUMENT...\n\n"
               "Brings images into nacelle's store and out of it. The agent runs it for each transfer;\n"
               "on the command line it does one and prints the references that were set and the image's id.\n\n");
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                printf("  %-7s %s\n", kinds[i].name, kinds[i].arguments);
        printf("\n");
        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (fields[i].help)
                        printf("  --%s %s\n", fields[i].key, fields[i].help);
        printf("  --max-layer-bytes N, --max-layer-entries N  what one layer may hold\n"
               "  --help, --version\n\n"
               "FILE - is standard input or output. Credentials for pull, push and login are read from\n"
               "NACELLE_REGISTRY_AUTH (USERNAME:PASSWORD), or from the files above.\n");
}

enum { OPTION_BYTES = 256, OPTION_ENTRIES, OPTION_HELP, OPTION_VERSION };

static int parse_options(int argc, char **argv, struct image_request *q, struct err **err) {
        struct option options[ELEMENTS(fields) + 5] = { { 0 } };
        size_t n = 0;
        int c;

        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (fields[i].help)
                        options[n++] = (struct option){ fields[i].key, required_argument, NULL, (int)i };
        options[n++] = (struct option){ "max-layer-bytes", required_argument, NULL, OPTION_BYTES };
        options[n++] = (struct option){ "max-layer-entries", required_argument, NULL, OPTION_ENTRIES };
        options[n++] = (struct option){ "help", no_argument, NULL, OPTION_HELP };
        options[n++] = (struct option){ "version", no_argument, NULL, OPTION_VERSION };
        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (c) {
                case OPTION_BYTES:
                        q->max_bytes = strtoull(optarg, NULL, 10);
                        break;
                case OPTION_ENTRIES:
                        q->max_entries = strtoull(optarg, NULL, 10);
                        break;
                case OPTION_HELP:
                        help();
                        exit(0);
                case OPTION_VERSION:
                        printf("nacelle-image %s\n", NACELLE_VERSION);
                        exit(0);
                case '?':
                        return err_set(err, EINVAL, "see nacelle-image --help");
                default:
                        *field(&q->transfer, fields[c].offset) = optarg;
                }
        return 0;
}

/* The only way for credentials on the command line's side that ps(1) does not show. */
static void take_credentials(struct image_request *q) {
        static char text[4096];
        const char *value = getenv("NACELLE_REGISTRY_AUTH");
        char *colon;

        if (!value || strlen(value) >= sizeof(text))
                return;
        strcpy(text, value);
        unsetenv("NACELLE_REGISTRY_AUTH");
        colon = strchr(text, ':');
        if (!colon)
                return;
        *colon = '\0';
        q->transfer.auth.username = text;
        q->transfer.auth.password = colon + 1;
}

int request_parse(int argc, char **argv, struct image_request *q, struct err **err) {
        int r, kind;

        q->socket = -EBADF;
        q->transfer.root_dir = "/var/lib/nacelle";
        r = parse_options(argc, argv, q, err);
        if (r < 0)
                return r;
        kind = optind < argc ? find_kind(argv[optind], &q->transfer.kind) : -EINVAL;
        if (kind < 0)
                return err_set(err, EINVAL,
                               "what to do is pull, import, push, export or login; see nacelle-image --help");
        argv += optind + 1;
        argc -= optind + 1;
        if (argc != (q->transfer.kind == IMAGE_EXPORT ? 2 : 1))
                return err_set(err, EINVAL, "usage: nacelle-image %s %s", kinds[kind].name, kinds[kind].arguments);
        if (q->transfer.kind == IMAGE_IMPORT || q->transfer.kind == IMAGE_EXPORT)
                q->transfer.file = *argv++;
        if (q->transfer.kind != IMAGE_IMPORT)
                q->transfer.reference = *argv;
        take_credentials(q);
        return check(q, err);
}
