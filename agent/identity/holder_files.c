/* A holder's files. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/identity/internal.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static struct holder_work *work_of(struct pool_job *job) {
        return (struct holder_work *)((char *)job - offsetof(struct holder_work, job));
}

/* The key that was kept, if it is one. */
static int find_key(struct holder_work *w) {
        _cleanup_free_ char *text = NULL;
        const char *digest;

        if (w->drops_key || files_read(w->pending, CLIENT_PEM_MAX, &text, NULL, NULL) < 0 ||
            client_csr_digest(w->arena, text, "", &digest, NULL) < 0)
                return -ENOENT;
        w->key = arena_strdup(w->arena, text);
        explicit_bzero(text, strlen(text));
        return w->key ? 0 : -ENOMEM;
}

static int make_key(struct holder_work *w) {
        int r = client_key_new(w->arena, &w->key, &w->failure);

        return r < 0 ? r : files_replace_synced(w->pending, w->key, strlen(w->key), 0600, &w->failure);
}

static int put(struct holder_work *w) {
        int r = files_replace_synced(w->current, w->pem, strlen(w->pem), 0600, &w->failure);

        if (r < 0 || !w->kubeconfig)
                return r;
        return files_replace_synced(w->kubeconfig, w->config_text, strlen(w->config_text), 0600, &w->failure);
}

static void settle(struct holder_work *w, int r) {
        if (r < 0 && !w->failure)
                err_errno(&w->failure, -r, "%s", w->directory);
}

void holder_files_prepare(struct pool_job *job) {
        struct holder_work *w = work_of(job);
        int r = files_make_private(w->directory, &w->failure);

        if (r == 0 && (r = find_key(w)) == -ENOENT)
                r = make_key(w);
        settle(w, r);
}

/* A key that stays behind its certificate is a file too many, and no harm: it is taken for the next request. */
void holder_files_store(struct pool_job *job) {
        struct holder_work *w = work_of(job);
        int r = put(w);

        if (r == 0)
                unlink(w->pending);
        settle(w, r);
}
