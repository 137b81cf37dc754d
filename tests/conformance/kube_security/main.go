// Pod Security as k8s.io/pod-security-admission has it.
//
//	kube-security cases            its fixtures, a line of JSON each: a pod, a level and a version, and what is wrong with the pod there
//	kube-security run KUBECONFIG   its own test of an API server
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/pod-security-admission/test"
)

const newest = 36

var out = bufio.NewWriter(os.Stdout)

type answer struct {
	Level   string          `json:"level"`
	Minor   int             `json:"minor"`
	Pod     json.RawMessage `json:"pod"`
	Reasons string          `json:"reasons,omitempty"`
	Details string          `json:"details,omitempty"`
}

// A server that takes everything, and keeps the pods.
type catcher struct {
	pods  map[string]bool
	order []string
}

func (c *catcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasSuffix(r.URL.Path, "/pods") {
		var pod corev1.Pod
		if err := json.Unmarshal(body, &pod); err != nil {
			panic(err)
		}
		text, _ := json.Marshal(&corev1.Pod{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec})
		if !c.pods[string(text)] {
			c.pods[string(text)] = true
			c.order = append(c.order, string(text))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

// Runs the test, then @then, and ends.
func run(config *rest.Config, then func()) {
	os.Args = os.Args[:1]
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "PodSecurity", F: func(t *testing.T) {
		defer then()
		test.Run(t, test.Options{ClientConfig: config})
	}}}, nil, nil)
}

func ask(evaluator policy.Evaluator, text string) {
	var pod corev1.Pod
	if err := json.Unmarshal([]byte(text), &pod); err != nil {
		panic(err)
	}
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		for minor := 0; minor <= newest; minor++ {
			at := api.LevelVersion{Level: level, Version: api.MajorMinorVersion(1, minor)}
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(at, &pod.ObjectMeta, &pod.Spec))
			line, _ := json.Marshal(answer{string(level), minor, json.RawMessage(text), result.ForbiddenReason(), result.ForbiddenDetail()})
			fmt.Fprintln(out, string(line))
		}
	}
}

// What the test says of a server that refuses nothing is of no interest.
func cases() {
	c := &catcher{pods: map[string]bool{}}
	server := httptest.NewServer(c)
	run(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, func() {
		evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
		if err != nil {
			panic(err)
		}
		for _, text := range c.order {
			ask(evaluator, text)
		}
		out.Flush()
		os.Exit(0)
	})
}

func main() {
	arguments := os.Args[1:]
	if len(arguments) == 1 && arguments[0] == "cases" {
		cases()
		return
	}
	if len(arguments) != 2 || arguments[0] != "run" {
		fmt.Fprintln(os.Stderr, "usage: kube-security cases | run KUBECONFIG")
		os.Exit(2)
	}
	config, err := clientcmd.BuildConfigFromFlags("", arguments[1])
	if err != nil {
		panic(err)
	}
	config.QPS = -1
	run(config, func() {})
}
