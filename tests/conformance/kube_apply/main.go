// What kube-apiserver's own field manager makes of a history of writes: reads cases, a line of JSON each, and adds to each
// step the object after it, or the error. The schema is kube-apiserver's OpenAPI; times become those that steps have.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/managedfields"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/kube-openapi/pkg/builder3"
	openapiutil "k8s.io/kube-openapi/pkg/util"
	"k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type step struct {
	Op          string           `json:"op"` // apply, or update by a merge patch
	Manager     string           `json:"manager"`
	Subresource string           `json:"subresource,omitempty"`
	Force       bool             `json:"force,omitempty"`
	Body        json.RawMessage  `json:"body"`
	Time        int64            `json:"time"`
	Object      json.RawMessage  `json:"object,omitempty"`
	Error       string           `json:"error,omitempty"`
	Causes      []metav1.StatusCause `json:"causes,omitempty"`
}

// Owners of an object and of its scale, before and after a write to that.
type scale struct {
	Parent []metav1.ManagedFieldsEntry `json:"parent"`
	Scale  []metav1.ManagedFieldsEntry `json:"scale"`
	Seen   []metav1.ManagedFieldsEntry `json:"seen"`
	Merged []metav1.ManagedFieldsEntry `json:"merged"`
	Error  string                      `json:"error,omitempty"`
}

type history struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Steps []step `json:"steps"`
	Scale *scale `json:"scale,omitempty"`
}

func (s *scale) run(group string) {
	gv, err := schema.ParseGroupVersion(group)
	if err != nil {
		panic(err)
	}
	replicas := managedfields.ResourcePathMappings{group: fieldpath.MakePathOrDie("spec", "replicas"), "apps/v0": nil}
	handler := managedfields.NewScaleHandler(s.Parent, gv, replicas)
	if s.Seen, err = handler.ToSubresource(); err == nil {
		s.Merged, err = handler.ToParent(s.Scale)
	}
	if err != nil {
		s.Error = err.Error()
	}
}

type nothing struct{}

func (nothing) Default(runtime.Object) {}

var converter = sync.OnceValue(func() managedfields.TypeConverter {
	config := genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, openapinamer.NewDefinitionNamer(scheme.Scheme))
	var names []string
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		object, err := scheme.Scheme.New(gvk)
		if err != nil {
			panic(err)
		}
		if _, err := meta.Accessor(object); err == nil {
			names = append(names, openapiutil.GetCanonicalTypeName(object))
		}
	}
	spec, err := builder3.BuildOpenAPIDefinitionsForResources(config, names...)
	if err != nil {
		panic(err)
	}
	c, err := managedfields.NewTypeConverter(spec, false)
	if err != nil {
		panic(err)
	}
	return c
})

func filter(gvk schema.GroupVersionKind, subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	reset := fieldpath.NewSet()
	switch subresource {
	case "status":
		reset.Insert(fieldpath.MakePathOrDie("spec"))
	case "":
		if gvk.Kind == "ConfigMap" || gvk.Kind == "ClusterRole" {
			return nil
		}
		reset.Insert(fieldpath.MakePathOrDie("status"))
	}
	version := fieldpath.APIVersion(gvk.GroupVersion().String())
	return map[fieldpath.APIVersion]fieldpath.Filter{version: fieldpath.NewExcludeSetFilter(reset)}
}

func manager(gvk schema.GroupVersionKind, subresource string) *managedfields.FieldManager {
	m, err := managedfields.NewDefaultFieldManager(converter(), scheme.Scheme, nothing{}, scheme.Scheme, gvk, gvk.GroupVersion(),
		subresource, filter(gvk, subresource))
	if err != nil {
		panic(err)
	}
	return m
}

func (s *step) apply(gvk schema.GroupVersionKind, live runtime.Object) (runtime.Object, error) {
	patch := &unstructured.Unstructured{Object: map[string]any{}}
	if err := kjson.Unmarshal(s.Body, &patch.Object); err != nil {
		return nil, err
	}
	return manager(gvk, s.Subresource).Apply(live, patch, s.Manager, s.Force)
}

func (s *step) update(gvk schema.GroupVersionKind, live runtime.Object) (runtime.Object, error) {
	before, err := json.Marshal(live)
	if err != nil {
		return nil, err
	}
	after, err := jsonpatch.MergePatch(before, s.Body)
	if err != nil {
		return nil, err
	}
	object, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(after, object); err != nil {
		return nil, err
	}
	return manager(gvk, s.Subresource).UpdateNoErrors(live, object, s.Manager), nil
}

// A time from now is that of the step.
func settle(object runtime.Object, at int64) {
	accessor, _ := meta.Accessor(object)
	entries := accessor.GetManagedFields()
	for i := range entries {
		if entries[i].Time != nil && time.Since(entries[i].Time.Time) < time.Hour {
			entries[i].Time = &metav1.Time{Time: time.Unix(at, 0).UTC()}
		}
	}
	accessor.SetManagedFields(entries)
}

func (h *history) run() {
	gv, err := schema.ParseGroupVersion(h.Group)
	if err != nil {
		panic(err)
	}
	gvk := gv.WithKind(h.Kind)
	live, err := scheme.Scheme.New(gvk)
	if err != nil {
		panic(err)
	}
	for i := range h.Steps {
		s := &h.Steps[i]
		var after runtime.Object
		if s.Op == "apply" {
			after, err = s.apply(gvk, live.DeepCopyObject())
		} else {
			after, err = s.update(gvk, live.DeepCopyObject())
		}
		if err != nil {
			s.Error = err.Error()
			if status, ok := err.(apierrors.APIStatus); ok && status.Status().Details != nil {
				s.Causes = status.Status().Details.Causes
			}
			continue
		}
		settle(after, s.Time)
		after.GetObjectKind().SetGroupVersionKind(gvk)
		accessor, _ := meta.Accessor(after)
		accessor.SetUID("u")
		s.Object, err = json.Marshal(after)
		if err != nil {
			panic(err)
		}
		// The next one finds it as the store gives it back.
		live, _ = scheme.Scheme.New(gvk)
		if err := json.Unmarshal(s.Object, live); err != nil {
			panic(err)
		}
	}
}

// False for what makes Kubernetes' libraries panic.
func answer(h *history) (good bool) {
	defer func() {
		if recover() != nil {
			good = false
		}
	}()
	if h.Scale != nil {
		h.Scale.run(h.Group)
		return true
	}
	h.run()
	return true
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		h := &history{}
		if err := json.Unmarshal(line, h); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if !answer(h) {
			continue
		}
		text, err := json.Marshal(h)
		if err != nil {
			panic(err)
		}
		out.Write(append(text, '\n'))
	}
}
