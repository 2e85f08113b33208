package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/node/doctor"
	"github.com/starling-social/starling/records"
)

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps your node from running well, and say what to do",
		Long: `Look at the configuration, the data directory and its disk, ports, limits and clock of
this machine, and the nodes to join by. Each line is ok, warn or FAIL, with what to do
about it. Whether the node runs or not, and without any network; it takes at most a
quarter of a minute and changes nothing. Exit status 1 when something is FAIL.`,
		Example: `  starling doctor
  starling doctor --json
  starling doctor --data /srv/starling --config /etc/starling.toml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context()) },
	}
}

var errUnwell = errors.New("something is wrong: see FAIL above")

func (a *app) doctor(ctx context.Context) error {
	failed := false
	for f := range doctor.Examine(ctx, a.checks(ctx)) {
		failed = failed || f.State == doctor.Fail
		if err := a.finding(f); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if failed {
		return errUnwell
	}
	return nil
}

// checks are those that the configuration allows: where it cannot be read, none that
// depends on it.
func (a *app) checks(ctx context.Context) []doctor.Check {
	set, err := a.configured()
	var dir string
	if err == nil {
		dir, err = set.dir()
	}
	if err != nil {
		return []doctor.Check{configurationCheck(err), doctor.UDPBuffers(), doctor.Clock(time.Now(), builtAt(), doctor.Others{})}
	}
	status, peers, running := a.ask(ctx, dir)
	checks := []doctor.Check{
		configurationCheck(set.check()), nodeCheck(dir, status, running),
		doctor.Directory(dir), doctor.FileSystem(dir), doctor.Space(dir, int64(set.Store.FreeSpace)), doctor.Sync(dir),
		doctor.Ports(doctor.PortsOf(set.Network.Listen, "network.listen", set.originOf("network.listen") == originDefault), running),
		apiCheck(set, running), doctor.Descriptors(set.Limits.ConnsHigh),
	}
	others := doctor.Others{Known: len(peers) > 0, Ahead: status.Clock.Ahead, Behind: status.Clock.Behind}
	checks = append(checks, doctor.UDPBuffers(), doctor.Clock(time.Now(), builtAt(), others))
	if running {
		checks = append(checks, reachedCheck(peers))
	} else {
		checks = append(checks, doctor.Unasked())
	}
	network, err := records.NamedNetwork(set.Network.Name)
	if err != nil {
		return checks // the configuration says so
	}
	addrs, err := set.bootstraps()
	if err != nil {
		addrs = set.Network.Bootstrap // told one by one what is wrong with them
	}
	checks = append(checks, doctor.Bootstrap(network, addrs))
	return checks
}

// askBound is how long the running node may take to tell of itself.
const askBound = 3 * time.Second

func (a *app) ask(ctx context.Context, dir string) (status api.Status, peers []api.Peer, running bool) {
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	n, err := api.Dial(dir)
	if err != nil {
		return status, nil, false
	}
	defer n.Close()
	if status, err = n.Status(ctx); err != nil {
		return status, nil, false
	}
	list, _ := n.Peers(ctx) // it ends as none
	return status, list.Peers, true
}

func configurationCheck(err error) doctor.Check {
	return doctor.Check{Name: "configuration", Look: func(_ context.Context, say doctor.Say) {
		if err != nil {
			say(doctor.Fail, err.Error(), "correct it; 'starling config init -' explains every setting")
			return
		}
		say(doctor.OK, "valid", "")
	}}
}

// nodeCheck tells a node that runs from one that crashed and from one that hangs. The
// lock of the store is the system's and ends with the process: it is never stale.
func nodeCheck(dir string, s api.Status, running bool) doctor.Check {
	return doctor.Check{Name: "node", Look: func(_ context.Context, say doctor.Say) {
		if running {
			say(doctor.OK, fmt.Sprintf("runs for %s as version %s, with %d nodes connected", time.Duration(s.Uptime)*time.Second, s.Version, s.Peers), "")
			if s.Twin {
				say(doctor.Fail, "another node runs with the same key: others take the two for one, and count one copy of a record where they think there are two",
					"stop one of them, move its node.key away and start it again: it makes a key of its own")
			}
			if s.Version != node.Version {
				say(doctor.Warn, "this program is version "+node.Version+", the node that runs "+s.Version, "start the node again")
			}
			return
		}
		e, err := api.ReadEndpoint(dir)
		switch {
		case errors.Is(err, api.ErrNotRunning):
			say(doctor.OK, "does not run", "")
		case err != nil:
			say(doctor.Warn, err.Error(), "it is written anew when the node starts")
		case alive(e.PID):
			say(doctor.Fail, fmt.Sprintf("process %d is there and does not answer at %s", e.PID, e.API),
				"look at its log; end it and start it again. If it is another program that has the number now, just start the node")
		default:
			say(doctor.Warn, fmt.Sprintf("does not run, and did not end in order: %s is left of process %d", filepath.Join(dir, api.EndpointFile), e.PID),
				"start it; the file is replaced, and the store opens as it was at the last acknowledgement")
		}
	}}
}

// alive tells whether there is a process of that number, as far as we may know.
func alive(pid int) bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(pid))
	return pid > 0 && err == nil
}

// apiCheck looks at where the other commands are to reach the node.
func apiCheck(set *configured, running bool) doctor.Check {
	addr := set.API.Listen
	host, port, err := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	if addr == "" || err != nil || n == 0 {
		return doctor.Check{Name: "API", Look: func(_ context.Context, say doctor.Say) {
			say(doctor.OK, "at "+api.DefaultAddr+", or at any free port", "")
		}}
	}
	c := doctor.Ports([]doctor.Port{{Network: "tcp", Host: host, Port: n, Setting: "api.listen"}}, running)
	c.Name = "API"
	return c
}

func reachedCheck(peers []api.Peer) doctor.Check {
	var inbound []string
	for _, p := range peers {
		if p.Inbound {
			inbound = append(inbound, p.Addr)
		}
	}
	return doctor.Reached(inbound, len(peers))
}

// builtAt is when the program's source was committed, if Go was told.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			at, _ := time.Parse(time.RFC3339, s.Value) // zero if it is none
			return at
		}
	}
	return time.Time{}
}

const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
)

func (a *app) finding(f doctor.Finding) error {
	if a.json {
		return a.out.object(f)
	}
	mark, style := "ok  ", green
	switch f.State {
	case doctor.OK:
	case doctor.Warn:
		mark, style = "warn", yellow
	case doctor.Fail:
		mark, style = "FAIL", red
	}
	text := fmt.Sprintf("%s  %-16s  %s", a.out.styled(style, mark), f.Check, wrapped(printable(f.Found), fmt.Sprintf("%24s", "")))
	if f.Do != "" {
		text += "\n" + fmt.Sprintf("%24s", "") + a.out.styled(bold, "→ ") + wrapped(printable(f.Do), fmt.Sprintf("%26s", ""))
	}
	return a.out.line("%s", text)
}
