/* Durable creates of 1 KiB objects by N clients, each waiting for its own: a second, its median and its 99th of a
 * hundred, and the CPU of each. Usage: store_bench DIRECTORY CLIENTS SECONDS */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "store/store.h"

#define SAMPLES_MAX 4000000

static struct store *store;
static double *samples, until;
static size_t n_samples;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct client {
        struct store_change change;
        char key[64];
        int number;
        sem_t done;
};

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_done(struct store_change *change, const struct store_result *result) {
        if (result->code < 0) {
                fprintf(stderr, "store_bench: %s\n", result->text);
                exit(1);
        }
        sem_post(&((struct client *)change)->done);
}

static void *run(void *data) {
        struct client *c = data;
        double begin, end = 0;

        sem_init(&c->done, 0, 0);
        for (int i = 0; end < until; i++) {
                snprintf(c->key, sizeof(c->key), "/registry/configmaps/default/bench-%d-%d", c->number, i);
                begin = now();
                if (store_submit(store, &c->change) < 0)
                        exit(1);
                sem_wait(&c->done);
                end = now();
                pthread_mutex_lock(&lock);
                if (n_samples < SAMPLES_MAX)
                        samples[n_samples++] = end - begin;
                pthread_mutex_unlock(&lock);
        }
        return NULL;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv) {
        struct err *err = NULL;
        int clients = argc == 4 ? atoi(argv[2]) : 0;
        double seconds = argc == 4 ? atof(argv[3]) : 0;
        pthread_t *threads = calloc((size_t)clients + 1, sizeof(*threads));
        struct client *all = calloc((size_t)clients + 1, sizeof(*all));
        struct bytes *value = bytes_new(1024);
        struct rusage use;

        samples = malloc(SAMPLES_MAX * sizeof(*samples));
        if (clients < 1 || !threads || !all || !value || !samples) {
                fprintf(stderr, "Usage: store_bench DIRECTORY CLIENTS SECONDS\n");
                return 2;
        }
        memset(value->data, 'v', value->size);
        if (store_open(&store_sqlite, &(struct store_options){ .directory = argv[1] }, &store, &err) < 0) {
                fprintf(stderr, "store_bench: %s\n", err_text(err));
                return 1;
        }
        until = now() + seconds;
        for (int i = 0; i < clients; i++) {
                all[i] = (struct client){ .change = { .key = all[i].key, .value = value, .done = on_done },
                                          .number = i };
                pthread_create(&threads[i], NULL, run, &all[i]);
        }
        for (int i = 0; i < clients; i++)
                pthread_join(threads[i], NULL);
        getrusage(RUSAGE_SELF, &use);
        qsort(samples, n_samples, sizeof(*samples), compare);
        printf("%d clients: %.0f a second, p50 %.2f ms, p99 %.2f ms, CPU %.1f us each\n", clients,
               (double)n_samples / seconds, samples[n_samples / 2] * 1e3, samples[n_samples * 99 / 100] * 1e3,
               ((double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
                (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec)) /
                       (double)n_samples);
        store_close(store);
        return 0;
}
