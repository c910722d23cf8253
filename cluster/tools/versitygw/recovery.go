package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// afterKill removes and puts back what a killed store left in each bucket's .sgwtmp: files that were never
// finished, and uploads that were being completed. VersityGW would leave both for ever, and answer to the
// client that asks again to complete such an upload that this is done.
func afterKill(folder, sidecar string) error {
	unfinished, err := filepath.Glob(filepath.Join(folder, "*", ".sgwtmp", "*"))
	if err != nil {
		return err
	}
	for _, path := range unfinished {
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			report(os.Remove(path))
		}
	}
	for _, root := range []string{folder, sidecar} {
		if root == "" {
			continue
		}
		if err := putBack(filepath.Join(root, "*", ".sgwtmp", "multipart", "*", "*.inprogress")); err != nil {
			return err
		}
	}
	return nil
}

// accountsAfterKill makes the file of accounts one that can be read: VersityGW writes it whole, but not to the
// disk, and its first one not whole. Without accounts the operator makes them again.
func accountsAfterKill(folder string) error {
	temporary, err := filepath.Glob(filepath.Join(folder, "users.json[0-9]*"))
	if err != nil {
		return err
	}
	for _, path := range temporary {
		report(os.Remove(path))
	}
	users := filepath.Join(folder, "users.json")
	if _, err := os.Stat(users); err != nil || isJSON(users) {
		return nil
	}
	fmt.Fprintln(os.Stderr, "versitygw: users.json cannot be read; taking what was there before the last change")
	if isJSON(users + ".backup") {
		return os.Rename(users+".backup", users)
	}
	return os.Rename(users, users+".broken")
}

func isJSON(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Valid(data)
}

// putBack names folders like "<id>.<etag>.inprogress" "<id>" again.
func putBack(pattern string) error {
	uploads, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range uploads {
		id, _, _ := strings.Cut(filepath.Base(path), ".")
		if uploadID.MatchString(id) {
			report(os.Rename(path, filepath.Join(filepath.Dir(path), id)))
		}
	}
	return nil
}

// report says what could not be put right; no single bucket keeps the store from starting.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
	}
}
