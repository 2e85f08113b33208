package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// forward carries everything between a published port and a box, until the process is
// ended.
func forward(network, listen, to string) error {
	if network == "udp" {
		return forwardUDP(listen, to)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("publish %s: %w", listen, err)
	}
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = in.Close() }() // either side may have
			out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				return
			}
			defer func() { _ = out.Close() }() // as above
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			_, _ = io.Copy(in, out)
		}()
	}
}

// forwardUDP keeps a socket for each address that packets come from.
func forwardUDP(listen, to string) error {
	l, err := net.ListenPacket("udp", listen)
	if err != nil {
		return fmt.Errorf("publish %s: %w", listen, err)
	}
	var mu sync.Mutex // protects sockets
	sockets := map[string]net.Conn{}
	packet := make([]byte, 64<<10)
	for {
		n, from, err := l.ReadFrom(packet)
		if err != nil {
			return err
		}
		mu.Lock()
		out := sockets[from.String()]
		mu.Unlock()
		if out == nil {
			if out, err = (&net.Dialer{}).DialContext(context.Background(), "udp", to); err != nil {
				return err
			}
			mu.Lock()
			sockets[from.String()] = out
			mu.Unlock()
			go func() {
				back := make([]byte, 64<<10)
				for {
					n, err := out.Read(back)
					if err != nil {
						return
					}
					_, _ = l.WriteTo(back[:n], from) // a packet may be lost
				}
			}()
		}
		_, _ = out.Write(packet[:n]) // as above
	}
}
