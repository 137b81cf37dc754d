// A device plugin on Kubernetes' own API package, which tests tell what to do.
//
//	device-plugin DIR ENDPOINT RESOURCE [OPTION...] ID...
//
//	device-plugin --resources SOCKET [NAMESPACE NAME]
//
// says what the podresources API of a node answers: List and GetAllocatableResources, or Get, as JSON.
//
// Options: --prestart, --prefer (the devices with the highest names), --version V, --register-as ENDPOINT, --no-register,
// --found (it waits in DIR/../plugins_registry to be found, as a plugin of type "DevicePlugin"), --type T (in place of that),
// --refuse (Allocate fails), --hang (it does not answer), --empty (it answers with no container).
// Commands on standard input, a line each: "list ID..." (an ID with "!" behind it is unhealthy), "big N" (a list of N devices), and
// "long" (a device with a name of 300 bytes). The end of it ends the plugin. Each call is a line of JSON on standard output.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
	podresources "k8s.io/kubelet/pkg/apis/podresources/v1"
)

type plugin struct {
	api.UnimplementedDevicePluginServer
	mutex                                   sync.Mutex
	devices                                 []*api.Device
	changed                                 chan struct{}
	preStart, prefer, refuse, hang, nothing bool
}

func say(call string, more any) {
	line, _ := json.Marshal(map[string]any{"call": call, "with": more})
	fmt.Println(string(line))
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	say("options", nil)
	return &api.DevicePluginOptions{PreStartRequired: p.preStart, GetPreferredAllocationAvailable: p.prefer}, nil
}

func (p *plugin) set(devices []*api.Device) {
	p.mutex.Lock()
	p.devices = devices
	close(p.changed)
	p.changed = make(chan struct{})
	p.mutex.Unlock()
}

func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	for {
		p.mutex.Lock()
		devices, changed := p.devices, p.changed
		p.mutex.Unlock()
		if err := stream.Send(&api.ListAndWatchResponse{Devices: devices}); err != nil {
			return err
		}
		say("listed", len(devices))
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (p *plugin) GetPreferredAllocation(_ context.Context, r *api.PreferredAllocationRequest) (*api.PreferredAllocationResponse, error) {
	c := r.ContainerRequests[0]
	say("prefer", map[string]any{"available": c.AvailableDeviceIDs, "must": c.MustIncludeDeviceIDs, "size": c.AllocationSize})
	ids := append([]string{}, c.AvailableDeviceIDs...)
	sort.Sort(sort.Reverse(sort.StringSlice(ids)))
	if len(ids) > int(c.AllocationSize) {
		ids = ids[:c.AllocationSize]
	}
	return &api.PreferredAllocationResponse{ContainerResponses: []*api.ContainerPreferredAllocationResponse{{DeviceIDs: ids}}}, nil
}

func (p *plugin) Allocate(ctx context.Context, r *api.AllocateRequest) (*api.AllocateResponse, error) {
	say("allocate", r.ContainerRequests[0].DevicesIds)
	if p.refuse {
		return nil, fmt.Errorf("no more of these")
	}
	if p.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if p.nothing {
		return &api.AllocateResponse{}, nil
	}
	ids := append([]string{}, r.ContainerRequests[0].DevicesIds...)
	sort.Strings(ids)
	return &api.AllocateResponse{ContainerResponses: []*api.ContainerAllocateResponse{{
		Envs:        map[string]string{"DEVICES": strings.Join(ids, ","), "MINE": "the plugin's"},
		Annotations: map[string]string{"example.com/devices": strings.Join(ids, ",")},
		Mounts:      []*api.Mount{{ContainerPath: "/given", HostPath: os.Getenv("GIVEN"), ReadOnly: true}},
		Devices:     []*api.DeviceSpec{{ContainerPath: "/dev/given", HostPath: "/dev/kmsg", Permissions: "r"}},
		CdiDevices:  cdi(ids),
	}}}, nil
}

// With CDI set, one of the CDI specification that the test has made.
func cdi(ids []string) []*api.CDIDevice {
	if os.Getenv("CDI") == "" {
		return nil
	}
	return []*api.CDIDevice{{Name: os.Getenv("CDI")}}
}

func (p *plugin) PreStartContainer(_ context.Context, r *api.PreStartContainerRequest) (*api.PreStartContainerResponse, error) {
	say("prestart", r.DevicesIds)
	if p.refuse {
		return nil, fmt.Errorf("not ready")
	}
	return &api.PreStartContainerResponse{}, nil
}

func device(id string) *api.Device {
	health := api.Healthy
	if strings.HasSuffix(id, "!") {
		id, health = id[:len(id)-1], api.Unhealthy
	}
	return &api.Device{ID: id, Health: health, Topology: &api.TopologyInfo{Nodes: []*api.NUMANode{{ID: 0}}}}
}

func list(ids []string) (devices []*api.Device) {
	for _, id := range ids {
		devices = append(devices, device(id))
	}
	return devices
}

func (p *plugin) obey(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "list":
		p.set(list(words[1:]))
	case "big":
		var n int
		fmt.Sscan(words[1], &n)
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("d%d", i)
		}
		p.set(list(ids))
	case "long":
		p.set(append(list([]string{"fine"}), device(strings.Repeat("x", 300)), device("")))
	}
}

