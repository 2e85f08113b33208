package api_test

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// allocated is what answering a request took of memory, all that was let go of
// included: the least of some times, because others in this process take some too.
func (s *served) allocated(t *testing.T, request []byte) (got answer, least uint64) {
	t.Helper()
	least = math.MaxUint64
	for range 5 {
		var took uint64
		got, took = s.allocatedOnce(t, request)
		least = min(least, took)
	}
	return got, least
}

func (s *served) allocatedOnce(t *testing.T, request []byte) (answer, uint64) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = conn.Write(request) // what is refused is not read to its end
	}()
	got := readAnswer(t, conn)
	conn.Close()
	<-written
	runtime.ReadMemStats(&after)
	return got, after.TotalAlloc - before.TotalAlloc
}

// What is larger than its limit is refused, whether by a byte or a hundred times, and
// before more is taken for it than twice what may be.
func TestSize_bodies(t *testing.T) {
	const limit = 64 << 10
	g := serveGates(t)
	for _, route := range g.routes() {
		if route.body == "" || route.path == "/v1/store/archive" {
			continue
		}
		for _, size := range []int{limit + 1, 100 * limit} {
			request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
				route.method, route.path, g.addr, token, size)
			request = append(request, bytes.Repeat([]byte(" "), size)...)
			got, took := g.allocated(t, request)
			if got.status != http.StatusRequestEntityTooLarge || took > 2*limit {
				t.Errorf("%s with %d bytes: status %d, %d bytes allocated", route, size, got.status, took)
			}
		}
	}
	if n := g.changes.Load(); n != 0 {
		t.Errorf("%d changes", n)
	}
	whole := `{"text":"x"}`
	if got := g.ask(t, http.MethodPost, "/v1/posts", whole+strings.Repeat(" ", limit-len(whole))); got.status != http.StatusCreated {
		t.Errorf("as large as may be: %d %s", got.status, got.body)
	}
	chunked := fmt.Sprintf("POST /v1/posts HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", g.addr, token, limit+1)
	if got := g.raw(t, chunked+strings.Repeat(" ", limit+1)+"\r\n0\r\n\r\n"); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("in parts: %d %s", got.status, got.body)
	}
}

// Headers have a limit too, and so have the things that a query names.
func TestSize_headers(t *testing.T) {
	s := serve(t)
	for size, want := range map[int]int{8 << 10: http.StatusOK, 24 << 10: http.StatusRequestHeaderFieldsTooLarge, 100 * 16 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		request := fmt.Sprintf("GET /v1/status HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\nX-Much: %s\r\n\r\n", s.addr, token, strings.Repeat("x", size))
		got, took := s.allocated(t, []byte(request))
		if got.status != want || want != http.StatusOK && took > 2*64<<10 { // of the header and the body together
			t.Errorf("%d bytes: status %d, %d bytes allocated", size, got.status, took)
		}
	}
	for n, want := range map[int]int{64: http.StatusOK, 65: http.StatusBadRequest, 640: http.StatusBadRequest} {
		if got := s.ask(t, http.MethodGet, "/v1/watch?source=%23a"+strings.Repeat("&source=%23a", n-1), ""); got.status != want {
			t.Errorf("%d sources: %d %s", n, got.status, got.body)
		}
	}
	for n, want := range map[int]int{1000: http.StatusOK, 1001: http.StatusBadRequest, 100_000: http.StatusBadRequest} {
		if got := s.ask(t, http.MethodGet, fmt.Sprintf("/v1/timeline?source=%%23a&limit=%d", n), ""); got.status != want {
			t.Errorf("limit %d: %d %s", n, got.status, got.body)
		}
	}
}

// No answer repeats much of what it refuses.
func TestSize_refusals(t *testing.T) {
	s := serve(t)
	long := strings.Repeat("x", 8<<10)
	for name, request := range map[string][2]string{
		"host":   {"/v1/status", "Host: " + long},
		"path":   {"/v1/" + long, "X: "},
		"query":  {"/v1/timeline?source=" + long, "X: "},
		"name":   {"/v1/timeline?" + long + "=1", "X: "},
		"origin": {"/v1/status", "Origin: " + long},
	} {
		if got := s.ask(t, http.MethodGet, request[0], "", request[1]); got.status < 400 || len(got.body) > 1<<10 {
			t.Errorf("%s: status %d, %d bytes", name, got.status, len(got.body))
		}
	}
}
