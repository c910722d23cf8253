package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	startSeconds = 60
	// Requests in flight have so long to end when the program is stopped; then VersityGW breaks them off.
	graceSeconds = 10
)

// front listens where clients connect, and gives their connections and requests limits (connection.go,
// request.go), which VersityGW has no settings for. A proxy before it would halve what the store can do, so its
// HTTP server is used: VersityGW listens on a socket that only this program reaches, a first request finds the
// server there, and the server is given the front's listeners.
type front struct {
	listeners []net.Listener
	idle      time.Duration
	separate  bool
	requests  *shares
	bodies    *bodies
	server    *fasthttp.Server
	found     chan struct{}
	once      sync.Once
	stopping  atomic.Bool
}

// port is what is served at an address.
type port struct {
	admin bool
	body  int
}

// newFront listens at the addresses of the configuration, and takes them and the certificates out of it.
func newFront(config *embedgw.Config, bounds limits) (*front, error) {
	bodies, err := newBodies(config)
	if err != nil {
		return nil, err
	}
	f := &front{
		idle: bounds.idle, separate: len(config.AdminPorts) > 0, found: make(chan struct{}),
		requests: newShares(bounds.requests), bodies: bodies,
	}
	err = f.listen(port{body: bodyBytes}, config.Ports[0], config.CertFile, config.KeyFile, bounds)
	if err == nil && f.separate {
		admin := port{admin: true, body: adminBodyBytes}
		err = f.listen(admin, config.AdminPorts[0], config.AdminCertFile, config.AdminKeyFile, bounds)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	config.AdminPorts = nil
	config.CertFile, config.KeyFile, config.AdminCertFile, config.AdminKeyFile = "", "", "", ""
	config.S3Options = append(config.S3Options, s3api.WithMiddleware("/", f.admit))
	return f, nil
}

func (f *front) listen(where port, address, certificate, key string, bounds limits) error {
	secure, err := secured(certificate, key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	listener = &counted{Listener: listener, port: where, places: newShares(bounds.connections), idle: bounds.idle}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	f.listeners = append(f.listeners, listener)
	return nil
}

func (f *front) close() {
	for _, listener := range f.listeners {
		listener.Close()
	}
}

// run serves until the context ends, or VersityGW or one of the listeners does.
func (f *front) run(ctx context.Context, files backend.Backend, config *embedgw.Config) error {
	defer f.close()
	folder, err := os.MkdirTemp("", "versitygw-")
	if err != nil {
		return fmt.Errorf("a folder for a socket is needed: %w", err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "s")
	config.Ports = []string{socket}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	gateway := make(chan error, 1)
	go func() { gateway <- embedgw.RunVersityGW(running, files, config) }()
	if err := f.find(socket, gateway); err != nil {
		return err
	}
	// Nobody else can connect there any more, and a kill leaves nothing.
	os.RemoveAll(folder)
	ended := make(chan error, len(f.listeners))
	for _, listener := range f.listeners {
		go func() { ended <- f.server.Serve(listener) }()
	}
	select {
	case err := <-gateway:
		return err
	case err = <-ended:
	case <-ctx.Done():
		f.finish()
	}
	stop()
	return errors.Join(err, <-gateway)
}

// finish takes no more connections and requests, and lets those in flight end.
func (f *front) finish() {
	f.stopping.Store(true)
	f.close()
	for range graceSeconds * 100 {
		if f.requests.free() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// find sends the first request, which admit takes the server from.
func (f *front) find(socket string, gateway <-chan error) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	for range startSeconds * 100 {
		if answer, err := client.Get("http://store/"); err == nil {
			answer.Body.Close()
		}
		select {
		case <-f.found:
			return nil
		case err := <-gateway:
			return errors.Join(err, errors.New("VersityGW ended when it was started"))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("VersityGW does not answer")
}

// take keeps VersityGW's server, while no other request is there.
func (f *front) take(app *fiber.App) {
	f.once.Do(func() {
		f.server = app.Server()
		// Else it reads whatever says that it is a form, into memory and files, before anybody asks for it.
		f.server.DisablePreParseMultipartForm = true
		close(f.found)
	})
}
