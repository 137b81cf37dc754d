// Which CPUs kubelet's static policy gives to pods, one after the other: each line of standard input is a host with its pods as JSON, and
// each line of the answer what is whose after each step, with the file of the state in the end where it is asked for.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/kubelet/cm/containermap"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager/state"
	"k8s.io/kubernetes/pkg/kubelet/cm/cpumanager/topology"
	"k8s.io/kubernetes/pkg/kubelet/cm/topologymanager"
	"k8s.io/utils/cpuset"
)

type step struct {
	Remove string
	Pod    string
	Init   [][2]int // CPUs, and whether it is a sidecar
	Main   []int
}

type host struct {
	Cpus     [][5]int // number, NUMA node, socket, core, cache
	Reserved []int
	Count    int // reserved, when no CPUs are named
	Options  map[string]string
	Steps    []step
	State    bool
}

type outcome struct {
	Error  string            `json:"error"`
	Shared string            `json:"shared"`
	Sets   map[string]string `json:"sets"`
}

type answer struct {
	Error string    `json:"error"`
	Steps []outcome `json:"steps"`
	State string    `json:"state"`
}

func layout(h host) *topology.CPUTopology {
	t := &topology.CPUTopology{NumCPUs: len(h.Cpus), CPUDetails: topology.CPUDetails{}}
	for _, c := range h.Cpus {
		t.CPUDetails[c[0]] = topology.CPUInfo{NUMANodeID: c[1], SocketID: c[2], CoreID: c[3], UncoreCacheID: c[4]}
	}
	t.NumCores, t.NumSockets = t.CPUDetails.Cores().Size(), t.CPUDetails.Sockets().Size()
	t.NumNUMANodes, t.NumUncoreCache = t.CPUDetails.NUMANodes().Size(), t.CPUDetails.UncoreCaches().Size()
	return t
}

func container(name string, n int) v1.Container {
	amounts := v1.ResourceList{v1.ResourceCPU: *resource.NewMilliQuantity(int64(n)*1000, resource.DecimalSI), v1.ResourceMemory: resource.MustParse("1Gi")}
	if n == 0 {
		amounts[v1.ResourceCPU] = resource.MustParse("500m")
	}
	return v1.Container{Name: name, Resources: v1.ResourceRequirements{Requests: amounts, Limits: amounts}}
}

func pod(s step) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(s.Pod), Name: s.Pod}}
	always := v1.ContainerRestartPolicyAlways
	for i, n := range s.Init {
		c := container(fmt.Sprintf("i%d", i), n[0])
		if n[1] != 0 {
			c.RestartPolicy = &always
		}
		p.Spec.InitContainers = append(p.Spec.InitContainers, c)
	}
	for i, n := range s.Main {
		p.Spec.Containers = append(p.Spec.Containers, container(fmt.Sprintf("c%d", i), n))
	}
	return p
}

func remove(policy cpumanager.Policy, s state.State, uid string) {
	for name := range s.GetCPUAssignments()[uid] {
		policy.RemoveContainer(logr.Discard(), s, uid, name)
	}
}

func allocate(policy cpumanager.Policy, s state.State, p *v1.Pod) error {
	for _, c := range append(append([]v1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...) {
		if err := policy.Allocate(logr.Discard(), s, p, &c); err != nil {
			return err
		}
	}
	return nil
}

func run(h host) (a answer) {
	reserved, count := cpuset.New(h.Reserved...), len(h.Reserved)
	if count == 0 {
		count = h.Count
	}
	policy, err := cpumanager.NewStaticPolicy(logr.Discard(), layout(h), count, reserved, topologymanager.NewFakeManager(), h.Options)
	if err != nil {
		return answer{Error: err.Error()}
	}
	dir, s := "", state.NewMemoryState(logr.Discard())
	if h.State {
		dir, _ = os.MkdirTemp("", "cpus")
		defer os.RemoveAll(dir)
		if s, err = state.NewCheckpointState(logr.Discard(), dir, "cpu_manager_state", "static", containermap.NewContainerMap()); err != nil {
			return answer{Error: err.Error()}
		}
	}
	if err = policy.Start(logr.Discard(), s); err != nil {
		return answer{Error: err.Error()}
	}
	for _, one := range h.Steps {
		o := outcome{Sets: map[string]string{}}
		if one.Remove != "" {
			remove(policy, s, one.Remove)
		} else if err := allocate(policy, s, pod(one)); err != nil {
			o.Error = err.Error()
			remove(policy, s, one.Pod)
		}
		for uid, containers := range s.GetCPUAssignments() {
			for name, set := range containers {
				o.Sets[uid+"/"+name] = set.String()
			}
		}
		o.Shared = s.GetDefaultCPUSet().String()
		a.Steps = append(a.Steps, o)
	}
	if dir != "" {
		text, _ := os.ReadFile(filepath.Join(dir, "cpu_manager_state"))
		a.State = string(text)
	}
	return a
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var h host
		if err := json.Unmarshal(in.Bytes(), &h); err != nil {
			panic(err)
		}
		out.Encode(run(h))
	}
}
