package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/node/api"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func unstyled(_, s string) string { return s }

func styledAlways(style, s string) string { return style + s + "\x1b[0m" }

// glanceAt is a node with peers and posts, some seconds after noon.
func glanceAt(seconds int) looked {
	at := noon.Add(time.Duration(seconds) * time.Second)
	rtt := 12.5
	g := glance{
		At: at,
		Status: api.Status{
			PeerID: "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5", Network: "tour", Ready: true, Peers: 2, Size: 9.6,
			Records: int64(100 + 5*seconds), StoreBytes: 4 << 30, StoreQuota: 8 << 30, Uptime: int64(60 + seconds),
			Healing: api.Healing{Neighbours: 3, With: []api.Partner{{PeerID: "x", At: at, Whole: true}}, TakenBytes: int64(1024 * seconds)},
		},
		Following: []api.Followed{{Source: "#starling"}, {Source: "@did:key:z6Mkg66162uiNaZaC47VWCQdc1n3XpTsmUQDB9M89FU8udC9"}},
	}
	for range 30 {
		g.Peers = append(g.Peers, api.Peer{PeerID: "12D3KooWPeer12345678", Addr: "/ip4/192.0.2.7/tcp/4001", Transport: "tcp", RTT: &rtt, Inbound: true, Member: true})
		g.Newest = append(g.Newest, api.Post{Author: "did:key:z6Mk12345678", Created: noon.UnixMilli(), Text: "two\nlines \x1b]0;title\x07\u202e and a long one that does not fit on any screen at all"})
	}
	return looked{glance: g, at: at}
}

func seen(looks ...looked) scene {
	s := scene{width: 80, height: 24, style: unstyled}
	for _, l := range looks {
		s.see(l)
	}
	return s
}

// What matters is on a screen of 80 by 24, and rates are what changed between two looks.
func TestTop_shows(t *testing.T) {
	text := seen(glanceAt(0), glanceAt(2)).text()
	for _, want := range []string{"joined", "tour, about 10 nodes", "30 dialled us", "██████░░░░░░", "50% of 8.0 GiB", "+5.0 records/s, healing 1.0 KiB/s in", "whole with 1 of 3", "#starling  …9FU8udC9", "* ←    12.5 ms  tcp", "and 2", `\x1b]0;title\x07`} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// A node that goes away is gone at once, what is left is told to be old, and rates
// begin anew when it is back.
func TestTop_goneAndBack(t *testing.T) {
	away := looked{err: errors.New("no node is running"), at: noon.Add(10 * time.Second)}
	s := seen(glanceAt(0), glanceAt(2), away)
	s.at = noon.Add(15 * time.Second)
	if text := s.text(); !strings.Contains(text, "gone for 5s") || !strings.Contains(text, "13s old: no node is running") {
		t.Errorf("gone:\n%s", text)
	}
	back := glanceAt(20)
	back.Status.Uptime = 1
	s.see(back)
	if text := s.text(); strings.Contains(text, "gone") || !strings.Contains(text, "rates    …") {
		t.Errorf("back:\n%s", text)
	}
	if text := (scene{width: 80, height: 24, style: unstyled}).text(); !strings.Contains(text, "looking") {
		t.Errorf("before the first look: %q", text)
	}
}

// Whatever the screen, nothing goes beyond it, and no remote text steers it.
func TestTop_anyScreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := seen(glanceAt(0), glanceAt(2))
		s.style = styledAlways
		s.width, s.height = rapid.IntRange(0, 200).Draw(t, "width"), rapid.IntRange(0, 100).Draw(t, "height")
		word := rapid.String().Draw(t, "remote")
		s.now.Newest[0].Text, s.now.Peers[0].Addr, s.now.Following[0].Source = word, word, word
		if rapid.Bool().Draw(t, "gone") {
			s.see(looked{err: errors.New(word), at: noon})
		}
		lines := strings.Split(s.text(), "\n")
		if len(lines) > max(s.height, 1) {
			t.Fatalf("%d lines on %d", len(lines), s.height)
		}
		for _, line := range lines {
			if w := lipgloss.Width(line); w > max(s.width, 0) {
				t.Fatalf("%d columns on %d: %q", w, s.width, line)
			}
		}
		s.style = unstyled
		if text := s.text(); strings.ContainsFunc(text, steers) {
			t.Fatalf("steers: %q", text)
		}
	})
}

// The screen follows its size, looks again after every look, and ends when it is told.
func TestTop_keys(t *testing.T) {
	var m tea.Model = topScreen{look: func() (glance, error) { return glanceAt(0).glance, nil }, every: time.Hour, style: unstyled}
	m, _ = m.Update(tea.WindowSizeMsg{Width: 30, Height: 3})
	m, again := m.Update(glanceAt(0))
	if text := m.View(); again == nil || strings.Count(text, "\n") != 2 || !strings.Contains(text, "joined") {
		t.Errorf("screen %q", text)
	}
	for _, key := range []tea.KeyMsg{{Type: tea.KeyRunes, Runes: []rune{'q'}}, {Type: tea.KeyCtrlC}, {Type: tea.KeyEsc}} {
		if _, end := m.Update(key); end == nil || end() != tea.Quit() {
			t.Errorf("%s does not end it", key)
		}
	}
	if _, end := m.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{'x'}}); end != nil {
		t.Error("x ends it")
	}
}
