package doctor

import (
	"context"
	"fmt"
	"time"
)

// wantedBuffer is what quic-go asks of the system for a UDP socket, each way.
const wantedBuffer = 7 << 20

// UDPBuffers looks at how much the system lets a UDP socket hold: with too little,
// QUIC loses packets as soon as it is fast.
func UDPBuffers() Check {
	return Check{Name: "UDP buffers", Look: func(_ context.Context, say Say) {
		receive, send, err := udpBuffers()
		switch {
		case err != nil:
			say(OK, "not known on this system", "")
		case receive < wantedBuffer || send < wantedBuffer:
			say(Warn, fmt.Sprintf("a socket may hold %s in and %s out, QUIC wants %s each", size(receive), size(send), size(wantedBuffer)),
				fmt.Sprintf("as root: sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d; to keep it, a file in /etc/sysctl.d", wantedBuffer, wantedBuffer))
		default:
			say(OK, fmt.Sprintf("a socket may hold %s in and %s out", size(receive), size(send)), "")
		}
	}}
}

// descriptorsBeside is what the store and the API may need besides connections.
const descriptorsBeside = 1500

// Descriptors looks at how many files and sockets the node may have open at once.
func Descriptors(connections int) Check {
	return Check{Name: "file descriptors", Look: func(_ context.Context, say Say) {
		limit, err := descriptors()
		need := uint64(2*connections + descriptorsBeside)
		switch {
		case err != nil:
			say(OK, "not known on this system", "")
		case limit < need:
			say(Warn, fmt.Sprintf("at most %d may be open, %d connections and the store may need %d", limit, connections, need),
				"raise it: LimitNOFILE= of a systemd unit, --ulimit nofile= of a container, ulimit -n of a shell; or lower limits.connections_high")
		default:
			say(OK, fmt.Sprintf("%d may be open", limit), "")
		}
	}}
}

// Others is what other nodes say of a clock: nothing in the protocols of the network has
// the time in it, but a record more than two minutes ahead of a clock is refused.
type Others struct {
	Known  bool   // a node runs, and is connected to others
	Ahead  uint64 // records that others refused because of that
	Behind uint64 // records of others that were refused here because of it
}

// Clock looks at whether the clock can be right, by the system and by what others said
// of it. Built is when the program was made, zero if that is not known.
func Clock(now time.Time, built time.Time, o Others) Check {
	return Check{Name: "clock", Look: func(_ context.Context, say Say) {
		const do = "set the clock, and have it kept: timedatectl set-ntp true"
		shown := "it shows " + now.UTC().Format("2006-01-02 15:04:05 UTC")
		kept, err := synchronised()
		switch {
		case now.Before(built):
			say(Fail, fmt.Sprintf("%s, before this program was made on %s", shown, built.UTC().Format(time.DateOnly)), do)
		case o.Ahead > 0:
			say(Warn, fmt.Sprintf("%s, and other nodes refused %d records from here as more than two minutes ahead", shown, o.Ahead), do)
		case o.Behind > 0:
			say(Warn, fmt.Sprintf("%s, and %d records of other nodes were more than two minutes ahead of it", shown, o.Behind),
				do+"; if it is right, theirs are fast")
		case err == nil && kept:
			say(OK, shown+" and is kept by time servers; "+o.words(), "")
		case err != nil:
			say(OK, shown+"; that time servers keep it is not known; "+o.words(), "")
		default:
			say(Warn, shown+", and the system does not know it to be kept by time servers; "+o.words(), do)
		}
	}}
}

func (o Others) words() string {
	if o.Known {
		return "no record that passed between it and others was two minutes ahead of either clock"
	}
	return "other nodes cannot tell: none is connected"
}
