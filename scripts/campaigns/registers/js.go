package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/scripts/internal/campaign"
)

//go:embed js/package.json js/package-lock.json js/client.mjs
var program embed.FS

// missingTools is the first of the programs that JavaScript needs and that this
// machine has not; empty for none.
func missingTools() string {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool
		}
	}
	return ""
}

// javascript has stock js-libp2p read and write the registers of nodes on loopback,
// over WebSocket and over TCP: what it stores is stored by all, what must be refused is
// by all, and both sides read the same bytes.
func javascript(ctx context.Context, c *campaign.Campaign) (err error) {
	if missing := missingTools(); missing != "" {
		return fmt.Errorf("js: no %s on this machine", missing)
	}
	network, err := records.TestNetwork("registers")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "starling-registers-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := install(ctx, filepath.Join(dir, "js")); err != nil {
		return err
	}
	net, err := startLoopback(ctx, dir, network, c.Size(6, 4))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.stop()) }()
	c.Figure("js_nodes", len(net.nodes))
	c.Table("js-libp2p, step by step", "wire", "stored by", "refused by", "reads", "as it must")
	for i, wire := range []string{"ws", "tcp"} {
		if err := converse(ctx, c, net, filepath.Join(dir, "js"), wire, byte(i)); err != nil {
			return fmt.Errorf("js over %s: %w", wire, err)
		}
	}
	return nil
}

// install puts the client and the packages that its lock names into a directory.
// Nothing of them is run yet.
func install(ctx context.Context, dir string) error {
	if err := os.CopyFS(filepath.Dir(dir), program); err != nil {
		return fmt.Errorf("copy client: %w", err)
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
}

// A step is one thing that the client does, and what it must print of it.
type step struct {
	Step  string `json:"step"`
	Do    string `json:"do"` // put or get
	Key   string `json:"key"`
	Value []byte `json:"value"` // of a get what must be read; nil for nothing

	refused bool // of a put
}

// A told is what the client prints of a step.
type told struct {
	Step    string   `json:"step"`
	Stored  int      `json:"stored"`
	Refused int      `json:"refused"`
	Errors  []string `json:"errors"`
	Value   []byte   `json:"value"`
}

// asItMust tells whether the client saw what it must of so many nodes. Our refusal is
// a stream that is reset, and nothing else is one.
func (t told) asItMust(s step, nodes int) bool {
	switch {
	case t.Step != s.Step:
		return false
	case s.Do == "get":
		return bytes.Equal(t.Value, s.Value)
	case s.refused:
		return t.Stored == 0 && t.Refused == nodes && len(t.Errors) == 1 && t.Errors[0] == "StreamResetError"
	default:
		return t.Stored == nodes && t.Refused == 0
	}
}

// converse goes through all steps over one wire, each wire with people of its own.
func converse(ctx context.Context, c *campaign.Campaign, net *loopback, dir, wire string, who byte) error {
	s, err := script(ctx, net, who)
	if err != nil {
		return err
	}
	said, err := perform(ctx, net, dir, wire, s.steps)
	if err != nil {
		return err
	}
	wrong := len(s.steps) - len(said)
	for i, t := range said {
		right := t.asItMust(s.steps[i], len(net.nodes))
		if !right {
			wrong++
		}
		if s.steps[i].Do == "get" {
			c.Row(t.Step, wire, "", "", fmt.Sprintf("%d bytes", len(t.Value)), right)
		} else {
			c.Row(t.Step, wire, t.Stored, t.Refused, "", right)
		}
	}
	c.AtLeast("js_"+wire+"_steps", float64(len(said)), float64(len(s.steps)))
	c.AtMost("js_"+wire+"_wrong", float64(wrong), 0)
	standing := 0
	for _, n := range net.nodes {
		r, err := n.ReadRegister(ctx, s.id, false)
		if err == nil && r.ID() == s.stands.ID() {
			standing++
		}
	}
	c.AtLeast("js_"+wire+"_read_by_exchange", float64(standing), float64(len(net.nodes)))
	return nil
}

// perform runs the client.
func perform(ctx context.Context, net *loopback, dir, wire string, steps []step) ([]told, error) {
	plan, err := json.Marshal(map[string]any{
		"protocol": protocol.KadPrefix(net.network) + "/kad/1.0.0",
		"wire":     wire, "nodes": net.addrs(wire), "steps": steps,
	})
	if err != nil {
		return nil, fmt.Errorf("encode steps: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := exec.CommandContext(ctx, "node", "client.mjs")
	var complaint bytes.Buffer
	client.Dir, client.Stdin, client.Stderr = dir, bytes.NewReader(plan), &complaint
	out, err := client.Output()
	if err != nil {
		return nil, fmt.Errorf("client: %w: %s", err, complaint.Bytes())
	}
	var said []told
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var t told
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("read what the client printed: %w", err)
		}
		said = append(said, t)
	}
	if len(said) > len(steps) {
		return nil, fmt.Errorf("the client printed %d lines for %d steps", len(said), len(steps))
	}
	return said, nil
}
