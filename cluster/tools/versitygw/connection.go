package main

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// What a client sends moves at least so many bytes in each period of idle-timeout: the headers and all of a
	// small body are less, and must be there in one.
	step = 64 << 10
	// A file is sent in pieces, each of which may take the period.
	piece = 1 << 20
)

// counted closes a connection that has no place at once, so that others need not wait behind it.
type counted struct {
	net.Listener
	port   port
	places *shares
	idle   time.Duration
	closed atomic.Bool
}

// Close may be called again, as VersityGW does.
func (c *counted) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.Listener.Close()
}

func (c *counted) Accept() (net.Conn, error) {
	for {
		accepted, err := c.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			// Such as too many open files.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		client, _, _ := net.SplitHostPort(accepted.RemoteAddr().String())
		if c.places.take(client) {
			give := sync.OnceFunc(func() { c.places.give(client) })
			return &connection{
				TCPConn: accepted.(*net.TCPConn), port: c.port, client: client, give: give, idle: c.idle, left: c.idle,
			}, nil
		}
		accepted.Close()
	}
}

// connection ends when its client neither sends nor takes anything for a time. Only waiting for the client
// counts, not the time that the store takes.
type connection struct {
	*net.TCPConn
	port   port
	client string
	give   func()
	idle   time.Duration
	left   time.Duration
	moved  int
	fixed  time.Time
}

// SetReadDeadline is for who waits less long.
func (c *connection) SetReadDeadline(until time.Time) error {
	c.fixed = until
	return nil
}

func (c *connection) Read(data []byte) (int, error) {
	begin := time.Now()
	until := begin.Add(c.left)
	if !c.fixed.IsZero() && c.fixed.Before(until) {
		until = c.fixed
	}
	if err := c.TCPConn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Read(data)
	c.left -= time.Since(begin)
	if c.moved += n; c.moved >= step {
		c.renew()
	}
	return n, err
}

func (c *connection) renew() { c.left, c.moved = c.idle, 0 }

// answering begins a new period for reading too: what comes after an answer is another request.
func (c *connection) answering() error {
	c.renew()
	return c.SetWriteDeadline(time.Now().Add(c.idle))
}

func (c *connection) Write(data []byte) (int, error) {
	if err := c.answering(); err != nil {
		return 0, err
	}
	return c.TCPConn.Write(data)
}

// ReadFrom lets the kernel send a file, in pieces, or copies.
func (c *connection) ReadFrom(source io.Reader) (int64, error) {
	limit := int64(math.MaxInt64)
	limited, ok := source.(*io.LimitedReader)
	if ok {
		source, limit = limited.R, limited.N
	}
	var all int64
	for all < limit {
		if err := c.answering(); err != nil {
			return all, err
		}
		size := min(piece, limit-all)
		n, err := c.TCPConn.ReadFrom(&io.LimitedReader{R: source, N: size})
		if all += n; limited != nil {
			limited.N -= n
		}
		if err != nil || n < size {
			return all, err
		}
	}
	return all, nil
}

func (c *connection) Close() error {
	defer c.give()
	return c.TCPConn.Close()
}
