// What Kubernetes' own libraries make of patches: reads cases, a line of JSON each, and adds what they give to each.
// A case that has no one answer, since Go walks maps in any order, or that makes them panic, is left out.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

const tries = 12

type patchCase struct {
	Op    string          `json:"op"`
	Group string          `json:"group,omitempty"`
	Kind  string          `json:"kind,omitempty"`
	A     json.RawMessage `json:"a,omitempty"` // document, or the original of a difference
	B     json.RawMessage `json:"b"`           // patch, or what it becomes
	C     json.RawMessage `json:"c,omitempty"` // of three ways: the live object
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

func object(c *patchCase) runtime.Object {
	gv, err := schema.ParseGroupVersion(c.Group)
	if err != nil {
		panic(err)
	}
	o, err := scheme.Scheme.New(gv.WithKind(c.Kind))
	if err != nil {
		panic(err)
	}
	return o
}

// As kube-apiserver applies it: to maps whose arrays have no spare room.
func strategic(c *patchCase) ([]byte, error) {
	var document, patch map[string]any
	if err := kjson.Unmarshal(c.A, &document); err != nil {
		return nil, err
	}
	if err := kjson.Unmarshal(c.B, &patch); err != nil {
		return nil, err
	}
	result, err := strategicpatch.StrategicMergeMapPatch(runtime.DeepCopyJSON(document), patch, object(c))
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

func threeWay(c *patchCase, overwrite bool) ([]byte, error) {
	meta, err := strategicpatch.NewPatchMetaFromStruct(object(c))
	if err != nil {
		return nil, err
	}
	return strategicpatch.CreateThreeWayMergePatch(c.A, c.B, c.C, meta, overwrite)
}

func run(c *patchCase) (value []byte, err error) {
	switch c.Op {
	case "json":
		patch, err := jsonpatch.DecodePatch(c.B)
		if err != nil {
			return nil, err
		}
		return patch.Apply(c.A)
	case "merge":
		return jsonpatch.MergePatch(c.A, c.B)
	case "strategic":
		return strategic(c)
	case "diff-merge":
		return jsonpatch.CreateMergePatch(c.A, c.B)
	case "diff-strategic":
		return strategicpatch.CreateTwoWayMergePatch(c.A, c.B, object(c))
	case "three-merge":
		return jsonmergepatch.CreateThreeWayJSONMergePatch(c.A, c.B, c.C)
	case "three-strategic":
		return threeWay(c, true)
	case "three-careful":
		return threeWay(c, false)
	}
	panic("unknown op " + c.Op)
}

// ok is false when it panics.
func guarded(c *patchCase) (value []byte, message string, ok bool) {
	defer func() {
		if why := recover(); why != nil {
			ok = false
		}
	}()
	value, err := run(c)
	if err != nil {
		return nil, err.Error(), true
	}
	return value, "", true
}

func answer(c *patchCase) bool {
	for i := 0; i < tries; i++ {
		value, message, ok := guarded(c)
		if !ok || (i > 0 && (message != c.Error || !bytes.Equal(value, c.Value))) {
			return false
		}
		c.Value, c.Error = value, message
	}
	return true
}

func main() {
	jsonpatch.AccumulatedCopySizeLimit = 3 * 1024 * 1024 // as kube-apiserver sets it
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		c := &patchCase{}
		if err := json.Unmarshal(line, c); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", line, err)
			os.Exit(1)
		}
		if answer(c) {
			encoder.Encode(c)
		}
	}
}
