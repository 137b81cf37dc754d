// kubelet's own HTTP prober, asked once for each row on standard input: what it sends, and what it makes of the answers.
// Rows and results are those of tests/unit/probes/kubelet_probes.json.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/probe/http"
)

type row struct {
	Path     string      `json:"path"`
	Host     string      `json:"host,omitempty"`
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

func ask(r *row) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &server{listener: listener, answers: r.Answers, requests: []string{}, ended: make(chan bool)}
	go s.run()
	get := &v1.HTTPGetAction{Path: r.Path, Host: r.Host, Port: intstr.Parse(s.port())}
	for _, h := range r.Headers {
		get.HTTPHeaders = append(get.HTTPHeaders, v1.HTTPHeader{Name: h[0], Value: h[1]})
	}
	request, err := http.NewRequestForHTTPGetAction(get, &v1.Container{}, "127.0.0.1", "probe")
	if err != nil {
		r.Result, r.Says = "unknown", err.Error()
	} else {
		result, output, err := http.New(false).Probe(request, 5*time.Second)
		r.Result, r.Says = string(result), output
		if err != nil {
			r.Says = err.Error()
		}
	}
	listener.Close()
	<-s.ended
	r.Requests, r.Says = s.requests, strings.ReplaceAll(r.Says, s.port(), "PORT")
}

func main() {
	var rows []row
	if err := json.NewDecoder(os.Stdin).Decode(&rows); err != nil {
		panic(err)
	}
	for i := range rows {
		ask(&rows[i])
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
