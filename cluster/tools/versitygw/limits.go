package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// VersityGW holds a body that is no upload several times: whole, and decoded. So many may be held at once;
	// those of a few KiB are not counted, since requests are.
	bufferedBodies = 16
	smallBody      = 64 << 10
	// An upload moves at least so many bytes in each period of idle-timeout.
	uploadStep = 64 << 10
	copyBytes  = 64 << 10
)

// shares gives out a number of places. One client has at most a quarter of them, and of the last quarter only
// those get more who have few: no client, and no few of them, can take what all need.
type shares struct {
	most int
	lock sync.Mutex
	used int
	by   map[string]int
}

func newShares(most int) *shares { return &shares{most: most, by: map[string]int{}} }

func (s *shares) take(client string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	each := max(1, s.most/4)
	if s.used >= s.most-s.most/4 {
		each = max(1, s.most/64)
	}
	if s.used >= s.most || s.by[client] >= each {
		return false
	}
	s.used++
	s.by[client]++
	return true
}

func (s *shares) give(client string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.used--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}

// counted closes a connection that has no place at once, so that others need not wait behind it.
type counted struct {
	net.Listener
	places *shares
}

func (c *counted) Accept() (net.Conn, error) {
	for {
		accepted, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client, _, _ := net.SplitHostPort(accepted.RemoteAddr().String())
		if c.places.take(client) {
			give := sync.OnceFunc(func() { c.places.give(client) })
			return &connection{accepted.(*net.TCPConn), give}, nil
		}
		accepted.Close()
	}
}

type connection struct {
	*net.TCPConn
	give func()
}

func (c *connection) Close() error {
	defer c.give()
	return c.TCPConn.Close()
}

// valid says whether the path is one that a name can have; net/http has refused broken escapes.
func valid(r *http.Request) bool {
	return strings.HasPrefix(r.RequestURI, "/") && !strings.HasPrefix(r.RequestURI, "//") &&
		!strings.ContainsAny(r.RequestURI, "#") && !strings.ContainsRune(r.URL.Path, 0)
}

// isUpload says whether the body is an object's or a part's data, which VersityGW writes to a file as it comes.
// It holds all other bodies in memory: of a copy, of what the query asks for instead, and of a form (whose
// fields it holds, and of any request that says it is one, before it knows who sends it).
func isUpload(r *http.Request) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method != http.MethodPut || strings.Trim(key, "/") == "" || r.Header.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	for _, kind := range r.Header.Values("Content-Type") {
		if strings.HasPrefix(strings.ToLower(kind), "multipart/form-data") {
			return false
		}
	}
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		switch {
		case name == "", name == "partnumber", name == "uploadid", name == "x-id", strings.HasPrefix(name, "x-amz-"):
		default:
			return false
		}
	}
	return true
}

// answer gives each piece of an answer the period of idle-timeout to be taken by the client.
type answer struct {
	http.ResponseWriter
	connection *http.ResponseController
	idle       time.Duration
	// Why the body ended early. The proxy may see no more than a request that was cancelled.
	broken atomic.Pointer[error]
}

func (a *answer) extend() { a.connection.SetWriteDeadline(time.Now().Add(a.idle)) }

func (a *answer) WriteHeader(status int) {
	// net/http says "continue" itself when the body is read for the first time.
	if status != http.StatusContinue {
		if tag, ok := a.Header()["Etag"]; ok {
			// S3 writes it so, and some clients read it so only.
			delete(a.Header(), "Etag")
			a.Header()["ETag"] = tag
		}
		a.extend()
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(data []byte) (int, error) {
	a.extend()
	return a.ResponseWriter.Write(data)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// arriving is a body whose client must go on sending: an upload in steps, anything else as a whole.
type arriving struct {
	io.ReadCloser
	to     *answer
	upload bool
	moved  int
}

func newArriving(body io.ReadCloser, to *answer, upload bool) *arriving {
	to.connection.SetReadDeadline(time.Now().Add(to.idle))
	return &arriving{body, to, upload, 0}
}

func (b *arriving) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	b.moved += n
	if err != nil && err != io.EOF {
		b.to.broken.Store(&err)
	}
	if err == io.EOF {
		// From here on net/http waits for the next request, and takes a deadline for the client's end.
		b.to.connection.SetReadDeadline(time.Time{})
	} else if b.upload && b.moved >= uploadStep {
		b.moved = 0
		b.to.connection.SetReadDeadline(time.Now().Add(b.to.idle))
	}
	return n, err
}

func tooLarge(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	refuse(w, r, http.StatusBadRequest, "EntityTooLarge",
		"The body is too large: only uploads of an object or a part by PUT may be larger.")
}

func slowDown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "1")
	refuse(w, r, http.StatusServiceUnavailable, "SlowDown", "There are too many requests. Try again.")
}

// refuse answers as S3 does. No text is from the request.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	const form = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>%s</Code><Message>%s</Message></Error>"
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, form, code, message)
	}
}

// buffers keeps the buffers of answers that pass through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[copyBytes]byte); ok {
		return kept[:]
	}
	return make([]byte, copyBytes)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[copyBytes]byte)(buffer)) }
