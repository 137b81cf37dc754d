"""Reads what an agent was asked for over CRI from its own records: container.pb and sandbox.pb, decoded by the .proto files."""
import contextlib
import glob
import os
import re

CRI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../cri")
SCALARS = {"int32", "int64", "uint32", "uint64", "bool", "string", "bytes"}


def definitions(path):
    """{message: {number: (name, type, repeated)}} and {enum: {number: name}}; maps are messages of their own."""
    messages, enums, stack, current = {}, {}, [], None
    with open(path) as f:
        for line in f:
            if m := re.match(r"\s*(message|enum|oneof|service) (\w+)", line):
                stack.append(current)
                if m[1] in ("message", "enum"):
                    current = (messages if m[1] == "message" else enums).setdefault(m[2], {})
            if "}" in line:
                current = stack.pop()
            elif "{" in line:
                continue
            if m := re.match(r"\s*map<(\w+), ([\w.]+)> (\w+) = (\d+);", line):
                entry = f"{m[3]}.entry.{m[1]}.{m[2]}"
                messages[entry] = {1: ("key", m[1], False), 2: ("value", m[2], False)}
                current[int(m[4])] = (m[3], entry, True)
            elif m := re.match(r"\s*(repeated )?([\w.]+) (\w+) = (\d+)", line):
                current[int(m[4])] = (m[3], m[2], bool(m[1]))
            elif m := re.match(r"\s*(\w+) = (-?\d+);", line):
                current[int(m[2])] = m[1]
    return messages, enums


MESSAGES, ENUMS = definitions(CRI + "/api.proto")
RECORDS, _ = definitions(CRI + "/record.proto")


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at


def scalar(kind, value):
    if kind in ENUMS:
        return ENUMS[kind].get(value, value)
    if kind == "bool":
        return bool(value)
    return value - (1 << 64) if kind.startswith("int") and value >> 63 else value


def decode(kind, data, messages=MESSAGES):
    """The message as a dict of what is not a default; maps as dicts."""
    out, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        name, field, repeated = messages[kind][tag >> 3]
        if tag & 7 == 0:
            value, at = varint(data, at)
            value = scalar(field, value)
        else:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            if field == "string":
                value = value.decode()
            elif field in messages:
                value = decode(field, value, messages)
            elif field != "bytes":  # packed numbers
                numbers, i = [], 0
                while i < len(value):
                    n, i = varint(value, i)
                    numbers.append(scalar(field, n))
                out.setdefault(name, []).extend(numbers)
                continue
        if ".entry." in field:
            out.setdefault(name, {})[value.get("key", "")] = value.get("value", "")
        elif repeated:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def _read(node, what, record, config):
    found = []
    for path in glob.glob(f"{node.root}/{what}/*/*.pb"):
        if os.path.basename(path) != f"{record.lower()}.pb":
            continue
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
            found.append(decode(config, decode(record, f.read(), RECORDS)["config"]))
    return found


def containers(node):
    """ContainerConfig of each container of the node."""
    return _read(node, "containers", "Container", "ContainerConfig")


def sandboxes(node):
    """PodSandboxConfig of each sandbox of the node."""
    return _read(node, "sandboxes", "Sandbox", "PodSandboxConfig")
