package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Addresses as an engine would give them, and two of the outside world (RFC 5737).
const (
	gateway  = "172.29.87.1"
	inside   = "172.29.87.%d"
	hostAddr = "198.51.100.1" // of the machine that publishes ports
	farAddr  = "198.51.100.2" // of another one
)

// A town is a machine with its bridge and the boxes on it, and one machine outside. All
// of it is in network namespaces, which are gone when it is.
type town struct {
	prefix     string
	dir        string
	self       string // this program
	namespaces []string
	boxes      []*box
	forwarders []*exec.Cmd
}

func newTown() (*town, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("network namespaces are made by root alone")
	}
	dir, err := os.MkdirTemp("", "compose-")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &town{prefix: fmt.Sprintf("sc%d-", os.Getpid()), dir: dir, self: self}, os.Chmod(dir, 0o755)
}

// sh runs commands of iproute2, one in each line.
func (t *town) sh(ctx context.Context, format string, args ...any) error {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if out, err := exec.CommandContext(ctx, fields[0], fields[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.TrimSpace(line), err, out)
		}
	}
	return nil
}

// host is the namespace of the machine itself.
func (t *town) host() string { return t.prefix + "host" }

// build makes the machine with its bridge, and the one outside.
func (t *town) build(ctx context.Context) error {
	host, far := t.host(), t.prefix+"far"
	t.namespaces = append(t.namespaces, host, far)
	return t.sh(ctx, `ip netns add %[1]s
ip netns add %[2]s
ip -n %[1]s link set lo up
ip -n %[2]s link set lo up
ip -n %[1]s link add bridge type bridge
ip -n %[1]s addr add %[3]s/24 dev bridge
ip -n %[1]s link set bridge up
ip -n %[1]s link add out type veth peer name eth0 netns %[2]s
ip -n %[1]s addr add %[4]s/24 dev out
ip -n %[1]s link set out up
ip -n %[2]s addr add %[5]s/24 dev eth0
ip -n %[2]s link set eth0 up`, host, far, gateway, hostAddr, farAddr)
}

// plug gives a box its namespace on the bridge.
func (t *town) plug(ctx context.Context, b *box) error {
	b.namespace = t.prefix + b.name
	t.namespaces = append(t.namespaces, b.namespace)
	return t.sh(ctx, `ip netns add %[2]s
ip -n %[2]s link set lo up
ip -n %[1]s link add %[3]s type veth peer name eth0 netns %[2]s
ip -n %[1]s link set %[3]s master bridge
ip -n %[1]s link set %[3]s up
ip -n %[2]s addr add %[4]s/24 dev eth0
ip -n %[2]s link set eth0 up
ip -n %[2]s route add default via %[5]s`, t.host(), b.namespace, "v-"+b.name, b.address, gateway)
}

// publish forwards the ports of a box from the machine, as an engine's proxy does.
func (t *town) publish(ctx context.Context, b *box) error {
	for _, p := range b.ports {
		outside, to, err := parsePort(p)
		if err != nil {
			return fmt.Errorf("%s: port %s: %w", b.name, p, err)
		}
		if strings.HasPrefix(outside, "127.0.0.1:") {
			continue // for people at the machine
		}
		port, network, _ := strings.Cut(to, "/")
		c := exec.CommandContext(ctx, "ip", "netns", "exec", t.host(), t.self, forwardCommand, network, outside, b.address+":"+port)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return fmt.Errorf("forward %s: %w", p, err)
		}
		t.forwarders = append(t.forwarders, c)
	}
	return nil
}

// parsePort reads OUTSIDE:INSIDE/NETWORK.
func parsePort(p string) (outside, to string, err error) {
	i := strings.LastIndex(p, ":")
	if i < 0 || !strings.Contains(p, "/") {
		return "", "", errors.New("want OUTSIDE:INSIDE/tcp or /udp")
	}
	outside = p[:i]
	if !strings.Contains(outside, ":") {
		outside = ":" + outside
	}
	return outside, p[i+1:], nil
}

// get asks for a page from within a namespace.
func (t *town) get(ctx context.Context, namespace, url string) ([]byte, error) {
	c := exec.CommandContext(ctx, "ip", "netns", "exec", namespace, t.self, getCommand, url)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("get %s: %w: %s", url, err, out)
	}
	return out, nil
}

// get is the other side of it.
func get(url string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	_, err = io.Copy(os.Stdout, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// raze ends everything that is left.
func (t *town) raze() {
	for _, b := range t.boxes {
		b.kill()
	}
	for _, f := range t.forwarders {
		_ = f.Process.Signal(syscall.SIGKILL) // it may have ended
		_ = f.Wait()
	}
	for _, n := range t.namespaces {
		_ = exec.CommandContext(context.Background(), "ip", "netns", "del", n).Run() // some may not have been made
	}
	_ = os.RemoveAll(t.dir) // mounts on it were in namespaces that are gone
}

// volume is the directory of a named volume.
func (t *town) volume(name string) string { return filepath.Join(t.dir, "volumes", name) }

// A lockedBuffer is what a process wrote so far.
type lockedBuffer struct {
	mu sync.Mutex // protects b
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
