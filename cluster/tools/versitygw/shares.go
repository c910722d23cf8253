package main

import (
	"sync"
	"time"
)

// shares gives out a number of places. One client has at most a quarter of them, and of the last quarter only
// those get more who have few: neither one client nor some can take what all need.
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

// await takes a place as soon as there is one.
func (s *shares) await(client string) bool {
	for range waitSeconds * 100 {
		if s.take(client) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func (s *shares) give(client string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.used--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}

func (s *shares) free() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.used == 0
}
