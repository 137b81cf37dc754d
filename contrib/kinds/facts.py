"""Reads kube/facts: the names, types and numbers of the API, one file a group.

    group NAME FULL-NAME                        the short name is part of C names; "" is the core group
    version VERSION PACKAGE                     the package begins the names of its types in OpenAPI
    resource PLURAL KIND SCOPE VERBS WORD...    singular=, short=, categories=
      /SUBRESOURCE KIND VERBS
    type NAME [kind] [either] [whole]           `part`: only ever embedded in others; whole: its map type is atomic
      FIELD TYPE NUMBER WORD...                 as Go's JSON writes them; NUMBER of protobuf, - for none
      +kind                                     kind and apiVersion
      +PART NUMBER                              PART's fields, flat in JSON, a message of its own in protobuf

A TYPE is an element (string bool int32 int64 double quantity time microtime intstr bytes json raw fields), or the name of a
type, of another group as GROUP/VERSION.NAME; with * before it when it may be absent, [] for a list, {} for a map.
"""
import dataclasses
import pathlib
import re

ELEMENTS = {"string", "bool", "int32", "int64", "double", "quantity", "time", "microtime", "intstr", "bytes", "json", "raw",
            "fields"}


@dataclasses.dataclass
class Field:
    name: str
    element: str  # one of ELEMENTS, or a type's full name GROUP/VERSION.NAME
    form: str     # "", "*", "[]", "{}", "{}[]"
    number: int | None
    words: dict


@dataclasses.dataclass
class Part:
    type: str
    number: int


@dataclasses.dataclass
class Type:
    version: "Version"
    name: str
    marks: list
    lines: list = dataclasses.field(default_factory=list)  # Field and Part, in order

    @property
    def full(self):
        return f"{self.version.key}.{self.name}"


@dataclasses.dataclass
class Resource:
    version: "Version"
    name: str
    kind: str
    namespaced: bool
    verbs: list
    words: dict
    subresources: list = dataclasses.field(default_factory=list)  # (name, full name of its kind, verbs)


@dataclasses.dataclass
class Version:
    group: str       # short
    group_name: str  # as in apiVersion
    name: str
    package: str
    types: list = dataclasses.field(default_factory=list)
    parts: list = dataclasses.field(default_factory=list)
    resources: list = dataclasses.field(default_factory=list)

    @property
    def key(self):
        return f"{self.group}/{self.name}"


class FactsError(Exception):
    pass


def words(items):
    return dict(item.split("=", 1) if "=" in item else (item, True) for item in items)


def qualified(version, name):
    return name if "/" in name else f"{version.key}.{name}"


def read_field(version, parts):
    name, text, number, *rest = parts
    form, element = re.fullmatch(r"(\*|\[\]|\{\}(?:\[\])?)?(.+)", text).groups()
    if element not in ELEMENTS:
        element = qualified(version, element)
    return Field(name, element, form or "", None if number == "-" else int(number), words(rest))


def read_line(version, current, parts):
    """One indented line, which belongs to the resource or type before it."""
    if isinstance(current, Resource):
        name, kind, verbs = parts
        current.subresources.append((name[1:], qualified(version, kind), verbs.split(",")))
    elif parts == ["+kind"]:
        current.lines += [Field("kind", "string", "", None, {}), Field("apiVersion", "string", "", None, {})]
    elif parts[0].startswith("+"):
        current.lines.append(Part(qualified(version, parts[0][1:]), int(parts[1])))
    else:
        current.lines.append(read_field(version, parts))


def read_file(path):
    versions, group, version, current = [], None, None, None
    for number, line in enumerate(open(path), 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        try:
            if line.startswith(" "):
                read_line(version, current, parts)
            elif parts[0] == "group":
                group = parts[1], parts[2].strip('"')
            elif parts[0] == "version":
                version = Version(*group, *parts[1:])
                versions.append(version)
            elif parts[0] == "resource":
                current = Resource(version, parts[1], parts[2], parts[3] == "namespaced", parts[4].split(","), words(parts[5:]))
                version.resources.append(current)
            elif parts[0] in ("type", "part"):
                current = Type(version, parts[1], parts[2:])
                (version.types if parts[0] == "type" else version.parts).append(current)
            else:
                raise FactsError(f"no line begins with {parts[0]}")
        except (FactsError, ValueError, TypeError, AttributeError) as error:
            raise FactsError(f"{path}:{number}: {error}") from error
    return versions


def read(folder):
    """All versions of all groups, and all types and parts by full name."""
    versions = [v for path in sorted(pathlib.Path(folder).glob("*.facts")) for v in read_file(path)]
    return versions, {t.full: t for v in versions for t in v.types + v.parts}


def flat(types, type_):
    """The fields of a type as its JSON has them: parts in their place."""
    for line in type_.lines:
        if isinstance(line, Part):
            yield from flat(types, types[line.type])
        else:
            yield line
