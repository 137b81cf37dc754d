#include <stdbool.h>

#include "kube/print/cells.h"
#include "kube/print/text.h"
#include "lib/json_writer.h"

static void write_modes(struct print_row *row, const struct value *modes) {
        static const char *const names[][2] = {
                { "ReadWriteOnce", "RWO" },
                { "ReadOnlyMany", "ROX" },
                { "ReadWriteMany", "RWX" },
                { "ReadWriteOncePod", "RWOP" },
        };
        struct print_text text = { .arena = row->arena };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (value_has_text(modes, names[i][0]))
                        print_text_join(&text, ",", names[i][1]);
        print_text_cell(row, &text, NULL);
}

void print_access_modes(struct print_row *row, const struct print_column *column) {
        write_modes(row, print_find(row->object, column->path));
}

static bool is_bound(const struct print_row *row) {
        return *print_find_text(row->object, "spec.volumeName", "");
}

void print_claim_modes(struct print_row *row, const struct print_column *column) {
        write_modes(row, is_bound(row) ? print_find(row->object, "status.accessModes") : NULL);
}

void print_claim_capacity(struct print_row *row, const struct print_column *column) {
        json_string(row->out, is_bound(row) ? print_find_text(row->object, "status.capacity.storage", "0") : "");
}

void print_volume_phase(struct print_row *row, const struct print_column *column) {
        json_string(row->out, print_find(row->object, "metadata.deletionTimestamp") ?
                                      "Terminating" :
                                      print_find_text(row->object, "status.phase", ""));
}

void print_volume_claim(struct print_row *row, const struct print_column *column) {
        const struct value *claim = print_find(row->object, column->path);
        struct print_text text = { .arena = row->arena };

        if (claim)
                print_text_add(&text, "%s/%s", print_find_text(claim, "namespace", ""),
                               print_find_text(claim, "name", ""));
        print_text_cell(row, &text, NULL);
}

/* An annotation of long ago comes before the field. */
void print_volume_class(struct print_row *row, const struct print_column *column) {
        const struct value *annotations = print_find(row->object, "metadata.annotations");
        const char *annotated = value_string(value_get(annotations, "volume.beta.kubernetes.io/storage-class"));

        json_string(row->out, annotated ? annotated : print_find_text(row->object, "spec.storageClassName", ""));
}
