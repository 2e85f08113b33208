package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/starling-social/starling/node/api"
)

// scene is a view of a node, drawn from values alone.
type scene struct {
	now, before *glance // nil until there was one
	gone        error   // why the last look failed
	since       time.Time
	at          time.Time

	width, height int
	style         func(style, s string) string
}

// see takes in a look.
func (s *scene) see(l looked) {
	s.at = l.at
	if l.err != nil {
		if s.gone == nil {
			s.since = l.at
		}
		s.gone = l.err
		return
	}
	if s.now != nil && s.gone == nil && s.now.Status.PeerID == l.Status.PeerID && s.now.Status.Uptime <= l.Status.Uptime {
		s.before = s.now
	} else {
		s.before = nil // what was counted began anew
	}
	s.gone, s.now = nil, &l.glance
}

// text is the scene in as many lines and columns as there are: what matters most
// comes first, and what does not fit is left out.
func (s scene) text() string {
	if s.width < 1 || s.height < 1 {
		return ""
	}
	lines := s.lines()
	if len(lines) > s.height {
		lines = lines[:s.height]
	}
	for i, line := range lines {
		lines[i] = s.cut(line)
	}
	return strings.Join(lines, "\n")
}

// cut shortens a line to the width of the screen. Styles end with it.
func (s scene) cut(line string) string {
	if lipgloss.Width(line) <= s.width {
		return line
	}
	return lipgloss.NewStyle().Inline(true).MaxWidth(s.width).Render(line)
}

func (s scene) lines() []string {
	if s.now == nil {
		return []string{"looking for the node …"}
	}
	g := s.now
	lines := append(s.head(), "",
		s.row("network", fmt.Sprintf("%s, about %.0f nodes", g.Status.Network, g.Status.Size)),
		s.row("", fmt.Sprintf("%d connected, %d dialled us, %d in the table of %d IP groups", g.Status.Peers, dialledUs(g.Peers), g.Status.Routing.Table, g.Status.Routing.Groups)),
		s.row("store", fmt.Sprintf("%s  %d records, %s, %s", s.bar(g.Status.StoreBytes, g.Status.StoreQuota), g.Status.Records, size(g.Status.StoreBytes), quota(g.Status))),
		s.row("", fmt.Sprintf("own %s  held %s  followed %s  cached %s", size(g.Status.Kept.Own), size(g.Status.Kept.Held), size(g.Status.Kept.Followed), size(g.Status.Kept.Cached))),
		s.row("rates", s.rates()),
		s.row("healing", s.healing()),
	)
	lines = append(lines, s.row("follows", followedLine(g.Following)))
	return append(lines, s.lists()...)
}

// head is who it is, and whether it is there.
func (s scene) head() []string {
	st := s.now.Status
	state := s.style(green, "joined")
	if !st.Ready {
		state = s.style(yellow, "looking for the network")
	}
	up := time.Duration(st.Uptime) * time.Second
	title := fmt.Sprintf("%s %s, for %s  %s", s.style(bold, "starling "+shortID(st.PeerID)), state, up, s.style(dim, "q ends"))
	if s.gone != nil {
		return []string{
			fmt.Sprintf("%s %s %s", s.style(bold, "starling "+shortID(st.PeerID)), s.style(red, "gone"), "for "+ago(s.at, s.since)+", waiting for it"),
			s.style(dim, fmt.Sprintf("what follows is %s old: %s", ago(s.at, s.now.At), oneLine(s.gone.Error()))),
		}
	}
	return []string{title}
}

// lists are the parts that grow with the screen: half for each.
func (s scene) lists() []string {
	const fixed = 9 // lines above
	room := max(s.height-fixed-2, 2)
	var peers, posts []string
	for _, p := range s.now.Peers {
		peers = append(peers, s.peer(p))
	}
	for _, p := range s.now.Newest {
		if !p.Deleted {
			posts = append(posts, fmt.Sprintf("  %s  %s  %s", s.clock(p.Created), s.style(dim, shortID(p.Author)), oneLine(p.Text)))
		}
	}
	half := max(room/2, room-len(posts))
	lines := append([]string{s.style(bold, "peers")}, some(peers, half, "  nobody")...)
	lines = append(lines, s.style(bold, "newest of what you follow"))
	return append(lines, some(posts, room, "  nothing yet")...)
}

