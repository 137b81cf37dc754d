"""The registry of kinds: every kind of every version, with its resource where it has one."""
import names
from facts import Field
from rows import quoted


def texts(text):
    return f"(const char *const[]){{ {', '.join(map(quoted, text.split(',')))}, NULL }}" if text else "NULL"


def verbs(items):
    return " | ".join(f"KUBE_VERB_{v.upper()}" for v in items)


def list_of(type_, lists):
    return lists.get(type_.full)


def subresource(types, sub):
    name, kind, can = sub
    type_ = types[kind]
    return (f"{{ {quoted(name)}, {quoted(type_.version.group_name)}, {quoted(type_.version.name)}, {quoted(type_.name)}, "
            f"&{names.struct(type_)}_type, {verbs(can)} }}")


def entry(types, type_, resource, lists):
    of = lists.get(type_.full)
    version = type_.version
    yield "        {"
    yield f"                .group = {quoted(version.group_name)}, .version = {quoted(version.name)}, .kind = {quoted(type_.name)},"
    yield f"                .type = &{names.struct(type_)}_type,"
    if of:
        yield f"                .list_kind = {quoted(of.name)}, .list_type = &{names.struct(of)}_type,"
    if resource:
        yield f"                .resource = {quoted(resource.name)}, .singular = {quoted(resource.words['singular'])},"
        yield f"                .short_names = {texts(resource.words.get('short'))},"
        yield f"                .categories = {texts(resource.words.get('categories'))},"
        yield f"                .namespaced = {str(resource.namespaced).lower()}, .verbs = {verbs(resource.verbs)},"
        if resource.subresources:
            yield "                .subresources = (const struct kube_subresource[]){"
            for sub in resource.subresources:
                yield f"                        {subresource(types, sub)},"
            yield f"                }}, .n_subresources = {len(resource.subresources)},"
    yield "        },"


def source(types, versions):
    kinds = [t for v in versions for t in v.types if "kind" in t.marks]
    lists = {}
    for type_ in kinds:
        items = [line for line in type_.lines if isinstance(line, Field) and line.name == "items" and line.form == "[]"]
        if items and type_.name.endswith("List"):
            lists[items[0].element] = type_
    yield "/* Made by contrib/kinds from kube/facts. */"
    yield '#include "kube/kinds.h"\n'
    for version in versions:
        yield f'#include "kube/{names.unit(version)}.h"'
    yield "\nconst struct kube_kind kube_kinds[] = {"
    for version in versions:
        resources = {r.kind: r for r in version.resources}
        for type_ in version.types:
            if "kind" in type_.marks:
                yield from entry(types, type_, resources.get(type_.name), lists)
    yield "};"
    yield "const size_t kube_kinds_count = sizeof(kube_kinds) / sizeof(kube_kinds[0]);"
