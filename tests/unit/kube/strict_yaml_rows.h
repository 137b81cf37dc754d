/* ConfigMaps in YAML, and what kube-apiserver's reader says of them when it is strict. A row a line: the conformance
 * test reads them too. */
#pragma once

static const struct {
        const char *text, *says;
} strict_yaml_rows[] = {
        // clang-format off
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  a: '1'\n  a: '2'\n", "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  a: '1'\n  b:\n    'x'\n  b:\n    'y'\n", "yaml: unmarshal errors:\n  line 8: key \"b\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {a: b, a: c}\nnone: 1\ndata: {q: r}\n", "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map\n  line 5: key \"data\" already set in map, unknown field \"none\"" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {1: a, 1: b}\n", "yaml: unmarshal errors:\n  line 3: key 1 already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {1: a, '1': b}\n", "" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {true: a, yes: b}\n", "yaml: unmarshal errors:\n  line 3: key true already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  <<: {a: b}\n  a: c\n", "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  a: c\n  <<: {a: b}\n", "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  <<: {a: b}\n  <<: {a: c}\n", "yaml: unmarshal errors:\n  line 5: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\nmetadata:\n  labels: {a: b, a: c, a: d}\n  annotations:\n    z: y\n    z: x\nmetadata:\n  name: x\n", "yaml: unmarshal errors:\n  line 4: key \"a\" already set in map\n  line 4: key \"a\" already set in map\n  line 7: key \"z\" already set in map\n  line 9: key \"metadata\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  \"q\\\"\\n\\u00e4\\u0001\": a\n  \"q\\\"\\n\\u00e4\\u0001\": b\n", "yaml: unmarshal errors:\n  line 5: key \"q\\\"\\nä\\x01\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {a: b, a: c}\nx: {b: {x: 1, x: 2}, b: 3}\n", "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map\n  line 4: key \"x\" already set in map\n  line 4: key \"b\" already set in map, unknown field \"x\"" },
        { "kind: ConfigMap\napiVersion: v1\nmetadata:\n  labels: {a: x}\n  labels:\n    # c\n    b: y\n    b: z\n", "yaml: unmarshal errors:\n  line 8: key \"b\" already set in map\n  line 7: key \"labels\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\nx: {1.5: a, 1.5: b}\n", "yaml: unmarshal errors:\n  line 3: key 1.5 already set in map, unknown field \"x\"" },
        { "kind: ConfigMap\napiVersion: v1\nx: {a: 1, a: 1, b: {c: 1, c: 1}}\n", "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map\n  line 3: key \"c\" already set in map, unknown field \"x\"" },
        { "kind: ConfigMap\napiVersion: v1\nx: [{a: 1, a: 2}]\n", "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map, unknown field \"x\"" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  <<: [{a: b},{a: c}]\n", "yaml: unmarshal errors:\n  line 4: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {a: b, a: c}\n---\nkind: Pod\n", "yaml: unmarshal errors:\n  line 3: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\nx: &l {a: 1}\ny: {<<: *l, b: 1}\ny:\n - 1\n", "yaml: unmarshal errors:\n  line 6: key true already set in map, unknown field \"true\", unknown field \"x\"" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  a: |\n    x\n  a: |\n    y\n", "yaml: unmarshal errors:\n  line 6: key \"a\" already set in map" },
        { "kind: ConfigMap\napiVersion: v1\nzoo: 1\nant: 2\ndata: {b: 'x'}\n", "unknown field \"ant\", unknown field \"zoo\"" },
        { "kind: ConfigMap\napiVersion: v1\ndata: {a: b}\n", "" },
        { "kind: ConfigMap\napiVersion: v1\ndata:\n  a: &x\n    b\n  a: *x\n", "yaml: unmarshal errors:\n  line 6: key \"a\" already set in map" },
        // clang-format on
};
