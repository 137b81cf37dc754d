// Kubernetes' own codecs, for tests to compare with.
//
//	kinds golden DIR    for each kind a filled and an empty object: KIND.json as kube-apiserver writes it, KIND.pb in its protobuf form
//	kinds facts         the types, as kube/facts has them: a line for each field, with its Go type, number and what is left out
//	kinds bench FILE    what it takes to read and write the object in FILE
//	kinds decode        lines on standard input, each a kind's apiVersion and kind and one object in JSON or, in base64, protobuf;
//	                    out comes the object as kube-apiserver writes it, or "error: ..."
//	kinds strict        the same, where unknown and duplicate fields are errors
//	kinds strict-yaml   the same of YAML, written as a JSON string
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	gojson "encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "kinds:", err)
		os.Exit(1)
	}
}

func everything() *runtime.Scheme {
	s := runtime.NewScheme()
	metav1.AddToGroupVersion(s, schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"})
	fail(metav1.AddMetaToScheme(s))
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme,
		admissionv1.AddToScheme, apidiscoveryv2.AddToScheme} {
		fail(add(s))
	}
	return s
}

// A filler sets every field to something of its own, counted on, so that no two are mixed up; types that hold themselves end at a depth.
type filler struct{ n int }

func (f *filler) next() int { f.n++; return f.n }

func (f *filler) special(v reflect.Value, depth int) bool {
	switch v.Addr().Interface().(type) {
	case *metav1.Time:
		v.Set(reflect.ValueOf(metav1.NewTime(time.Unix(int64(1700000000+f.next()), 0).UTC())))
	case *metav1.MicroTime:
		v.Set(reflect.ValueOf(metav1.NewMicroTime(time.Unix(int64(1700000000+f.next()), int64(f.next())*1000).UTC())))
	case *resource.Quantity:
		texts := []string{"100m", "1", "64Mi", "1500m", "2Gi", "0", "1e3", "250u"}
		v.Set(reflect.ValueOf(resource.MustParse(texts[f.next()%len(texts)])))
	case *intstr.IntOrString:
		if f.next()%2 == 0 {
			v.Set(reflect.ValueOf(intstr.FromInt32(int32(f.next()))))
		} else {
			v.Set(reflect.ValueOf(intstr.FromString(fmt.Sprintf("%d%%", f.next()))))
		}
	case *runtime.RawExtension:
		v.Set(reflect.ValueOf(runtime.RawExtension{Raw: []byte(fmt.Sprintf(`{"kind":"K%d","list":[1,"a",null]}`, f.next()))}))
	case *metav1.FieldsV1:
		v.Set(reflect.ValueOf(metav1.FieldsV1{Raw: []byte(fmt.Sprintf(`{"f:a%d":{}}`, f.next()))}))
	case *apiextensionsv1.JSON:
		v.Set(reflect.ValueOf(apiextensionsv1.JSON{Raw: []byte(fmt.Sprintf(`{"a":[%d,true]}`, f.next()))}))
	case *apiextensionsv1.JSONSchemaPropsOrArray:
		o := apiextensionsv1.JSONSchemaPropsOrArray{JSONSchemas: []apiextensionsv1.JSONSchemaProps{{ID: "a"}, {ID: "b"}}}
		if f.next()%2 == 0 {
			o = apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{ID: "one"}}
		}
		v.Set(reflect.ValueOf(o))
	case *apiextensionsv1.JSONSchemaPropsOrBool:
		o := apiextensionsv1.JSONSchemaPropsOrBool{Allows: true}
		if f.next()%2 == 0 {
			o.Schema = &apiextensionsv1.JSONSchemaProps{ID: "allowed"}
		}
		v.Set(reflect.ValueOf(o))
	case *apiextensionsv1.JSONSchemaPropsOrStringArray:
		o := apiextensionsv1.JSONSchemaPropsOrStringArray{Property: []string{"x", "y"}}
		if f.next()%2 == 0 {
			o = apiextensionsv1.JSONSchemaPropsOrStringArray{Schema: &apiextensionsv1.JSONSchemaProps{ID: "dep"}}
		}
		v.Set(reflect.ValueOf(o))
	default:
		return false
	}
	return true
}

func (f *filler) fill(v reflect.Value, depth int) {
	if depth > 12 || (v.CanAddr() && f.special(v, depth)) {
		return
	}
	switch v.Kind() {
	case reflect.Ptr:
		if depth > 11 { // nothing would be put behind it
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), depth+1)
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).IsExported() && v.Field(i).Type() != reflect.TypeOf(metav1.TypeMeta{}) && v.Field(i).Kind() != reflect.Interface {
				below := depth + 1
				if v.Type() == v.Field(i).Type() || strings.Contains(v.Field(i).Type().String(), "JSONSchema") {
					below += 4
				}
				f.fill(v.Field(i), below)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(fmt.Sprintf("\x00bytes%d\xff", f.next())))
			return
		}
		n := 1
		if depth < 4 {
			n = 2
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := 0; i < n; i++ {
			f.fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i < 1+depth%2; i++ {
			e := reflect.New(v.Type().Elem()).Elem()
			f.fill(e, depth+1)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("key%d", f.next())).Convert(v.Type().Key()), e)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d \"ä\" <&>", f.next()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		n := int64(f.next())
		if n%5 == 0 {
			n = -n
		}
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(float64(f.next()) + 0.25)
	}
}

type codec struct {
	json, proto runtime.Encoder
	scheme      *runtime.Scheme
}

