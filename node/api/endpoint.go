package api

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// EndpointFile is the file in a data directory that says where the node that runs
// on it answers. Its owner alone can read it, because it holds the token.
const EndpointFile = "api.json"

// Endpoint is what the file holds.
type Endpoint struct {
	API     string `json:"api"`     // host:port, on loopback
	Token   string `json:"token"`   // hexadecimal
	PID     int    `json:"pid"`     // of the node, for people
	Version string `json:"version"` // of the node
}

// DefaultAddr is where a node answers unless told otherwise, if it is free.
const DefaultAddr = "127.0.0.1:7827"

var (
	// ErrNotLoopback means that others than this machine could call.
	ErrNotLoopback = errors.New("the API serves this machine alone: want 127.0.0.1:PORT, [::1]:PORT or localhost:PORT")
	// ErrNotRunning means that no node runs on the data directory.
	ErrNotRunning = errors.New("no node is running")
)

// Listen listens on a loopback address. Without one it takes [DefaultAddr], or any
// free port when that is taken.
func Listen(addr string) (net.Listener, error) {
	if addr == "" {
		if l, err := net.Listen("tcp", DefaultAddr); err == nil {
			return l, nil
		}
		addr = "127.0.0.1:0"
	}
	if err := CheckAddr(addr); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w; choose another with --api, or port 0 for any free one", err)
	}
	return l, nil
}

// CheckAddr tells whether Listen would take addr, if it is free.
func CheckAddr(addr string) error {
	if addr != "" && !loopback(addr) {
		return fmt.Errorf("%w, not %.80q", ErrNotLoopback, addr)
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// NewToken is 256 random bits.
func NewToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	return hex.EncodeToString(b[:])
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
	if err := json.Unmarshal(b, &e); err != nil || !loopback(e.API) || e.Token == "" {
		return Endpoint{}, fmt.Errorf("find node: %s is damaged: restart the node, which writes it anew", path)
	}
	return e, nil
}
