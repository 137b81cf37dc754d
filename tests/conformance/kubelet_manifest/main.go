// What kubelet makes of manifests of static pods, by its own reader, defaults and validation: a line of JSON for each file.
// With --fields: the fields of every type of a Pod, with the type of each.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/core/helper"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
)

// As pkg/kubelet/config does, which keeps it to itself.
func read(data []byte) (*v1.Pod, error) {
	text, err := yaml.ToJSON(data)
	if err != nil {
		return nil, err
	}
	object, err := runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), text)
	if err != nil {
		return nil, err
	}
	pod, ok := object.(*api.Pod)
	if !ok || pod.Name == "" {
		return nil, fmt.Errorf("no pod with a name")
	}
	pod.UID, pod.Name, pod.Spec.NodeName = "uid", pod.Name+"-stock", "stock"
	if pod.Namespace == "" {
		pod.Namespace = "default"
	}
	helper.AddOrUpdateTolerationInPod(pod, &api.Toleration{Operator: "Exists", Effect: api.TaintEffectNoExecute})
	options := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	if errs := validation.ValidatePodCreate(pod, options); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	if _, resource, err := podutil.HasAPIObjectReference(pod); err != nil || resource != "" {
		return nil, fmt.Errorf("may not reference %s %v", resource, err)
	}
	result := &v1.Pod{}
	return result, corev1.Convert_core_Pod_To_v1_Pod(pod, result, nil)
}

var types = map[string][][2]string{}

func name(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Ptr:
		return name(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + name(t.Elem())
	case t.Kind() == reflect.Map:
		return "map:" + name(t.Elem())
	case t.Kind() != reflect.Struct:
		return t.Kind().String()
	case strings.Contains("resource.Quantity v1.Time intstr.IntOrString v1.FieldsV1", t.String()):
		return t.String()
	}
	visit(t)
	return t.Name()
}

func visit(t reflect.Type) {
	if _, seen := types[t.Name()]; seen {
		return
	}
	types[t.Name()] = [][2]string{}
	types[t.Name()] = fields(t)
}

func fields(t reflect.Type) (found [][2]string) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Type.Kind() == reflect.Struct && (strings.HasPrefix(tag, ",") || tag == "") {
			found = append(found, fields(f.Type)...)
		} else if key, _, _ := strings.Cut(tag, ","); key != "" {
			found = append(found, [2]string{key, name(f.Type)})
		}
	}
	return found
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if len(os.Args) == 2 && os.Args[1] == "--fields" {
		visit(reflect.TypeOf(v1.Pod{}))
		encoder.Encode(types)
		return
	}
	for _, file := range os.Args[1:] {
		data, err := os.ReadFile(file)
		line := map[string]any{"file": file}
		if err == nil {
			line["pod"], err = read(data)
		}
		if err != nil {
			line = map[string]any{"file": file, "error": err.Error()}
		}
		encoder.Encode(line)
	}
}
