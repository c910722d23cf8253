package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/versity/versitygw/embedgw"
)

// What is no upload of data has a body of at most so many bytes: "complete upload" with 10,000 parts has about
// 2 MiB, "delete objects" with 1,000 keys of 1,024 bytes about 1 MiB. The admin API's are single accounts.
const (
	bodyBytes      = 4 << 20
	adminBodyBytes = 64 << 10
	headerBytes    = 16 << 10
)

// Requests in flight have so long to end when the program is stopped.
const grace = 10 * time.Second

// limits bound what clients use of the program; main.go names the flags.
type limits struct {
	idle        time.Duration
	connections int
	requests    int
}

// fronts listen where clients connect, and pass requests on to VersityGW, which listens on sockets of a folder
// that only this program enters. VersityGW itself has no time-outs, and reads whole bodies into memory.
type fronts struct {
	folder string
	all    []*front
}

// front serves one port.
type front struct {
	server    *http.Server
	listener  net.Listener
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	health    string
	idle      time.Duration
	uploads   bool
	body      int64
	requests  *shares
	buffered  *shares
}

// newFronts listens on the ports of the configuration, and gives it sockets and no certificates instead.
func newFronts(config *embedgw.Config, bounds limits) (*fronts, error) {
	folder, err := os.MkdirTemp("", "versitygw-")
	if err != nil {
		return nil, fmt.Errorf("a folder for sockets is needed: %w", err)
	}
	made := &fronts{folder: folder}
	s3, err := made.add(config, bounds, "s3", config.Ports, config.CertFile, config.KeyFile)
	if err != nil {
		return nil, errors.Join(err, made.end())
	}
	s3.uploads, s3.body = true, bodyBytes
	config.Ports, config.CertFile, config.KeyFile = s3.sockets(), "", ""
	if len(config.AdminPorts) > 0 {
		admin, err := made.add(config, bounds, "admin", config.AdminPorts, config.AdminCertFile, config.AdminKeyFile)
		if err != nil {
			return nil, errors.Join(err, made.end())
		}
		config.AdminPorts, config.AdminCertFile, config.AdminKeyFile = admin.sockets(), "", ""
	}
	return made, nil
}

func (f *front) sockets() []string { return []string{f.server.Addr} }

// add makes the front of one port.
func (fs *fronts) add(
	config *embedgw.Config, bounds limits, name string, ports []string, certificate, key string,
) (*front, error) {
	socket := filepath.Join(fs.folder, name)
	secure, err := secured(certificate, key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", ports[0])
	if err != nil {
		return nil, err
	}
	f := &front{
		listener: &counted{listener, newShares(bounds.connections)}, health: config.HealthPath,
		idle: bounds.idle, body: adminBodyBytes,
		requests: newShares(bounds.requests), buffered: newShares(bufferedBodies),
	}
	f.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			made, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
			return &gateway{made}, err
		},
		MaxIdleConnsPerHost: bounds.requests, DisableCompression: true, IdleConnTimeout: 2 * bounds.idle,
	}
	quiet := io.Writer(os.Stderr)
	if config.Quiet {
		quiet = io.Discard
	}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: f.transport, BufferPool: new(buffers),
		ErrorHandler: failed, ErrorLog: log.New(quiet, "", 0),
	}
	f.server = &http.Server{
		Addr: socket, Handler: f, TLSConfig: secure, ErrorLog: log.New(quiet, "", 0),
		ReadHeaderTimeout: min(10*time.Second, bounds.idle), IdleTimeout: 2 * bounds.idle,
		MaxHeaderBytes: headerBytes, Protocols: new(http.Protocols),
	}
	// A connection of HTTP/2 would be many requests, which no limit here counts.
	f.server.Protocols.SetHTTP1(true)
	f.server.SetKeepAlivesEnabled(config.KeepAlive)
	fs.all = append(fs.all, f)
	return f, nil
}

// serve returns when one of the ports cannot be served any more, or all are shut down.
func (fs *fronts) serve() error {
	ended := make(chan error, len(fs.all))
	for _, f := range fs.all {
		listener := f.listener
		if f.server.TLSConfig != nil {
			listener = tls.NewListener(listener, f.server.TLSConfig)
		}
		go func() { ended <- f.server.Serve(listener) }()
	}
	return <-ended
}

// end lets the requests in flight end.
func (fs *fronts) end() error {
	ctx, stop := context.WithTimeout(context.Background(), grace)
	defer stop()
	var all sync.WaitGroup
	for _, f := range fs.all {
		all.Go(func() {
			if f.server.Shutdown(ctx) != nil {
				f.server.Close()
			}
			f.listener.Close()
			f.transport.CloseIdleConnections()
		})
	}
	all.Wait()
	return os.RemoveAll(fs.folder)
}

// rewrite passes on what is signed as it came: path, query and host byte for byte, and all headers but those
// that are about the connection.
func rewrite(request *httputil.ProxyRequest) {
	out, in := request.Out, request.In
	path, _, _ := strings.Cut(in.RequestURI, "?")
	out.URL.Scheme, out.URL.Host, out.URL.Opaque = "http", "store", path
	out.URL.RawQuery, out.URL.ForceQuery = in.URL.RawQuery, in.URL.ForceQuery
	out.Trailer = nil
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := in.Header[name]; ok {
			out.Header[name] = values
		}
	}
}

// ServeHTTP passes one request on, if it is within the limits.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &answer{ResponseWriter: w, connection: http.NewResponseController(w), idle: f.idle}
	answer.extend()
	if !valid(r) {
		refuse(w, r, http.StatusBadRequest, "InvalidURI", "The path cannot be read.")
		return
	}
	upload := f.uploads && isUpload(r)
	if !upload && r.ContentLength > f.body {
		tooLarge(w, r)
		return
	}
	if r.URL.Path != f.health || r.Method != http.MethodGet {
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		if !f.requests.take(client) {
			slowDown(w, r)
			return
		}
		defer f.requests.give(client)
		if !upload && (r.ContentLength < 0 || r.ContentLength > smallBody) {
			if !f.buffered.take(client) {
				slowDown(w, r)
				return
			}
			defer f.buffered.give(client)
		}
	}
	if r.Body != http.NoBody {
		if !upload {
			r.Body = http.MaxBytesReader(w, r.Body, f.body)
		}
		r.Body = newArriving(r.Body, answer, upload)
	}
	f.proxy.ServeHTTP(answer, r)
}

// gateway is a connection to VersityGW, which may answer and close before it has the whole body. What is
// written after that is dropped, so that the answer is read.
type gateway struct{ net.Conn }

func (g *gateway) Write(data []byte) (int, error) {
	written, err := g.Conn.Write(data)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(data), nil
	}
	return written, err
}

// failed answers when a request could not be passed on to its end.
func failed(w http.ResponseWriter, r *http.Request, err error) {
	if body := w.(*answer).broken.Load(); body != nil {
		err = *body
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		tooLarge(w, r)
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, r, http.StatusBadRequest, "RequestTimeout", "The body did not arrive in time.")
	default:
		refuse(w, r, http.StatusServiceUnavailable, "ServiceUnavailable", "The store is not ready. Try again.")
	}
}
