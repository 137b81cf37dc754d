/* Owners of an object that are seen by its scale subresource, and back: who owns the replicas of one owns those of the
 * other (apimachinery's managedfields.ScaleHandler). */
#pragma once

struct arena;
struct err;
struct value;

/* Where the replicas are in a version of the object. */
struct apply_replicas {
        const char *version; /* "apps/v1"; NULL ends a table */
        const char *path;    /* "spec.replicas"; NULL: that version has none */
};

/* The object that is scaled. */
struct apply_scaled {
        const struct apply_replicas *replicas;
        const char *version;         /* its own */
        const struct value *entries; /* its managedFields; NULL: none */
};

/* metadata.managedFields of the Scale of @object: null where nobody owns its replicas. 0, -ENOMEM, or -EINVAL with
 * *err. */
int apply_scale_entries(struct arena *arena, const struct apply_scaled *object, struct value *ret_entries,
                        struct err **err);

/* The object's again, after a write to its Scale left @scale there. As above. */
int apply_scale_merge(struct arena *arena, const struct apply_scaled *object, const struct value *scale,
                      struct value *ret_entries, struct err **err);
