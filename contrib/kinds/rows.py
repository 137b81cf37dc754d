"""Rows, messages and hashes of the types of one version."""

import names
from facts import ELEMENTS, Part, flat

ELEMENT = {"intstr": "INT_OR_STRING", "microtime": "MICRO_TIME"}
FLAGS = {"required": "KUBE_REQUIRED", "always": "KUBE_ALWAYS", "omitzero": "KUBE_OMIT_ZERO", "items": "KUBE_WRAPPED"}
PATCH = {"merge": "KUBE_PATCH_MERGE", "retainKeys": "KUBE_PATCH_RETAIN", "replace": "KUBE_PATCH_REPLACE"}
MASK = (1 << 64) - 1


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(text):
    """name(a,b): name, [a, b]."""
    name, _, inside = text.partition("(")
    return name, inside.rstrip(")").split(",") if inside else []


def place(types, owner, field):
    """The macro of kube/row.h that says what the field is and checks its member."""
    name, member, element = quoted(field.name), field.within + names.snake(field.name), field.element
    if element not in ELEMENTS:
        macro = {"": "OBJECT", "*": "POINTER", "[]": "OBJECTS", "{}": "OBJECT_MAP"}[field.form]
        return f"KUBE_{macro}_ROW({name}, {names.struct(types[element])}, {owner}, {member})"
    element = ELEMENT.get(element, element.upper())
    if field.form == "{}":
        pair = "name, amount" if element == "QUANTITY" else "key, value"
        return f"KUBE_MAP_ROW({name}, {element}, {owner}, {member}, {pair})"
    if field.form in ("[]", "{}[]"):
        return f"KUBE_{'LIST' if field.form == '[]' else 'LISTS'}_ROW({name}, {element}, {owner}, {member})"
    return f"KUBE_SCALAR_ROW({name}, {element}, {'OPTIONAL' if field.form else 'ONE'}, {owner}, {member})"


def words(field):
    """What else a row says: (initializers, arrays of keys they need)."""
    flags = [FLAGS[word] for word in field.words if word in FLAGS]
    said, keys = [], None
    if "list" in field.words:
        kind, keys = listed(field.words["list"])
        said.append(f".list = KUBE_LIST_{kind.upper()}")
    if "map" in field.words:
        flags.append(f"KUBE_{field.words['map'].upper()}")
    if "patch" in field.words:
        strategies, key = listed(field.words["patch"])
        flags += [PATCH[s] for s in strategies.split(",")]
        if key:
            said.append(f".patch_key = {quoted(key[0])}")
    if "default" in field.words:
        said.append(f".fallback = {quoted(field.words['default'])}")
    if keys:
        said.append(f".map_keys = (const char *const[]){{ {', '.join(map(quoted, keys))}, NULL }}")
    if flags:
        said.append(f".flags = {' | '.join(flags)}")
    return said


def name_hash(name, seed):
    """kube/type.c: name_hash()."""
    text = name.encode()
    if len(text) >= 8:
        first, last = text[:8], text[-8:]
    elif len(text) >= 4:
        first, last = text[:4], text[-4:]
    else:
        first = last = bytes([text[0], text[len(text) // 2], text[-1]]) if text else b""
    first, last = int.from_bytes(first, "little"), int.from_bytes(last, "little")
    mixed = first ^ ((last << 21 | last >> 43) & MASK) ^ len(text)
    return mixed * (0x9E3779B97F4A7C15 + 2 * seed) & MASK


def slots(fields):
    """The smallest table in which no two names meet: (seed, bits, table)."""
    bits = max(1, (len(fields) - 1).bit_length())
    while True:
        for seed in range(2000):
            table = [0] * (1 << bits)
            for i, field in enumerate(fields):
                at = name_hash(field.name, seed) >> (64 - bits)
                if table[at]:
                    break
                table[at] = i + 1
            else:
                return seed, bits, table
        bits += 1


class Wire:
    """The messages of one type: parts first, as arrays of their own."""

    def __init__(self, types, type_, struct):
        self.types, self.struct, self.arrays = types, struct, []
        self.count = 0
        self.index = -1
        self.entries = self.message(type_)

    def message(self, type_):
        entries = []
        for line in type_.lines:
            if isinstance(line, Part):
                below = self.message(self.types[line.type])
                name = f"{self.struct}_part{self.count}"
                self.count += 1
                self.arrays.append(self.array(name, below))
                entries.append((line.number, f"{{ {name}, {line.number}, {len(below)} }}"))
                continue
            self.index += 1
            if line.number is not None:
                entries.append((line.number, f"{{ NULL, {line.number}, {self.index} }}"))
        return [text for _, text in sorted(entries)]

    @staticmethod
    def array(name, entries):
        return f"static const struct kube_wire {name}[] = {{ {', '.join(entries)} }};"


def type_rows(types, type_):
    owner = names.struct(type_)
    fields = list(flat(types, type_))
    members = [f"        .name = {quoted(type_.version.package + '.' + type_.name)},", f"        .size = sizeof(struct {owner}),"]
    wire = Wire(types, type_, owner)
    yield ""
    if fields:
        yield f"static const struct kube_field {owner}_fields[] = {{"
        for field in fields:
            yield f"        {{ {', '.join([place(types, owner, field)] + words(field))} }},"
        yield "};"
        seed, bits, table = slots(fields)
        yield f"static const uint8_t {owner}_slots[] = {{ {', '.join(map(str, table))} }};"
        members += [f"        .fields = {owner}_fields,", f"        .n_fields = {len(fields)},", f"        .slots = {owner}_slots,",
                    f"        .slot_bits = {bits},", f"        .seed = {seed},"]
    if wire.entries:
        yield from wire.arrays
        yield Wire.array(f"{owner}_wire", wire.entries)
        members += [f"        .wire = {owner}_wire,", f"        .n_wire = {len(wire.entries)},"]
    # WatchEvent is registered as a kind and is none: it does not say of what kind it is.
    flags = [f"KUBE_{mark.upper()}" for mark in type_.marks if mark != "kind" or fields[0].name == "kind"]
    if wire.entries or not fields:
        flags.append("KUBE_MESSAGE")
    if flags:
        members.append(f"        .flags = {' | '.join(flags)},")
    yield f"const struct kube_type {owner}_type = {{"
    yield from members
    yield "};"


def source(types, version):
    yield "/* Made by contrib/kinds from kube/facts. */"
    yield f'#include "kube/{names.unit(version)}.h"\n'
    yield '#include "kube/row.h"'
    for type_ in version.types:
        yield from type_rows(types, type_)
