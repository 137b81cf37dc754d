// kubelet's own HTTP prober, asked once for each row on standard input: what it sends, and what it makes of the answers.
// Rows and results are those of tests/unit/probes/kubelet_probes.json.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/probe/http"
)

type row struct {
	Path     string      `json:"path"`
	Host     string      `json:"host,omitempty"`
	TLS      string      `json:"tls,omitempty"` // what the server speaks in it
	Hook     bool        `json:"hook,omitempty"`
	Headers  [][2]string `json:"headers,omitempty"`
	Answers  []string    `json:"answers,omitempty"`
	Requests []string    `json:"requests"`
	Result   string      `json:"result"`
	Says     string      `json:"says"`
}

// A server that answers its n-th connection with the n-th text, "200 ok" after that, and keeps what it was sent.
type server struct {
	listener net.Listener
	answers  []string
	requests []string
	ended    chan bool
}

func (s *server) port() string {
	return fmt.Sprint(s.listener.Addr().(*net.TCPAddr).Port)
}

func (s *server) run() {
	defer close(s.ended)
	for i := 0; ; i++ {
		connection, err := s.listener.Accept()
		if err != nil {
			return
		}
		head := ""
		reader := bufio.NewReader(connection)
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			head += line
			if err != nil {
				break
			}
		}
		s.requests = append(s.requests, strings.ReplaceAll(head, s.port(), "PORT"))
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		if i < len(s.answers) {
			answer = strings.ReplaceAll(s.answers[i], "PORT", s.port())
		}
		io.WriteString(connection, answer)
		connection.Close()
	}
}

// What a server in TLS saw of a request, in one line: the protocol's own way to say it does not count.
func describe(request *nethttp.Request) string {
	line := fmt.Sprintf("%s %s %s %s", request.Proto, request.Method, request.RequestURI, request.Host)
	fields := []string{}
	for name, values := range request.Header {
		for _, value := range values {
			fields = append(fields, fmt.Sprintf(" %s=%s", strings.ToLower(name), value))
		}
	}
	sort.Strings(fields)
	return line + strings.Join(fields, "")
}

func askInTLS(r *row) {
	var lock sync.Mutex
	requests := []string{}
	handler := func(w nethttp.ResponseWriter, request *nethttp.Request) {
		lock.Lock()
		defer lock.Unlock()
		requests = append(requests, describe(request))
		io.WriteString(w, "ok")
	}
	s := httptest.NewUnstartedServer(nethttp.HandlerFunc(handler))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = r.TLS == "h2"
	s.StartTLS()
	port := fmt.Sprint(s.Listener.Addr().(*net.TCPAddr).Port)
	probe(r, port)
	s.Close()
	for i := range requests {
		requests[i] = strings.ReplaceAll(requests[i], port, "PORT")
	}
	r.Requests, r.Says = requests, strings.ReplaceAll(r.Says, port, "PORT")
}

func askPlain(r *row) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{listener: listener, answers: r.Answers, requests: []string{}, ended: make(chan bool)}
	go s.run()
	probe(r, s.port())
	listener.Close()
	<-s.ended
	r.Requests, r.Says = s.requests, strings.ReplaceAll(r.Says, s.port(), "PORT")
}

// The client of pkg/kubelet/kubelet.go; what runs it, in pkg/kubelet/lifecycle, wants a container runtime.
func runHook(r *row, request *nethttp.Request) {
	client := nethttp.Client{
		Transport:     &nethttp.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: http.RedirectChecker(false),
		Timeout:       5 * time.Second,
	}
	response, err := client.Do(request)
	if err != nil {
		r.Result, r.Says = "failure", err.Error()
		return
	}
	response.Body.Close()
	r.Result = "success"
}

func probe(r *row, port string) {
	get := &v1.HTTPGetAction{Path: r.Path, Host: r.Host, Port: intstr.Parse(port)}
	if r.TLS != "" {
		get.Scheme = v1.URISchemeHTTPS
	}
	for _, h := range r.Headers {
		get.HTTPHeaders = append(get.HTTPHeaders, v1.HTTPHeader{Name: h[0], Value: h[1]})
	}
	agent := "probe"
	if r.Hook {
		agent = "lifecycle"
	}
	request, err := http.NewRequestForHTTPGetAction(get, &v1.Container{}, "127.0.0.1", agent)
	if err != nil {
		r.Result, r.Says = "unknown", err.Error()
		return
	}
	if r.Hook {
		runHook(r, request)
		return
	}
	result, output, err := http.New(false).Probe(request, 5*time.Second)
	r.Result, r.Says = string(result), output
	if err != nil {
		r.Says = err.Error()
	}
}

func main() {
	var rows []row
	if err := json.NewDecoder(os.Stdin).Decode(&rows); err != nil {
		panic(err)
	}
	for i := range rows {
		if rows[i].TLS != "" {
			askInTLS(&rows[i])
		} else {
			askPlain(&rows[i])
		}
	}
	fmt.Println("[")
	for i := range rows {
		line := &strings.Builder{}
		encoder := json.NewEncoder(line)
		encoder.SetEscapeHTML(false)
		encoder.Encode(rows[i])
		comma := ","
		if i == len(rows)-1 {
			comma = ""
		}
		fmt.Println(strings.TrimSpace(line.String()) + comma)
	}
	fmt.Println("]")
}
