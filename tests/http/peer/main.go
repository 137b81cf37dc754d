// Go's net/http as a peer of lib/http: `http-peer client URL CA [CERT KEY]` makes requests of the test server and prints what came of
// them, a line each; `http-peer hammer URL CA` asks until the server is gone; `http-peer server CERT KEY` serves both protocols and prints its port.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

func must(err error) {
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func newClient(args []string) *http.Client {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(args[0])
	must(err)
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool}
	if len(args) > 2 {
		pair, err := tls.LoadX509KeyPair(args[1], args[2])
		must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: os.Getenv("HTTP1") == ""}}
}

func do(client *http.Client, method, url string, body io.Reader, change func(*http.Request)) (*http.Response, []byte) {
	request, err := http.NewRequest(method, url, body)
	must(err)
	if change != nil {
		change(request)
	}
	response, err := client.Do(request)
	must(err)
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	must(err)
	return response, all
}

func runClient(url string, args []string) {
	client := newClient(args)
	r, body := do(client, "GET", url+"/hello", nil, nil)
	fmt.Println("hello", r.StatusCode, r.Proto, strings.TrimSpace(string(body)))
	r, body = do(client, "HEAD", url+"/hello", nil, nil)
	fmt.Println("head", r.StatusCode, r.ContentLength, len(body))
	big := bytes.Repeat([]byte("0123456789"), 100000)
	_, body = do(client, "POST", url+"/echo", bytes.NewReader(big), nil)
	fmt.Println("echo", bytes.Equal(body, big))
	_, body = do(client, "POST", url+"/echo", bytes.NewReader(big), func(q *http.Request) { q.Header.Set("Expect", "100-continue") })
	fmt.Println("continue", bytes.Equal(body, big))
	_, body = do(client, "POST", url+"/count", io.LimitReader(zeros{}, 20<<20), func(q *http.Request) {
		q.ContentLength = -1
		q.Trailer = http.Header{"X-Sum": {"7"}}
	})
	fmt.Println("upload", string(body))
	r, body = do(client, "GET", url+"/stream", nil, nil)
	fmt.Println("stream", len(body), r.Trailer.Get("X-Sum"))
	r, body = do(client, "GET", url+"/list", nil, nil)
	fmt.Println("list", r.Uncompressed, len(body) > 14<<20)
	r, _ = do(client, "POST", url+"/echo", io.LimitReader(zeros{}, 3<<20+1), nil)
	fmt.Println("too large", r.StatusCode)
	r, body = do(client, "GET", url+"/peer", nil, nil)
	fmt.Println("peer", string(body))
	var wait sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for i := 0; i < 200; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if r, body := do(client, "POST", url+"/echo", strings.NewReader("many"), nil); r.StatusCode == 200 && string(body) == "many" {
				lock.Lock()
				good++
				lock.Unlock()
			}
		}()
	}
	wait.Wait()
	fmt.Println("many", good)
}

// Asks until nobody listens any more; of requests that were sent none may be lost.
func hammer(url string, args []string) {
	client := newClient(args)
	var wait sync.WaitGroup
	var good, lost atomic.Int64
	for i := 0; i < 16; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				response, err := client.Get(url + "/hello")
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err != nil {
					fmt.Println(err)
					lost.Add(1)
					continue
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				good.Add(1)
			}
		}()
	}
	wait.Wait()
	fmt.Println("lost", lost.Load(), good.Load() > 1000)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func serve(args []string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.Proto) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.LimitReader(zeros{}, 20<<20)) })
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
	})
	mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	must((&http.Server{Handler: mux}).ServeTLS(listener, args[0], args[1]))
}

func main() {
	if os.Args[1] == "client" {
		runClient(os.Args[2], os.Args[3:])
	} else if os.Args[1] == "hammer" {
		hammer(os.Args[2], os.Args[3:])
	} else {
		serve(os.Args[2:])
	}
}
