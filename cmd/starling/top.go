package main

import (
	"context"
	"errors"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newTop(a *app) *cobra.Command {
	every, once := 2*time.Second, false
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch how your node is doing",
		Long: `Show how your node is doing, and keep it up to date: whom it knows, what it keeps and
for whom, what comes and goes, how healing fares, what you follow and the newest of it.
A node that goes away is waited for. End with q or ctrl-C. Without a terminal, or with
--once, it is shown once.`,
		Example: `  starling top
  starling top --every 10s
  starling top --once --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if every < time.Second {
				return usage("--every %s: want 1s or more", every)
			}
			dir, err := a.dir()
			if err != nil {
				return err
			}
			if once || a.json || !fancy(os.Stdout) || !isTerminal(os.Stdin) {
				return a.topOnce(c.Context(), dir)
			}
			return a.top(c.Context(), dir, every)
		},
	}
	c.Flags().DurationVar(&every, "every", every, "`time` between two looks")
	c.Flags().BoolVar(&once, "once", false, "show it once")
	return c
}

// glance is all that is shown of a node at one time.
type glance struct {
	At        time.Time      `json:"at"`
	Status    api.Status     `json:"status"`
	Peers     []api.Peer     `json:"peers"`
	Following []api.Followed `json:"following"`
	Newest    []api.Post     `json:"newest"` // of home
}

const (
	glanceBound = 5 * time.Second // for one look at the node
	newestPosts = 20
)

// look asks the node. Each time anew where it is: it may have been started again.
func look(ctx context.Context, dir string) (g glance, err error) {
	ctx, cancel := context.WithTimeout(ctx, glanceBound)
	defer cancel()
	n, err := api.Dial(dir)
	if err != nil {
		return g, err
	}
	defer n.Close()
	g.At = time.Now()
	if g.Status, err = n.Status(ctx); err != nil {
		return g, err
	}
	peers, err := n.Peers(ctx)
	if err != nil {
		return g, err
	}
	following, err := n.Following(ctx)
	if err != nil {
		return g, err
	}
	g.Peers, g.Following, g.Newest = peers.Peers, following.Following, []api.Post{}
	if page, err := n.HomePage(ctx, newestPosts, ""); err == nil { // the rest is worth showing without it
		g.Newest = page.Posts
	}
	return g, nil
}

func (a *app) topOnce(ctx context.Context, dir string) error {
	g, err := look(ctx, dir)
	if err != nil {
		return err
	}
	if a.json {
		return a.out.object(g)
	}
	const wide, high = 100, 40
	return a.out.line("%s", scene{now: &g, at: g.At, width: wide, height: high, style: a.out.styled}.text())
}

// top shows the node until the reader has enough.
func (a *app) top(ctx context.Context, dir string, every time.Duration) error {
	if _, err := look(ctx, dir); err != nil {
		return err // nothing to wait for: there was none
	}
	p := tea.NewProgram(topScreen{look: func() (glance, error) { return look(ctx, dir) }, every: every, style: a.out.styled},
		tea.WithContext(ctx), tea.WithAltScreen(), tea.WithoutSignalHandler())
	_, err := p.Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil // ctrl-C is how it ends
	}
	return err
}

// topScreen is what bubbletea asks: what to do with what happened, and what to show.
type topScreen struct {
	look  func() (glance, error)
	every time.Duration
	style func(style, s string) string

	scene scene
}

// looked is what came of a look.
type looked struct {
	glance
	err error
	at  time.Time
}

// tick redraws, so that what is old looks old.
type tick time.Time

func (t topScreen) again() tea.Msg {
	g, err := t.look()
	return looked{g, err, time.Now()}
}

// Init begins to look.
func (t topScreen) Init() tea.Cmd { return tea.Batch(t.again, second()) }

func second() tea.Cmd {
	return tea.Tick(time.Second, func(at time.Time) tea.Msg { return tick(at) })
}

// Update takes in what happened.
func (t topScreen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	t.scene.style = t.style
	switch m := m.(type) {
	case tea.KeyMsg:
		switch m.String() {
		case "q", "ctrl+c", "esc":
			return t, tea.Quit
		}
	case tea.WindowSizeMsg:
		t.scene.width, t.scene.height = m.Width, m.Height
	case tick:
		t.scene.at = time.Time(m)
		return t, second()
	case looked:
		t.scene.see(m)
		return t, tea.Tick(t.every, func(time.Time) tea.Msg { return t.again() })
	}
	return t, nil
}

// View is the whole screen.
func (t topScreen) View() string { return t.scene.text() }