func register(dir string, request *api.RegisterRequest) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+filepath.Join(dir, "kubelet.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		_, err = api.NewRegistrationClient(connection).Register(ctx, request)
	}
	if err != nil {
		say("refused", err.Error())
		return
	}
	say("registered", nil)
}

// A plugin that is found.
type waiting struct {
	registration.UnimplementedRegistrationServer
	info *registration.PluginInfo
}

func (w *waiting) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return w.info, nil
}

func (w *waiting) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if s.PluginRegistered {
		say("registered", nil)
	} else {
		say("refused", s.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func ask(socket string, of []string) {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	client, ctx, answers := podresources.NewPodResourcesListerClient(connection), context.Background(), map[string]any{}
	if len(of) > 0 {
		got, err := client.Get(ctx, &podresources.GetPodResourcesRequest{PodNamespace: of[0], PodName: of[1]})
		answers["get"], answers["error"] = got, fmt.Sprint(err)
	} else {
		listed, err := client.List(ctx, &podresources.ListPodResourcesRequest{})
		allocatable, other := client.GetAllocatableResources(ctx, &podresources.AllocatableResourcesRequest{})
		answers["list"], answers["allocatable"], answers["error"] = listed, allocatable, fmt.Sprint(err, other)
	}
	text, _ := json.Marshal(answers)
	fmt.Println(string(text))
}

func main() {
	if os.Args[1] == "--resources" {
		ask(os.Args[2], os.Args[3:])
		return
	}
	dir, endpoint := os.Args[1], os.Args[2]
	request := &api.RegisterRequest{Version: api.Version, Endpoint: endpoint, ResourceName: os.Args[3]}
	p := &plugin{changed: make(chan struct{})}
	registers, ids, kind := true, []string{}, registration.DevicePlugin
	for i := 4; i < len(os.Args); i++ {
		switch a := os.Args[i]; a {
		case "--prestart":
			p.preStart = true
		case "--prefer":
			p.prefer = true
		case "--refuse":
			p.refuse = true
		case "--hang":
			p.hang = true
		case "--empty":
			p.nothing = true
		case "--no-register":
			registers = false
		case "--found":
			registers, dir = false, filepath.Join(dir, "../plugins_registry")
		case "--type":
			i++
			kind = os.Args[i]
		case "--version":
			i++
			request.Version = os.Args[i]
		case "--register-as":
			i++
			request.Endpoint = os.Args[i]
		default:
			ids = append(ids, a)
		}
	}
	p.devices = list(ids)
	os.Remove(filepath.Join(dir, endpoint))
	socket, err := net.Listen("unix", filepath.Join(dir, endpoint))
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	registration.RegisterRegistrationServer(server, &waiting{info: &registration.PluginInfo{
		Type: kind, Name: request.ResourceName, SupportedVersions: []string{request.Version}}})
	go server.Serve(socket)
	if registers {
		register(dir, request)
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		p.obey(in.Text())
	}
	server.Stop()
}
