/* Which nodes have which images: in both directions, so that a pod's images are looked up once and not at each node. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/grow.h"

#include "api/scheduler/cluster.h"

struct sched_image *sched_cluster_image(const struct sched_cluster *cluster, const char *name) {
        return table_object(table_find(&cluster->images, name), struct sched_image, by_name);
}

static void free_image(struct sched_image *image) {
        free(image->holders);
        free(image->name);
        free(image);
}

static struct sched_image *get_image(struct sched_cluster *cluster, const char *name) {
        struct sched_image *image = sched_cluster_image(cluster, name);

        if (image)
                return image;
        image = calloc(1, sizeof(*image));
        if (!image)
                return NULL;
        image->name = strdup(name);
        if (!image->name || table_add(&cluster->images, &image->by_name, image->name) < 0) {
                free_image(image);
                return NULL;
        }
        return image;
}

static int hold(struct sched_cluster *cluster, struct sched_node *node, const char *name, int64_t size) {
        struct sched_image *image = get_image(cluster, name);
        int r = image ? GROW(image->holders, image->room, (size_t)image->n + 1, GROW_NO_MAX) : -ENOMEM;

        if (r == 0)
                image->holders[image->n++] = (struct sched_holder){ node, size };
        return r;
}

static void drop(struct sched_cluster *cluster, struct sched_node *node, const char *name) {
        struct sched_image *image = sched_cluster_image(cluster, name);

        for (uint32_t i = 0; image && i < image->n; i++)
                if (image->holders[i].node == node) {
                        image->holders[i] = image->holders[--image->n];
                        break;
                }
        if (image && image->n == 0) {
                table_remove(&cluster->images, &image->by_name);
                free_image(image);
        }
}

int sched_cluster_hold_images(struct sched_cluster *cluster, struct sched_node *node) {
        int r = 0;

        list_for_each (image, &node->images)
                list_for_each (name, &image->names)
                        r = r ?: hold(cluster, node, *name, sched_bounded(image->size_bytes));
        return r;
}

void sched_cluster_drop_images(struct sched_cluster *cluster, struct sched_node *node) {
        list_for_each (image, &node->images)
                list_for_each (name, &image->names)
                        drop(cluster, node, *name);
}
