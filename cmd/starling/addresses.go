package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starling-social/starling/node"
)

// fileMark is what a bootstrap begins with that names a file of them.
const fileMark = "@"

// maxAddresses bounds a file of addresses, in bytes.
const maxAddresses = 64 << 10

// bootstraps are the addresses to join by, with those that stand in files.
func (s *settings) bootstraps() (all []string, err error) {
	for _, b := range s.Network.Bootstrap {
		path, inFile := strings.CutPrefix(b, fileMark)
		if !inFile {
			all = append(all, b)
			continue
		}
		more, err := readAddresses(path)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// readAddresses reads what writeAddresses wrote, or a person.
func readAddresses(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxAddresses))
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no address in %s", path)
	}
	return all, nil
}

// writeAddresses leaves word of how to reach the node, for others to join by; whole or
// not at all, so that nobody reads half of it.
func writeAddresses(path string, n *node.Node) error {
	addrs := n.Addrs()
	far := slices.DeleteFunc(slices.Clone(addrs), func(a string) bool {
		return strings.HasPrefix(a, "/ip4/127.") || strings.HasPrefix(a, "/ip6/::1/")
	})
	if len(far) == 0 {
		far = addrs
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".addresses-*")
	if err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	_, err = f.WriteString(strings.Join(far, "\n") + "\n")
	if err == nil {
		err = f.Chmod(0o644) // they are no secret
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write addresses: %w", err)
	}
	return nil
}