// clock is a time of today, or a day.
func (s scene) clock(ms int64) string {
	const day = "2006-01-02"
	if at := time.UnixMilli(ms).Local(); at.Format(day) == s.at.Local().Format(day) {
		return at.Format("     15:04")
	}
	return time.UnixMilli(ms).Local().Format(day)
}

func some(lines []string, most int, none string) []string {
	if len(lines) == 0 {
		return []string{none}
	}
	if len(lines) > most {
		return append(lines[:max(most-1, 0):max(most-1, 0)], fmt.Sprintf("  and %d more", len(lines)-max(most-1, 0)))
	}
	return lines
}

func (s scene) peer(p api.Peer) string {
	mark, way, rtt := " ", "→", "      ?   "
	if p.Member {
		mark = "*"
	}
	if p.Inbound {
		way = "←"
	}
	if p.RTT != nil {
		rtt = fmt.Sprintf("%7.1f ms", *p.RTT)
	}
	return fmt.Sprintf("%s %s %s  %-14s %s  %s", mark, way, rtt, p.Transport, shortID(p.PeerID), s.style(dim, oneLine(p.Addr)))
}

// rates are what changed since the look before.
func (s scene) rates() string {
	if s.before == nil || !s.now.At.After(s.before.At) {
		return "…"
	}
	over := s.now.At.Sub(s.before.At).Seconds()
	per := func(now, before int64) float64 { return float64(now-before) / over }
	now, before := s.now.Status, s.before.Status
	return fmt.Sprintf("%+.1f records/s, healing %s/s in, %s/s out", per(now.Records, before.Records),
		size(int64(per(now.Healing.TakenBytes, before.Healing.TakenBytes))), size(int64(per(now.Healing.GivenBytes, before.Healing.GivenBytes))))
}

func (s scene) healing() string {
	h := s.now.Status.Healing
	whole := 0
	for _, p := range h.With {
		if p.Whole {
			whole++
		}
	}
	said := fmt.Sprintf("whole with %d of %d neighbours", whole, h.Neighbours)
	if h.Filling {
		said = "gathering what is to be held here, " + said
	}
	if len(h.With) > 0 {
		said += ", last " + ago(s.at, h.With[0].At) + " ago"
	}
	return said
}

// bar is how full the store is.
func (s scene) bar(used, of int64) string {
	const cells = 12
	if of <= 0 {
		return strings.Repeat("·", cells)
	}
	full := min(int(used*cells/of), cells)
	return s.style(green, strings.Repeat("█", full)) + s.style(dim, strings.Repeat("░", cells-full))
}

func (s scene) row(name, text string) string {
	return s.style(bold, fmt.Sprintf("%-8s", name)) + " " + text
}

func followedLine(all []api.Followed) string {
	if len(all) == 0 {
		return "nobody yet"
	}
	var names []string
	for _, f := range all {
		name := f.Source
		if !strings.HasPrefix(name, "#") {
			name = shortID(name)
		}
		names = append(names, oneLine(name))
	}
	return strings.Join(names, "  ")
}

func dialledUs(peers []api.Peer) (n int) {
	for _, p := range peers {
		if p.Inbound {
			n++
		}
	}
	return n
}

// shortID is the end of an id: what tells ids apart.
func shortID(id string) string {
	const tail = 8
	if len(id) <= tail+2 {
		return id
	}
	return "…" + id[len(id)-tail:]
}

// oneLine is remote text on one line of a terminal.
func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

func ago(now, then time.Time) string { return max(now.Sub(then), 0).Round(time.Second).String() }
