"""C structs of the types of one version."""
import names
from facts import ELEMENTS, Part, flat

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
        return f"{below}_items {name}" if of_objects else f"LIST_OF({ONE[element].strip()}) {name}"
    if field.form == "{}[]":
        assert element == "string", field
        return f"LIST_OF(struct kube_strings_entry) {name}"
    if element in MAP:
        return MAP[element] + name
    return f"LIST_OF({f'struct {below}_entry' if of_objects else ENTRY[element]}) {name}"


def embedded(types, type_):
    """Types whose structs must be complete before this one's."""
    structs = [types[line.type] for line in type_.lines if isinstance(line, Part) and line.struct]
    return structs + [types[f.element] for f in flat(types, type_) if f.form == "" and f.element not in ELEMENTS]


def members(types, type_):
    """The declarations of a struct's members."""
    for line in type_.lines:
        if not isinstance(line, Part):
            yield member(types, line)
        elif line.struct:
            yield f"struct {names.struct(types[line.type])} {names.snake(types[line.type].name)}"
        else:
            yield from members(types, types[line.type])


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


def below(types, form):
    """Types that fields of @form have as their element."""
    return {f.element for t in types.values() for f in flat(types, t) if f.form == form and f.element not in ELEMENTS}


def header(types, version):
    yield f"/* {version.group_name + '/' if version.group_name else ''}{version.name}: made by contrib/kinds from kube/facts. */"
    yield "#pragma once\n"
    yield '#include "kube/type.h"\n'
    for other in others(types, version):
        yield f'#include "kube/{names.unit(other)}.h"'
    # Values of maps and items of lists, in whichever header their type is.
    of_maps, of_lists = below(types, "{}"), below(types, "[]")
    for type_ in version.types:
        yield f"struct {names.struct(type_)};"
        if type_.full in of_maps:
            yield f"struct {names.struct(type_)}_entry;"
        if type_.full in of_lists:
            yield f"typedef LIST_OF(struct {names.struct(type_)}) {names.struct(type_)}_items;"
    for type_ in ordered(types, version):
        yield f"\nstruct {names.struct(type_)} {{"
        for declaration in list(members(types, type_)) or ["char nothing"]: # C has no struct without members
            yield f"        {declaration};"
        yield "};"
        yield f"extern const struct kube_type {names.struct(type_)}_type;"
        if type_.full in of_maps:
            yield f"struct {names.struct(type_)}_entry {{"
            yield "        const char *key;"
            yield f"        struct {names.struct(type_)} value;"
            yield "};"
