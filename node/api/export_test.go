package api

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// DecodeDraft reads a draft as the body of a request.
func DecodeDraft(body string) (d Draft, err error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	b, _, err := readBody(r)
	if err != nil {
		return d, err
	}
	return d, decode(b, &d)
}

// ReadArrivals reads server-sent events to their end.
func ReadArrivals(r io.Reader) (out []Arrival, err error) {
	for f := range serverSent(bufio.NewScanner(r)) {
		if f.name == "" {
			continue
		}
		a, more, err := arrival(f.name, f.data)
		if err != nil || !more {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}

// Callers are those who may make a request of a server, by name, and whether it is
// answered at all.
func Callers(r *http.Request) (who string, served bool) {
	t := NewServer(ServerConfig{Listener: nowhere{}}).routes(context.Background())
	p := t.find(r)
	names := map[access]string{ownerOnly: "owner", reader: "reader", open: "open"}
	return names[t.accessTo(r)], p != nil && p.methods[r.Method] != nil
}

// Served are the routes that a server answers, as "METHOD /path".
func Served() (out []string) { return slices.Sorted(maps.Keys(callers)) }

type nowhere struct{ net.Listener }

func (nowhere) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// LimitNames are the limits that can be reached.
func LimitNames() []string { return limitNames }

// SettingKey is the attribute of a log line that names a limit.
const SettingKey = settingKey
