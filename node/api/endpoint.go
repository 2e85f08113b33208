package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/starling-social/starling/node"
)

// EndpointFile is the file in a data directory that says where the node that runs
// on it answers. Its owner alone can read it, because it holds the token.
const EndpointFile = "api.json"

// Endpoint is what the file holds.
type Endpoint struct {
	API     string `json:"api"`     // host:port, on this machine
	Token   string `json:"token"`   // see [NewToken] and [TokenFile]
	PID     int    `json:"pid"`     // of the node, for people
	Version string `json:"version"` // of the node
}

// ErrNotRunning means that no node runs on the data directory.
var ErrNotRunning = errors.New("no node is running")

// EndpointOf says how programs of this machine reach the node of this process, which
// listens at an address.
func EndpointOf(a net.Addr, token string) Endpoint {
	addr := a.String()
	if at, err := netip.ParseAddrPort(addr); err == nil && at.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return Endpoint{API: addr, Token: token, PID: os.Getpid(), Version: node.Version}
}

// Write puts the endpoint into a data directory, whole or not at all.
func (e Endpoint) Write(dir string) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode endpoint: %w", err)
	}
	f, err := os.CreateTemp(dir, ".api-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, EndpointFile))
	}
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	return nil
}

// Remove takes the endpoint out of a data directory, unless another node's has
// taken its place.
func (e Endpoint) Remove(dir string) error {
	if now, err := ReadEndpoint(dir); err != nil || now != e {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, EndpointFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove endpoint: %w", err)
	}
	return nil
}

const maxEndpoint = 4 << 10 // bytes

// ReadEndpoint says where the node on a data directory answers, [ErrNotRunning]
// when there is no word of it.
func ReadEndpoint(dir string) (Endpoint, error) {
	path := filepath.Join(dir, EndpointFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, fmt.Errorf("%w on %s: start one with 'starling run', or say where it is with --data", ErrNotRunning, dir)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("find node: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxEndpoint))
	if err != nil {
		return Endpoint{}, fmt.Errorf("find node: %w", err)
	}
	var e Endpoint
	if err := json.Unmarshal(b, &e); err != nil || !here(e.API) || e.Token == "" {
		return Endpoint{}, fmt.Errorf("find node: %s is damaged: restart the node, which writes it anew", path)
	}
	return e, nil
}

// here tells whether an address is of this machine.
func here(addr string) bool {
	if loopback(addr) {
		return true
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return false
	}
	ours, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(ours, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == at.Addr()
	})
}
