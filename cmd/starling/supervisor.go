package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/starling-social/starling/node"
)

const (
	statusEvery = 30 * time.Second // how often systemd is told in a line how the node is
	tellTime    = time.Second      // how long it may take to listen
)

// A supervisor is systemd, if that is who started us: sd_notify(3). It is told that the
// node is ready, now and then how it is and, where it asks for that, that it is alive;
// and in the end that it is stopping.
type supervisor struct {
	socket string
	every  time.Duration
	log    *slog.Logger
}

// supervisorOf is who started us, nil if it does not want to hear anything.
func supervisorOf(getenv func(string) string, log *slog.Logger) *supervisor {
	s := &supervisor{socket: getenv("NOTIFY_SOCKET"), every: statusEvery, log: log}
	if s.socket == "" {
		return nil
	}
	pid := getenv("WATCHDOG_PID")
	micros, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err == nil && micros > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.every = min(s.every, max(time.Duration(micros)*time.Microsecond/3, time.Millisecond))
	}
	return s
}

// attend tells of a node that is ready until ctx ends. A node is alive when it can
// still be looked at: one in which something is held for ever is not, and is started
// anew.
func (s *supervisor) attend(ctx context.Context, n *node.Node) {
	if s == nil {
		return
	}
	s.tell("READY=1\n" + statusLine(n))
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tell(statusLine(n) + "\nWATCHDOG=1")
		case <-ctx.Done():
			s.tell("STOPPING=1")
			return
		}
	}
}

// tell does not wait for who does not listen.
func (s *supervisor) tell(state string) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err == nil {
		defer func() { _ = conn.Close() }() // a datagram is sent or is not
		if err = conn.SetWriteDeadline(time.Now().Add(tellTime)); err == nil {
			_, err = conn.Write([]byte(state))
		}
	}
	if err != nil {
		s.log.Warn("systemd is not told", "err", err)
	}
}

// statusLine is what `systemctl status` shows.
func statusLine(n *node.Node) string {
	h, s := n.Health(), n.Status()
	state := "ready"
	if !h.Ready {
		state = string(h.Reasons[0].Code)
	}
	return fmt.Sprintf("STATUS=%s: %d peers, %d records in %s", state, s.Peers, s.Records, size(s.StoreBytes))
}