func newCodec() codec {
	s := everything()
	return codec{json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{}), protobuf.NewSerializer(s, s), s}
}

func (c codec) write(dir, name string, object runtime.Object) {
	var b bytes.Buffer
	fail(c.json.Encode(object, &b))
	fail(os.WriteFile(filepath.Join(dir, name+".json"), bytes.TrimSpace(b.Bytes()), 0o644))
	b.Reset()
	if err := c.proto.Encode(object, &b); err == nil {
		fail(os.WriteFile(filepath.Join(dir, name+".pb"), b.Bytes(), 0o644))
	}
}

func golden(dir string, wanted []string) {
	c := newCodec()
	fail(os.MkdirAll(dir, 0o755))
	for _, line := range wanted {
		gvk := schema.FromAPIVersionAndKind(strings.Fields(line)[0], strings.Fields(line)[1])
		name := strings.ReplaceAll(gvk.GroupVersion().String(), "/", "_") + "_" + gvk.Kind
		for _, how := range []string{"full", "empty"} {
			object, err := c.scheme.New(gvk)
			if err != nil { // an apiVersion of meta.k8s.io is not registered for every kind of it
				fmt.Fprintln(os.Stderr, "kinds:", err)
				continue
			}
			if how == "full" {
				(&filler{}).fill(reflect.ValueOf(object).Elem(), 0)
			}
			object.GetObjectKind().SetGroupVersionKind(gvk)
			c.write(dir, name+"."+how, object)
		}
	}
}

func decode(how string) {
	c := newCodec()
	yaml := how == "strict-yaml"
	reader := json.NewSerializerWithOptions(json.DefaultMetaFactory, c.scheme, c.scheme, json.SerializerOptions{Strict: how != "decode", Yaml: yaml})
	proto := protobuf.NewSerializer(c.scheme, c.scheme)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	for in.Scan() {
		parts := strings.SplitN(in.Text(), " ", 3)
		gvk := schema.FromAPIVersionAndKind(parts[0], parts[1])
		var object runtime.Object
		var err error
		if yaml {
			var text string
			fail(gojson.Unmarshal([]byte(parts[2]), &text))
			object, _, err = reader.Decode([]byte(text), &gvk, nil)
		} else if strings.HasPrefix(parts[2], "{") {
			object, _, err = reader.Decode([]byte(parts[2]), &gvk, nil)
		} else {
			var data []byte
			data, err = base64.StdEncoding.DecodeString(parts[2])
			fail(err)
			object, _, err = proto.Decode(data, &gvk, nil)
		}
		if err != nil {
			fmt.Println("error:", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		var b bytes.Buffer
		fail(c.json.Encode(object, &b))
		os.Stdout.Write(b.Bytes())
	}
}

// A line each as tests/bench/codec_bench has them: name, microseconds of one call, bytes.
func bench(path string) {
	c := newCodec()
	reader := json.NewSerializerWithOptions(json.DefaultMetaFactory, c.scheme, c.scheme, json.SerializerOptions{})
	protoReader := protobuf.NewSerializer(c.scheme, c.scheme)
	text, err := os.ReadFile(path)
	fail(err)
	object, _, err := reader.Decode(text, nil, nil)
	fail(err)
	var message bytes.Buffer
	fail(c.proto.Encode(object, &message))
	for _, what := range []struct {
		name string
		size int
		call func() error
	}{
		{"json-read", len(text), func() error { _, _, err := reader.Decode(text, nil, nil); return err }},
		{"json-write", len(text), func() error { return c.json.Encode(object, &bytes.Buffer{}) }},
		{"proto-read", message.Len(), func() error { _, _, err := protoReader.Decode(message.Bytes(), nil, nil); return err }},
		{"proto-write", message.Len(), func() error { return c.proto.Encode(object, &bytes.Buffer{}) }},
	} {
		best := time.Hour
		for round := 0; round < 20; round++ {
			begin := time.Now()
			for i := 0; i < 500; i++ {
				fail(what.call())
			}
			best = min(best, time.Since(begin)/500)
		}
		fmt.Printf("%s\t%.2f\t%d\n", what.name, float64(best.Nanoseconds())/1000, what.size)
	}
}

func facts() {
	seen := map[reflect.Type]bool{}
	var lines []string
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		for t.Kind() == reflect.Ptr || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] || !strings.HasPrefix(t.PkgPath(), "k8s.io/") {
			return
		}
		seen[t] = true
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			visit(f.Type)
			number := "-"
			if parts := strings.Split(f.Tag.Get("protobuf"), ","); len(parts) > 1 {
				number = parts[1]
			}
			lines = append(lines, fmt.Sprintf("%s.%s\t%s\t%s\t%s\t%s", t.PkgPath(), t.Name(), f.Name, f.Tag.Get("json"), f.Type, number))
		}
	}
	for _, t := range everything().AllKnownTypes() {
		visit(t)
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "golden":
		text, err := os.ReadFile("/dev/stdin")
		fail(err)
		golden(os.Args[2], strings.Split(strings.TrimSpace(string(text)), "\n"))
	case len(os.Args) == 3 && os.Args[1] == "bench":
		bench(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "facts":
		facts()
	case len(os.Args) == 2 && slices.Contains([]string{"decode", "strict", "strict-yaml"}, os.Args[1]):
		decode(os.Args[1])
	default:
		fmt.Fprintln(os.Stderr, "usage: kinds golden DIR < KINDS | facts | decode < OBJECTS | strict < OBJECTS | strict-yaml < OBJECTS | bench POD")
		os.Exit(2)
	}
}
