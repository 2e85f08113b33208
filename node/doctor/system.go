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

// Clock looks at whether the clock can be right: a record more than 2 minutes ahead of
// the receiver's clock is refused. The protocols of the network tell no time, so no other node's clock
// is asked. Built is when the program was made, zero if that is not known.
func Clock(now time.Time, built time.Time) Check {
	return Check{Name: "clock", Look: func(_ context.Context, say Say) {
		const do = "set the clock, and have it kept: timedatectl set-ntp true"
		shown := now.UTC().Format("2006-01-02 15:04:05 UTC")
		if now.Before(built) {
			say(Fail, fmt.Sprintf("it shows %s, before this program was made on %s", shown, built.UTC().Format(time.DateOnly)), do)
			return
		}
		kept, err := synchronised()
		switch {
		case err != nil:
			say(OK, fmt.Sprintf("it shows %s; whether it is kept by time servers is not known here, and no other node's was asked", shown), "")
		case !kept:
			say(Warn, fmt.Sprintf("it shows %s, and the system does not know it to be kept by time servers; no other node's was asked", shown), do)
		default:
			say(OK, fmt.Sprintf("it shows %s and is kept by time servers", shown), "")
		}
	}}
}
