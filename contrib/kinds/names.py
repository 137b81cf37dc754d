"""What the API's names are in C."""
import re

# Words of C, and the names of macros that system headers define.
RESERVED = {"auto", "bool", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
            "float", "for", "goto", "if", "inline", "int", "long", "register", "return", "short", "signed", "sizeof", "static",
            "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "minor", "major"}


def snake(name):
    """hostIPC: host_ipc; podCIDRs: pod_cidrs; x-kubernetes-embedded-resource: x_kubernetes_embedded_resource."""
    name = name.lstrip("$").replace("-", "_")
    name = re.sub(r"([A-Z]{2,})s(?![a-z])", lambda m: m.group(1)[0] + m.group(1)[1:].lower() + "s", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"_+", "_", name.lower())
    return name + "_" if name in RESERVED else name


def prefix(version):
    """core/v1 and meta/v1 are what everything is made of; of the other groups the version is part of the name."""
    return "kube_" if version.key in ("core/v1", "meta/v1") else f"kube_{version.group}_{version.name}_"


def struct(type_):
    return prefix(type_.version) + snake(type_.name)


def unit(version):
    """The name of a version's header and source."""
    return f"{version.group}_{version.name}"
