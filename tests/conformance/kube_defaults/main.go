// What kube-apiserver's own defaulting makes of objects: reads cases, a line of JSON each, and adds the filled object.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	aggregator "k8s.io/kube-aggregator/pkg/apis/apiregistration/install"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/admissionregistration/install"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/authentication/install"
	_ "k8s.io/kubernetes/pkg/apis/authorization/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/certificates/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/resource/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	_ "k8s.io/kubernetes/pkg/apis/storagemigration/install"
)

type defaultsCase struct {
	Group  string          `json:"group"`
	Kind   string          `json:"kind"`
	Object json.RawMessage `json:"object"`
	Filled json.RawMessage `json:"filled"`
}

func run(c *defaultsCase) error {
	gv, err := schema.ParseGroupVersion(c.Group)
	if err != nil {
		return err
	}
	object, err := legacyscheme.Scheme.New(gv.WithKind(c.Kind))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(c.Object, object); err != nil {
		return err
	}
	legacyscheme.Scheme.Default(object)
	// As the server has it: by way of the version that all are converted to.
	hub, err := legacyscheme.Scheme.ConvertToVersion(object, schema.GroupVersion{Group: gv.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return err
	}
	if object, err = legacyscheme.Scheme.ConvertToVersion(hub, gv); err != nil {
		return err
	}
	c.Filled, err = json.Marshal(object)
	return err
}

func main() {
	apiextensions.Install(legacyscheme.Scheme)
	aggregator.Install(legacyscheme.Scheme)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		c := &defaultsCase{}
		if err := json.Unmarshal(line, c); err != nil {
			panic(err)
		}
		if err := run(c); err != nil {
			fmt.Fprintln(os.Stderr, c.Kind, err)
			continue
		}
		text, err := json.Marshal(c)
		if err != nil {
			panic(err)
		}
		out.Write(append(text, '\n'))
	}
}

