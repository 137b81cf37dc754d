/* Pulls, imports, pushes and exports, each by a child process nacelle-image, asynchronously on the loop.
 *
 * The request, credentials with it, goes to the child through a socket, never through arguments or environment.
 * A child that is killed loses nothing but its work: content counts after fsync and rename. At most
 * IMAGE_TRANSFERS_MAX children run; further transfers wait for their turn.
 *
 * All functions are for the loop's thread. Nothing blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct err;
struct credential_providers;
struct pool;

#define IMAGE_TRANSFERS_MAX 8
#define IMAGE_WORKER "nacelle-image" /* beside the running program, or in ../libexec/nacelle */

enum image_transfer_kind {
        IMAGE_PULL,   /* a registry's reference into the store */
        IMAGE_IMPORT, /* a docker save or OCI archive, or an OCI layout's directory, into the store */
        IMAGE_PUSH,   /* the store's reference to its registry */
        IMAGE_EXPORT, /* references of the store into an OCI archive that docker load reads too */
        IMAGE_LOGIN,  /* only tries the credentials on the registry @reference (a host) */
};

/* CRI AuthConfig; texts may be NULL. */
struct image_auth {
        const char *username, *password;
        const char *auth;           /* base64 of USERNAME:PASSWORD */
        const char *identity_token; /* an OAuth2 refresh token */
        const char *registry_token; /* a bearer token as it is */
        const char *server; /* the host or URL that they are for, and no other; NULL or "": the reference's registry */
};

/* What a credential helper (images/credential_helper.h) gave for the reference's registry. */
struct image_helped_auth {
        const char *username, *password, *identity_token; /* NULL: none */
};

/* Everything is copied by image_transfer_start(); NULL where the kind does not need it. */
struct image_transfer_request {
        enum image_transfer_kind kind;
        const char *root_dir;   /* ROOT, as for image_store_open() */
        const char *reference;  /* pull, push, export: as image_reference_parse() takes it. import: a name for an image
                                 * that  brings none, or NULL. login: the registry's host */
        const char *file;       /* import, export: the path */
        struct image_auth auth; /* wins over @docker_config and @registries */
        const char *platform;   /* "linux/arm64/v8"; NULL: this machine's */
        const char *registries; /* a file like k3s' registries.yaml; need not exist */
        const char *hosts_dir;  /* a directory like containerd's certs.d, HOST/hosts.toml; need not exist */
        const char *docker_config;              /* a docker config.json with credentials; need not exist */
        struct credential_providers *providers; /* asked for credentials before all of these; NULL: none */
        struct pool *pool; /* where @providers and the credential helpers of @docker_config are asked; NULL: not */
        struct image_helped_auth helped; /* for the worker: set by image_transfer_start(), as is */
        const char *helper_error;        /* why there are none, where a helper failed */
        const char *insecure; /* hosts reached by plain HTTP, separated by commas; loopback ones always may be */
        const char *worker;   /* the program's path; NULL: IMAGE_WORKER as found */
};

/* One layer's (or blob's) way; sent a few times a second at most. */
struct image_progress {
        const char *digest;   /* "sha256:HEX" of the blob */
        const char *phase;    /* "waiting", "downloading", "unpacking", "done", "exists", "uploading", "writing" */
        uint64_t done, total; /* bytes; total is 0 when unknown */
};

struct image_transfer_result {
        const char *image_id;          /* "sha256:HEX"; of the last image when an archive brought several */
        const char *manifest;          /* its manifest's digest */
        uint64_t bytes;                /* of the layers that were not here before, as they came */
        const char *const *references; /* those that were set, NULL-terminated */
};

struct image_transfer;

/* @progress may be NULL. @done is called exactly once, later, on the loop: with @result, or with @err (owned by the
 * transfer, valid during the call) and @result NULL. After it the transfer is gone. Codes of @err: ENOENT (manifest or
 * name unknown), EACCES (401, 403), ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EBADMSG (content refused), ENOSPC,
 * ECANCELED, ENOEXEC (no image for this architecture), EINVAL (the request). */
struct image_transfer_callbacks {
        void (*progress)(void *data, const struct image_progress *progress);
        void (*done)(void *data, const struct image_transfer_result *result, const struct err *err);
};

/* Starts or queues a transfer. Returns 0, or -ENOMEM, -EINVAL, or an errno of making the socket, with *@err; then no
 * callback comes. */
int image_transfer_start(uv_loop_t *loop, const struct image_transfer_request *request,
                         const struct image_transfer_callbacks *callbacks, void *data,
                         struct image_transfer **ret_transfer, struct err **err);

/* Kills the worker; done() comes later with ECANCELED. */
void image_transfer_cancel(struct image_transfer *transfer);

/* Before the pools of requests are freed: cancels the transfers that wait for a job there. True while some still do. */
bool image_transfers_leave(void);
