"""C structs of the types of one version."""
import names
from facts import ELEMENTS, flat

ONE = {"string": "const char *", "bool": "bool ", "int32": "int32_t ", "int64": "int64_t ", "double": "double ",
       "quantity": "struct quantity ", "time": "struct kube_time ", "microtime": "struct kube_time ",
       "intstr": "struct int_or_string ", "bytes": "struct kube_bytes ", "json": "struct kube_raw ",
       "raw": "struct kube_raw ", "fields": "struct kube_raw "}
OPTIONAL = {**ONE, "bool": "enum tri ", "int32": "struct opt_int ", "int64": "struct opt_int ", "double": "struct opt_double ",
            "quantity": "struct opt_quantity "}
LIST = {"string": "string_list ", "int64": "int_list "}
ENTRY = {"string": "struct string_pair", "quantity": "struct resource_amount", "bytes": "struct kube_bytes_entry",
         "json": "struct kube_raw_entry", "raw": "struct kube_raw_entry", "time": "struct kube_time_entry"}
MAP = {"string": "string_map ", "quantity": "resource_list "}


def member(types, field):
    """The declaration of a field's member, without its semicolon."""
    name, element = names.snake(field.name), field.element
    of_objects = element not in ELEMENTS
    below = names.struct(types[element]) if of_objects else None
    if field.form == "":
        return (f"struct {below} " if of_objects else ONE[element]) + name
    if field.form == "*":
        return (f"struct {below} *" if of_objects else OPTIONAL[element]) + name
    if field.form == "[]":
        if element in LIST:
            return LIST[element] + name
        return f"LIST_OF({f'struct {below}' if of_objects else ONE[element].strip()}) {name}"
    if field.form == "{}[]":
        assert element == "string", field
        return f"LIST_OF(struct kube_strings_entry) {name}"
    if element in MAP:
        return MAP[element] + name
    return f"LIST_OF({f'struct {below}_entry' if of_objects else ENTRY[element]}) {name}"


def embedded(types, type_):
    """Types whose structs must be complete before this one's."""
    return [types[f.element] for f in flat(types, type_) if f.form == "" and f.element not in ELEMENTS]


def ordered(types, version):
    done, result = set(), []

    def visit(type_):
        if type_.full in done or type_.version is not version:
            return
        done.add(type_.full)
        for below in embedded(types, type_):
            visit(below)
        result.append(type_)

    for type_ in version.types:
        visit(type_)
    return result


def others(types, version):
    """Other versions whose header this one's needs."""
    found = {}
    for type_ in version.types:
        for field in flat(types, type_):
            if field.element not in ELEMENTS and types[field.element].version is not version:
                found[types[field.element].version.key] = types[field.element].version
    return [found[key] for key in sorted(found)]


def header(types, version):
    yield f"/* {version.group_name + '/' if version.group_name else ''}{version.name}: made by contrib/kinds from kube/facts. */"
    yield "#pragma once\n"
    yield '#include "kube/type.h"\n'
    for other in others(types, version):
        yield f'#include "kube/{names.unit(other)}.h"'
    # The values of maps, in whichever header their type is.
    of_maps = {f.element for t in types.values() for f in flat(types, t) if f.form == "{}" and f.element not in ELEMENTS}
    for type_ in version.types:
        yield f"struct {names.struct(type_)};"
        if type_.full in of_maps:
            yield f"struct {names.struct(type_)}_entry;"
    for type_ in ordered(types, version):
        yield f"\nstruct {names.struct(type_)} {{"
        fields = list(flat(types, type_))
        for field in fields:
            yield f"        {member(types, field)};"
        if not fields: # C has no struct without members
            yield "        char nothing;"
        yield "};"
        yield f"extern const struct kube_type {names.struct(type_)}_type;"
        if type_.full in of_maps:
            yield f"struct {names.struct(type_)}_entry {{"
            yield "        const char *key;"
            yield f"        struct {names.struct(type_)} value;"
            yield "};"
