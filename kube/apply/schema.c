#include "kube/apply/schema.h"

#include <string.h>

#include "lib/value.h"

struct apply_place apply_place_of(const struct kube_type *type) {
        if (!type)
                return (struct apply_place){ .kind = APPLY_PLACE_DEDUCED };
        return (struct apply_place){ .kind = APPLY_PLACE_TYPE, .type = type };
}

static struct apply_atom deduced(void) {
        return (struct apply_atom){
                .shapes = APPLY_SCALAR | APPLY_LIST | APPLY_MAP,
                .whole_list = true,
                .items = { .kind = APPLY_PLACE_UNTYPED },
                .others = { .kind = APPLY_PLACE_DEDUCED },
        };
}

static struct apply_atom untyped(void) {
        struct apply_atom atom = deduced();

        atom.whole_map = true;
        atom.others.kind = APPLY_PLACE_UNTYPED;
        return atom;
}

static struct apply_atom raw(void) {
        struct apply_atom atom = deduced();

        atom.shapes = APPLY_MAP;
        return atom;
}

static struct apply_atom object(const struct kube_type *type, bool whole) {
        struct apply_atom atom = { .shapes = APPLY_MAP, .whole_map = whole, .type = type };

        if (type->flags & KUBE_EITHER)
                return deduced();
        if (type->n_fields == 0)
                return raw();
        if (type->flags & KUBE_KEEP_UNKNOWN)
                atom.others.kind = APPLY_PLACE_DEDUCED;
        return atom;
}

static struct apply_atom element(const struct kube_field *field, bool whole) {
        static const uint8_t scalars[] = {
                [KUBE_STRING] = APPLY_STRING, [KUBE_BOOL] = APPLY_BOOLEAN,   [KUBE_INT32] = APPLY_NUMERIC,
                [KUBE_INT64] = APPLY_NUMERIC, [KUBE_DOUBLE] = APPLY_NUMERIC, [KUBE_QUANTITY] = APPLY_ANY,
                [KUBE_TIME] = APPLY_ANY,      [KUBE_MICRO_TIME] = APPLY_ANY, [KUBE_BYTES] = APPLY_STRING,
        };

        switch (field->element) {
        case KUBE_OBJECT:
                return object(field->type, whole);
        case KUBE_FIELDS:
                return raw();
        case KUBE_RAW:
                return untyped();
        case KUBE_JSON:
        case KUBE_INT_OR_STRING: /* its schema is "one of", without a type */
                return deduced();
        default:
                return (struct apply_atom){ .shapes = APPLY_SCALAR, .scalar = scalars[field->element] };
        }
}

static bool type_is_whole(const struct kube_field *field) {
        return field->element == KUBE_OBJECT && field->type->flags & KUBE_WHOLE;
}

static struct apply_atom field_atom(const struct kube_field *field) {
        const struct apply_place inside = { .kind = APPLY_PLACE_ELEMENT, .field = field };

        switch (field->form) {
        case KUBE_LIST:
                return (struct apply_atom){
                        .shapes = APPLY_LIST,
                        .whole_list = field->list == KUBE_LIST_PLAIN || field->list == KUBE_LIST_ATOMIC,
                        .keys = field->list == KUBE_LIST_MAP ? field->map_keys : NULL,
                        .items = inside,
                };
        case KUBE_MAP:
        case KUBE_MAP_OF_LISTS:
                return (struct apply_atom){
                        .shapes = APPLY_MAP,
                        .whole_map = field->flags & KUBE_ATOMIC,
                        .others = inside,
                };
        default:
                return element(field, (field->flags & KUBE_ATOMIC) ||
                                              (type_is_whole(field) && !(field->flags & KUBE_GRANULAR)));
        }
}

struct apply_atom apply_atom_of(const struct apply_place *place) {
        switch (place->kind) {
        case APPLY_PLACE_DEDUCED:
                return deduced();
        case APPLY_PLACE_UNTYPED:
                return untyped();
        case APPLY_PLACE_RAW:
                return raw();
        case APPLY_PLACE_TYPE:
                return object(place->type, place->type->flags & KUBE_WHOLE);
        case APPLY_PLACE_FIELD:
                return field_atom(place->field);
        case APPLY_PLACE_ELEMENT:
                if (place->field->form == KUBE_MAP_OF_LISTS)
                        return (struct apply_atom){
                                .shapes = APPLY_LIST,
                                .whole_list = true,
                                .items = { .kind = APPLY_PLACE_INNER, .field = place->field },
                        };
                return element(place->field, type_is_whole(place->field));
        case APPLY_PLACE_INNER:
                return element(place->field, type_is_whole(place->field));
        default:
                return (struct apply_atom){ .shapes = 0 };
        }
}

uint8_t apply_shapes_of(const struct apply_atom *atom, const struct value *value) {
        static const uint8_t shapes[] = {
                [VALUE_NULL] = 0,
                [VALUE_BOOL] = APPLY_SCALAR,
                [VALUE_INT] = APPLY_SCALAR,
                [VALUE_NUMBER] = APPLY_SCALAR,
                [VALUE_STRING] = APPLY_SCALAR,
                [VALUE_LIST] = APPLY_LIST,
                [VALUE_MAP] = APPLY_MAP,
        };
        uint8_t shape = value ? shapes[value->kind] & atom->shapes : 0;

        return shape ? shape : atom->shapes;
}

uint8_t apply_shape(uint8_t shapes) {
        if (shapes & APPLY_MAP)
                return APPLY_MAP;
        return shapes & APPLY_SCALAR ? APPLY_SCALAR : shapes;
}

struct apply_place apply_member(const struct apply_atom *atom, const char *name, bool *ret_declared) {
        const struct kube_field *field = atom->type ? kube_type_field(atom->type, name, strlen(name)) : NULL;

        if (ret_declared)
                *ret_declared = field != NULL;
        if (field)
                return (struct apply_place){ .kind = APPLY_PLACE_FIELD, .field = field };
        return atom->others;
}
