// Command compose starts what compose.yaml says without a container engine, and uses it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

// Words by which the program starts itself within a network namespace.
const (
	forwardCommand = "--forward"
	getCommand     = "--get"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 5 && os.Args[1] == forwardCommand:
		err = forward(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 3 && os.Args[1] == getCommand:
		err = get(os.Args[2])
	default:
		campaign.Main("compose", run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stopBound is what `stop_grace_period` leaves room for: the node gives up after it.
const stopBound = 10 * time.Second

// run starts the nodes and Prometheus as compose.yaml and the Dockerfile say: the same
// commands, environment, user, volumes and published ports, on root directories that
// can only be read; each in a network namespace of its own on a bridge. A machine
// outside joins through a published port.
func run(ctx context.Context, c *campaign.Campaign) error {
	t, err := newTown()
	if err != nil {
		return err
	}
	defer t.raze()
	s := &story{town: t, c: c}
	c.Table("what has to come true, one after the other", "took", "seen")
	for _, step := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{
		{"build the program, the bridge and the roots", s.build},
		{"the first node is healthy", s.first},
		{"the four others are healthy", s.others},
		{"Prometheus is ready", s.prometheus},
		{"everybody knows everybody", s.meet},
		{"a post on one is watched on the others", s.watch},
		{"and read there", s.read},
		{"a node outside joins by a published port", s.outside},
		{"Prometheus scrapes all, and no page is due", s.scraped},
		{"SIGTERM ends each", s.stop},
	} {
		began := time.Now()
		seen, err := step.do(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		c.Row(step.name, time.Since(began), seen)
	}
	return nil
}

// A story is one network and what has been seen of it.
type story struct {
	*town

	c       *campaign.Campaign
	image   image
	nodes   []*box // one to five
	watcher *box   // Prometheus
	far     *box
}

var names = []string{"one", "two", "three", "four", "five"}

func (s *story) build(ctx context.Context) (string, error) {
	var err error
	if s.image, err = readImage("Dockerfile"); err != nil {
		return "", err
	}
	file, err := readComposition("compose.yaml", map[string]string{"STARLING_HOST": hostAddr})
	if err != nil {
		return "", err
	}
	program := filepath.Join(s.dir, "starling")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/starling")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	if err := s.town.build(ctx); err != nil {
		return "", err
	}
	known := []string{"127.0.0.1 localhost\n"}
	for i, name := range append(slices.Clone(names), "prometheus") {
		known = append(known, fmt.Sprintf(inside+" %s\n", 11+i, name))
	}
	hosts := strings.Join(known, "")
	for i, name := range names {
		b, err := s.container(name, file.Services[name], fmt.Sprintf(inside, 11+i), program, hosts)
		if err != nil {
			return "", err
		}
		s.nodes = append(s.nodes, b)
	}
	if s.watcher, err = s.observer(file.Services["prometheus"], fmt.Sprintf(inside, 16), hosts); err != nil {
		return "", err
	}
	if s.far, err = s.stranger(program); err != nil {
		return "", err
	}
	for _, b := range append(slices.Clone(s.nodes), s.watcher) {
		if err := s.plug(ctx, b); err != nil {
			return "", err
		}
		if err := s.publish(ctx, b); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d services of %d", len(s.nodes)+1, len(file.Services)), nil
}

// first starts the node that makes the token and leaves word of its addresses.
func (s *story) first(ctx context.Context) (string, error) {
	if err := s.nodes[0].start(); err != nil {
		return "", err
	}
	if err := s.healthy(ctx, s.nodes[0]); err != nil {
		return "", err
	}
	return "exit status 0 of " + strings.Join(s.image.health, " "), s.nodes[0].confined()
}

// others starts those that depend on it.
func (s *story) others(ctx context.Context) (string, error) {
	for _, b := range s.nodes[1:] {
		if err := b.start(); err != nil {
			return "", err
		}
	}
	for _, b := range s.nodes[1:] {
		if err := s.healthy(ctx, b); err != nil {
			return "", err
		}
	}
	return "the same", nil
}

// healthy waits until the health check of the image passes.
func (s *story) healthy(ctx context.Context, b *box) error {
	return until(ctx, func() error {
		select {
		case err := <-b.ended:
			b.ended <- err
			return fatal{fmt.Errorf("%s ended: %w\n%s", b.name, err, b.output.String())}
		default:
		}
		_, err := b.run(ctx, s.image.health...)
		return err
	})
}

// fatal is an error after which waiting is in vain.
type fatal struct{ error }

// until tries something until it works, for a minute at most.
func until(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil || errors.As(err, new(fatal)) {
			return err
		}
		again := time.NewTimer(200 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("not within a minute: %w", err)
		}
	}
}

// meet waits until each node is connected to all others.
func (s *story) meet(ctx context.Context) (string, error) {
	least := len(s.nodes)
	for _, b := range s.nodes {
		err := until(ctx, func() error {
			peers, err := s.peers(ctx, b)
			if err == nil && len(peers) < len(s.nodes)-1 {
				err = fmt.Errorf("%s has %d peers", b.name, len(peers))
			}
			least = min(least, len(peers))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	s.c.Figure("nodes", len(s.nodes))
	return fmt.Sprintf("%d peers each", len(s.nodes)-1), nil
}

type peer struct {
	ID   string `json:"peer_id"`
	Addr string `json:"addr"`
}

func (s *story) peers(ctx context.Context, b *box) ([]peer, error) {
	out, err := b.run(ctx, "/starling", "peers", "--json")
	if err != nil {
		return nil, err
	}
	return objects[peer](out)
}

// objects are those of JSON lines.
func objects[T any](out string) (all []T, err error) {
	for line := range strings.Lines(out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return nil, fmt.Errorf("%.200q: %w", line, err)
		}
		all = append(all, v)
	}
	return all, nil
}

type seen struct {
	Text string `json:"text"`
	Live bool   `json:"live"`
}

const (
	early = "There is somebody here, #compose"
	late  = "And this just in, #compose"
)

// watch has the others watch a hashtag, and says something on the first node once all
// of them have seen what was there.
func (s *story) watch(ctx context.Context) (string, error) {
	if _, err := s.nodes[0].run(ctx, "/starling", "post", early); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var began, all sync.WaitGroup
	live := make([]bool, len(s.nodes))
	errs := make([]error, len(s.nodes))
	for i, b := range s.nodes[1:] {
		began.Add(1)
		all.Go(func() { live[i], errs[i] = s.hears(ctx, b, sync.OnceFunc(began.Done)) })
	}
	began.Wait()
	posted := time.Now()
	_, err := s.nodes[0].run(ctx, "/starling", "post", late)
	all.Wait()
	n := 0
	for _, yes := range live {
		if yes {
			n++
		}
	}
	s.c.AtLeast("watched_live", float64(n), float64(len(s.nodes)-1))
	return fmt.Sprintf("on %d, %s after it was said", n, time.Since(posted).Round(time.Millisecond)), errors.Join(errors.Join(errs...), err)
}

// hears watches until the late post is seen, and tells whether it came live.
func (s *story) hears(ctx context.Context, b *box, began func()) (live bool, err error) {
	defer began()
	c := b.inside(ctx, "/starling", "watch", "#compose", "--json", "--limit", "2")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return false, err
	}
	for d := json.NewDecoder(out); ; {
		var p seen
		if err := d.Decode(&p); err != nil {
			return live, errors.Join(fmt.Errorf("%s heard: %w", b.name, err), c.Wait())
		}
		began()
		if p.Text == late {
			return p.Live, c.Wait()
		}
	}
}

func (s *story) read(ctx context.Context) (string, error) {
	n := 0
	for _, b := range s.nodes {
		out, err := b.run(ctx, "/starling", "timeline", "#compose", "--json")
		if err != nil {
			return "", err
		}
		posts, err := objects[seen](out)
		if err != nil {
			return "", err
		}
		if len(posts) == 2 && posts[0].Text == late && posts[1].Text == early {
			n++
		}
	}
	s.c.AtLeast("read_whole", float64(n), float64(len(s.nodes)))
	return fmt.Sprintf("both posts, newest first, on %d", n), nil
}
