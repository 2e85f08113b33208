package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-social/starling/web"
)

type header map[string]string

func get(t *testing.T, method, path string, headers ...header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for _, h := range headers {
		for name, value := range h {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// assets are what the page names.
func assets(t *testing.T) []string {
	t.Helper()
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body(t, get(t, http.MethodGet, "/")), -1)
	var out []string
	for _, f := range found {
		out = append(out, f[1])
	}
	if len(out) < 3 {
		t.Fatalf("the page names %v: want a script, a style and an icon", out)
	}
	return out
}

// Every file that the page names is there, under a name with its hash, and browsers
// keep it for ever; the page itself is asked for each time.
func TestHandler_files(t *testing.T) {
	if got := get(t, http.MethodGet, "/").Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the page: Cache-Control %q", got)
	}
	kinds := map[string]string{"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
	for _, path := range assets(t) {
		resp := get(t, http.MethodGet, path)
		hashed := regexp.MustCompile(`^/assets/[a-z]+-[0-9a-f]{16}\.([a-z]+)$`).FindStringSubmatch(path)
		if resp.StatusCode != http.StatusOK || hashed == nil {
			t.Errorf("%s: %s", path, resp.Status)
			continue
		}
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, kinds[hashed[1]]) {
			t.Errorf("%s: Content-Type %q", path, got)
		}
		if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
}

// The policy lets no text of a stranger run, load or connect to anything.
func TestHandler_policy(t *testing.T) {
	for _, path := range append(assets(t), "/", "/none") {
		h := get(t, http.MethodGet, path).Header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'",
			"form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
		} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("%s: policy without %s: %s", path, want, policy)
			}
		}
		for _, never := range []string{"unsafe", "*", "http:", "https:", "data:", "blob:"} {
			if strings.Contains(policy, never) {
				t.Errorf("%s: policy with %s: %s", path, never, policy)
			}
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestHandler_compressed(t *testing.T) {
	for _, path := range append(assets(t), "/") {
		plain := body(t, get(t, http.MethodGet, path))
		resp := get(t, http.MethodGet, path, header{"Accept-Encoding": "br, gzip;q=0.8"})
		if resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", path, resp.Header)
			continue
		}
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != plain {
			t.Errorf("%s: %d bytes of %d, %v", path, len(got), len(plain), err)
		}
		for _, refuses := range []string{"gzip;q=0", "br", "xgzip", ""} {
			if got := get(t, http.MethodGet, path, header{"Accept-Encoding": refuses}).Header.Get("Content-Encoding"); got != "" {
				t.Errorf("%s for %q: %s", path, refuses, got)
			}
		}
	}
}

func TestHandler_notModified(t *testing.T) {
	first := get(t, http.MethodGet, "/")
	again := get(t, http.MethodGet, "/", header{"If-None-Match": first.Header.Get("ETag")})
	if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
		t.Errorf("the same page again: %s", again.Status)
	}
	if other := get(t, http.MethodGet, "/", header{"If-None-Match": `"other"`}); other.StatusCode != http.StatusOK {
		t.Errorf("after another page: %s", other.Status)
	}
}

func TestHandler_refused(t *testing.T) {
	for _, path := range []string{"/index.html", "/dist", "/assets", "/assets/", "/assets/../", "//", "/v1/posts", "/src/main.tsx"} {
		if resp := get(t, http.MethodGet, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	resp := get(t, http.MethodPost, "/")
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s, Allow %q", resp.Status, resp.Header.Get("Allow"))
	}
	head := get(t, http.MethodHead, "/")
	if head.StatusCode != http.StatusOK || body(t, head) != "" || head.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %s, %s bytes", head.Status, head.Header.Get("Content-Length"))
	}
}

// What is served names nobody else: not to load from, not to send to.
func TestHandler_namesNobody(t *testing.T) {
	address := regexp.MustCompile(`(?i)(?:https?|wss?):\\?/\\?/[a-z0-9][a-z0-9.-]*`)
	for _, path := range append(assets(t), "/") {
		for _, found := range address.FindAllString(body(t, get(t, http.MethodGet, path)), -1) {
			if found != "http://www.w3.org" { // the names of SVG and MathML, which nobody asks for
				t.Errorf("%s names %s", path, found)
			}
		}
	}
}

// The page's source makes nothing but text of text: no way by which a string becomes
// HTML or a program is named in it.
func TestSource_textOnly(t *testing.T) {
	never := regexp.MustCompile(`dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc|javascript:`)
	read := 0
	err := fs.WalkDir(os.DirFS("src"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".test.ts") {
			return err
		}
		b, err := fs.ReadFile(os.DirFS("src"), name)
		if found := never.Find(b); found != nil {
			t.Errorf("src/%s has %s", name, found)
		}
		if lines := bytes.Count(b, []byte("\n")); lines > 400 {
			t.Errorf("src/%s has %d lines: a file is one thing, read from top to bottom", name, lines)
		}
		read++
		return err
	})
	if err != nil || read < 20 {
		t.Fatalf("read %d files: %v", read, err)
	}
}
