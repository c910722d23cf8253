package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that is read again when one of them has changed.
type certificate struct {
	file, key string
	lock      sync.Mutex
	changed   [2]time.Time
	loaded    *tls.Certificate
}

// secured is the configuration of TLS, or nil without files.
func secured(file, key string) (*tls.Config, error) {
	if file == "" && key == "" {
		return nil, nil
	}
	if file == "" || key == "" {
		return nil, errors.New("a certificate needs its key, and a key its certificate")
	}
	pair := &certificate{file: file, key: key}
	if _, err := pair.current(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.current}, nil
}

// current keeps the former pair while the new one cannot be read, as when only one file has been replaced.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	changed := [2]time.Time{modified(c.file), modified(c.key)}
	if c.loaded != nil && changed == c.changed {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.file, c.key)
	if err != nil && c.loaded == nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w", err)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "versitygw: the new certificate cannot be used, the former one stays:", err)
	} else {
		c.loaded = &pair
	}
	c.changed = changed
	return c.loaded, nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
