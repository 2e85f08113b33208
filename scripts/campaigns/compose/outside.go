package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// container makes the box of a node.
func (s *story) container(name string, v service, address, program, hosts string) (*box, error) {
	b := &box{name: name, address: address, root: filepath.Join(s.dir, "roots", name), user: s.image.user, ports: v.Ports}
	b.command = append(slices.Clone(s.image.entrypoint), s.image.command...)
	b.env = slices.Clone(s.image.env)
	for _, key := range slices.Sorted(maps.Keys(v.Environment)) {
		b.env = append(b.env, key+"="+v.Environment[key])
	}
	if !v.ReadOnly {
		return nil, fmt.Errorf("%s: its root can be written to", name)
	}
	if err := scratch(b.root, program, hosts, s.image.folders); err != nil {
		return nil, err
	}
	s.boxes = append(s.boxes, b)
	return b, s.furnish(b, v.Volumes)
}

// furnish mounts volumes; those that have a name are made for the image's user, as an
// engine copies the folder that they cover.
func (s *story) furnish(b *box, volumes []string) error {
	for _, v := range volumes {
		parts := strings.Split(v, ":")
		m := mount{from: s.volume(parts[0]), to: parts[1], readOnly: len(parts) > 2 && parts[2] == "ro"}
		var err error
		if strings.HasPrefix(parts[0], ".") {
			m.from, err = filepath.Abs(parts[0])
		} else if _, serr := os.Stat(m.from); serr != nil {
			err = errors.Join(os.MkdirAll(m.from, 0o700), os.Chown(m.from, 65532, 65532))
		}
		if err != nil {
			return err
		}
		b.mounts = append(b.mounts, m)
	}
	return nil
}

// observer makes the box of Prometheus: the program of this system in the place of the
// image's.
func (s *story) observer(v service, address, hosts string) (*box, error) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, fmt.Errorf("%w: install Debian's package prometheus", err)
	}
	b := &box{name: "prometheus", address: address, root: filepath.Join(s.dir, "roots", "prometheus"), user: v.User}
	b.command = append([]string{program}, v.Command...)
	folders := []string{"/usr", "/lib", "/lib64", "/etc/prometheus", "/prometheus", "/shared"}
	if err := scratch(b.root, "", hosts, folders); err != nil {
		return nil, err
	}
	s.boxes = append(s.boxes, b)
	for _, system := range []string{"/usr", "/lib", "/lib64"} {
		b.mounts = append(b.mounts, mount{system, system, true})
	}
	if err := s.furnish(b, v.Volumes); err != nil {
		return nil, err
	}
	for _, v := range v.Tmpfs {
		path, _, _ := strings.Cut(v, ":")
		if err := s.furnish(b, []string{"tmpfs" + strings.ReplaceAll(path, "/", "-") + ":" + path}); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// stranger makes a machine that knows nothing of the bridge.
func (s *story) stranger(program string) (*box, error) {
	b := &box{name: "far", namespace: s.prefix + "far", address: farAddr, root: filepath.Join(s.dir, "roots", "far"), user: s.image.user}
	b.env = []string{"STARLING_DATA=/data"}
	if err := scratch(b.root, program, "127.0.0.1 localhost\n", []string{"/data"}); err != nil {
		return nil, err
	}
	s.boxes = append(s.boxes, b)
	return b, s.furnish(b, []string{"far:/data"})
}

// outside joins from there, by the one address that a person would be told.
func (s *story) outside(ctx context.Context) (string, error) {
	out, err := s.nodes[0].run(ctx, "/starling", "id", "--json")
	if err != nil {
		return "", err
	}
	ids, err := objects[peer](out)
	if err != nil {
		return "", err
	}
	s.far.command = []string{
		"/starling", "run", "--network", "compose", "--profile", "local",
		"--bootstrap", fmt.Sprintf("/ip4/%s/tcp/4101/p2p/%s", hostAddr, ids[0].ID),
	}
	if err := s.far.start(); err != nil {
		return "", err
	}
	if err := s.healthy(ctx, s.far); err != nil {
		return "", err
	}
	ports := map[string]bool{}
	err = until(ctx, func() error {
		peers, err := s.peers(ctx, s.far)
		if err != nil {
			return err
		}
		for _, p := range peers {
			if parts := strings.Split(p.Addr, "/"); len(parts) > 4 && parts[2] == hostAddr {
				ports[parts[4]] = true
			}
		}
		if len(peers) < len(s.nodes) {
			return fmt.Errorf("it has %d peers: %v", len(peers), peers)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	s.c.AtLeast("reached_by_announced_ports", float64(len(ports)), float64(len(s.nodes)))
	out, err = s.far.run(ctx, "/starling", "timeline", "#compose", "--json")
	if err != nil {
		return "", err
	}
	posts, err := objects[seen](out)
	s.c.AtLeast("posts_read_outside", float64(len(posts)), 2)
	return fmt.Sprintf("by ports %s; reads %d posts", strings.Join(slices.Sorted(maps.Keys(ports)), " "), len(posts)), err
}

func (s *story) prometheus(ctx context.Context) (string, error) {
	if err := s.watcher.start(); err != nil {
		return "", err
	}
	return "by its own word", until(ctx, func() error {
		_, err := s.get(ctx, s.watcher.namespace, "http://127.0.0.1:9090/-/ready")
		return err
	})
}

// scraped waits until Prometheus has scraped every node twice, and asks it about rules
// and alerts.
func (s *story) scraped(ctx context.Context) (string, error) {
	ask := func(path string, into any) error {
		b, err := s.get(ctx, s.watcher.namespace, "http://127.0.0.1:9090/api/v1/"+path)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, into)
	}
	var up, ready struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	err := until(ctx, func() error {
		err := ask("query?query="+`count(count_over_time(starling_ready[1m])>=2)`, &up)
		if err == nil && (len(up.Data.Result) == 0 || up.Data.Result[0].Value[1] != fmt.Sprint(len(s.nodes))) {
			err = fmt.Errorf("not all were scraped twice: %v", up.Data.Result)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, s.watcher.output.String())
	}
	if err := ask("query?query=sum(starling_ready)", &ready); err != nil {
		return "", err
	}
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Health string            `json:"health"`
					State  string            `json:"state"`
					Labels map[string]string `json:"labels"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	if err := ask("rules", &rules); err != nil {
		return "", err
	}
	sound, pages := 0, 0
	for _, g := range rules.Data.Groups {
		for _, r := range g.Rules {
			if r.Health == "ok" {
				sound++
			}
			if r.State == "firing" && r.Labels["severity"] == "page" {
				pages++
			}
		}
	}
	s.c.AtLeast("rules_that_evaluate", float64(sound), 17)
	s.c.AtMost("pages", float64(pages), 0)
	return fmt.Sprintf("%v nodes ready, %d rules evaluate", ready.Data.Result[0].Value[1], sound), nil
}

// stop ends everything as an engine would.
func (s *story) stop(ctx context.Context) (string, error) {
	var longest time.Duration
	for _, b := range append([]*box{s.far, s.watcher}, s.nodes...) {
		bounded, cancel := context.WithTimeout(ctx, 2*stopBound)
		began := time.Now()
		err := b.stop(bounded)
		cancel()
		if err != nil {
			return "", err
		}
		if b != s.watcher {
			longest = max(longest, time.Since(began))
		}
	}
	s.c.AtMost("seconds_to_stop", longest.Seconds(), stopBound.Seconds())
	return fmt.Sprintf("%s at most, exit status 0", longest.Round(time.Millisecond)), nil
}
