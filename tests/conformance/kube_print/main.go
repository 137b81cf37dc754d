// What Kubernetes' own libraries make of tables and selectors: reads cases, a line of JSON each, and adds what they give.
// A case that makes them panic is left out.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apiserverinternal/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"
	"k8s.io/kubernetes/pkg/printers"
	"k8s.io/kubernetes/pkg/printers/internalversion"
	printerstorage "k8s.io/kubernetes/pkg/printers/storage"
)

type printCase struct {
	Op      string                                         `json:"op"`
	Object  json.RawMessage                                `json:"object,omitempty"`
	Columns []apiextensions.CustomResourceColumnDefinition `json:"columns,omitempty"`
	Group   string                                         `json:"group,omitempty"` // apiVersion of what a field selector asks for
	Kind    string                                         `json:"kind,omitempty"`
	Text    string                                         `json:"text"`
	Sets    []map[string]string                            `json:"sets,omitempty"`

	Stored  json.RawMessage `json:"stored,omitempty"` // the object as kube-apiserver has it, defaults and all
	Now     string          `json:"now,omitempty"`
	Table   json.RawMessage `json:"table,omitempty"`
	String  string          `json:"string,omitempty"`
	Matches []bool          `json:"matches,omitempty"`
	Error   string          `json:"error,omitempty"`
}

var ours = printerstorage.TableConvertor{TableGenerator: printers.NewTableGenerator().With(internalversion.AddHandlers)}

// Within a second nothing that is printed depends on how long it takes.
func steadyNow() time.Time {
	for {
		now := time.Now()
		if ms := now.Nanosecond() / 1000000; ms > 50 && ms < 900 {
			return now
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func defaultColumns(kind string) bool {
	switch kind {
	case "LimitRange", "Role", "ClusterRole", "CSIStorageCapacity":
		return true
	}
	return false
}

func table(c *printCase) error {
	object, gvk, err := legacyscheme.Codecs.UniversalDecoder().Decode(c.Object, nil, nil)
	if err != nil {
		return err
	}
	var stored bytes.Buffer
	if err := legacyscheme.Codecs.LegacyCodec(gvk.GroupVersion()).Encode(object, &stored); err != nil {
		return err
	}
	c.Object, c.Stored = nil, bytes.TrimSpace(stored.Bytes())
	if object, _, err = legacyscheme.Codecs.UniversalDecoder().Decode(c.Stored, nil, nil); err != nil {
		return err
	}
	var convertor rest.TableConvertor = ours
	if defaultColumns(gvk.Kind) {
		convertor = rest.NewDefaultTableConvertor(schema.GroupResource{})
	}
	return print(c, convertor, object)
}

func custom(c *printCase) error {
	convertor, err := tableconvertor.New(c.Columns)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(c.Object); err != nil {
		return err
	}
	c.Object, c.Stored = nil, c.Object
	return print(c, convertor, object)
}

func print(c *printCase, convertor rest.TableConvertor, object runtime.Object) error {
	now := steadyNow()
	table, err := convertor.ConvertToTable(context.Background(), object, &v1.TableOptions{})
	if err != nil {
		return err
	}
	table.Kind, table.APIVersion = "Table", "meta.k8s.io/v1"
	for i := range table.Rows {
		table.Rows[i].Object = runtime.RawExtension{}
	}
	c.Now = now.UTC().Format("2006-01-02T15:04:05.000000Z")
	c.Table, err = json.Marshal(table)
	return err
}

func label(c *printCase) error {
	selector, err := labels.Parse(c.Text)
	if err != nil {
		return err
	}
	c.String = selector.String()
	for _, set := range c.Sets {
		c.Matches = append(c.Matches, selector.Matches(labels.Set(set)))
	}
	return nil
}

func labelSelector(c *printCase) error {
	selector := &v1.LabelSelector{}
	if err := json.Unmarshal(c.Object, selector); err != nil {
		return err
	}
	s, err := v1.LabelSelectorAsSelector(selector)
	if err != nil {
		return err
	}
	c.String = s.String()
	for _, set := range c.Sets {
		c.Matches = append(c.Matches, s.Matches(labels.Set(set)))
	}
	return nil
}

func field(c *printCase) error {
	gv, err := schema.ParseGroupVersion(c.Group)
	if err != nil {
		return err
	}
	selector, err := fields.ParseSelector(c.Text)
	if err != nil {
		return err
	}
	selector, err = selector.Transform(func(label, value string) (string, string, error) {
		return legacyscheme.Scheme.ConvertFieldLabel(gv.WithKind(c.Kind), label, value)
	})
	if err != nil {
		return err
	}
	c.String = selector.String()
	for _, set := range c.Sets {
		c.Matches = append(c.Matches, selector.Matches(fields.Set(set)))
	}
	return nil
}

var ops = map[string]func(*printCase) error{"table": table, "custom": custom, "label": label, "labelSelector": labelSelector, "field": field}

func run(c *printCase) (err error, panicked bool) {
	defer func() {
		if recover() != nil {
			panicked = true
		}
	}()
	return ops[c.Op](c), false
}

// What a pod costs as a Table, as kube-apiserver makes one of an object that it has decoded in its cache.
func bench(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	object, _, err := legacyscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	if err != nil {
		panic(err)
	}
	best := time.Hour
	for round := 0; round < 60; round++ {
		begin := time.Now()
		for i := 0; i < 500; i++ {
			table, err := ours.ConvertToTable(context.Background(), object, &v1.TableOptions{NoHeaders: true})
			if err != nil {
				panic(err)
			}
			m, _ := meta.Accessor(object)
			partial := meta.AsPartialObjectMetadata(m)
			partial.Kind, partial.APIVersion = "PartialObjectMetadata", "meta.k8s.io/v1"
			table.Rows[0].Object = runtime.RawExtension{Object: partial}
			if _, err := json.Marshal(table); err != nil {
				panic(err)
			}
		}
		best = min(best, time.Since(begin)/500)
	}
	fmt.Printf("table-write\t%.2f\t%d\n", float64(best.Nanoseconds())/1000, len(text))
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bench" {
		bench(os.Args[2])
		return
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		c := &printCase{}
		if err := json.Unmarshal(in.Bytes(), c); err != nil {
			fmt.Fprintln(os.Stderr, "kube-print:", err)
			os.Exit(1)
		}
		err, panicked := run(c)
		if panicked {
			continue
		}
		if err != nil {
			c.Error = err.Error()
		}
		line, _ := json.Marshal(c)
		out.Write(append(line, '\n'))
	}
}
