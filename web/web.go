// Package web is the page that a node serves to its owner, and to strangers where
// it lets them read.
//
// The page is a program for browsers: its source stands in src, and dist holds what
// `scripts/web build` makes of it, byte for byte (`scripts/check web` proves that).
// dist is part of the binary, so `go build` alone gives a node with its page.
//
// It owns the files and how they are served: under which security policy, kept by
// browsers for how long, compressed. It starts no goroutine. Who may call, under
// which names, is the server's to decide; so is everything under /v1, which is all
// that the page talks to.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

// policy is the Content-Security-Policy of the page. Scripts and styles come from
// this node alone and stand in files; the page connects to nothing but this node; no
// text can become a script, because the browser refuses to parse text as HTML for it
// (require-trusted-types-for); nobody frames the page, and no form of it sends
// anything by itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// header is what every answer carries, whatever it is.
var header = map[string]string{
	"Content-Security-Policy":      policy,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
}

const (
	// forever is for files whose names carry a hash of what is in them.
	forever = "public, max-age=31536000, immutable"
	// asked is for the one file that names them: kept, but asked for each time.
	asked = "no-cache"
)

// file is one file of the page, ready to be sent.
type file struct {
	contentType string
	caching     string
	etag        string
	plain       []byte
	zipped      []byte // nil where compressing gains nothing
}

// page serves the files by their paths.
type page struct {
	files map[string]file
}

// Handler serves the page at / and its files under /assets/. Every other path is
// answered with 404, every method but GET and HEAD with 405.
func Handler() http.Handler {
	p := &page{files: map[string]file{}}
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := dist.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		p.files[urlOf(name)], err = newFile(name, b)
		return err
	})
	if err != nil { // of files that are part of the binary
		panic(fmt.Sprintf("embedded page: %v", err))
	}
	return p
}

func urlOf(name string) string {
	url := strings.TrimPrefix(name, "dist")
	if url == "/index.html" {
		return "/"
	}
	return url
}

func newFile(name string, plain []byte) (file, error) {
	sum := sha256.Sum256(plain)
	f := file{
		contentType: contentTypes[path.Ext(name)], caching: forever,
		etag: `"` + hex.EncodeToString(sum[:16]) + `"`, plain: plain,
	}
	if f.contentType == "" {
		return file{}, fmt.Errorf("%s: %w", name, mime.ErrInvalidMediaParameter)
	}
	if urlOf(name) == "/" {
		f.caching = asked
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return file{}, fmt.Errorf("compress %s: %w", name, err)
	}
	_, _ = w.Write(plain) // into memory
	_ = w.Close()
	if zipped.Len() < len(plain) {
		f.zipped = zipped.Bytes()
	}
	return f, nil
}

// contentTypes are fixed here, because what the mime package knows depends on the machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range header {
		h.Set(name, value)
	}
	f, ok := p.files[r.URL.Path]
	switch {
	case !ok:
		h.Set("Cache-Control", "no-store")
		http.Error(w, "There is nothing here. The page is at /", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Cache-Control", "no-store")
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "The page is read with GET or HEAD", http.StatusMethodNotAllowed)
	default:
		f.send(w, r)
	}
}

func (f file) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.caching)
	h.Set("ETag", f.etag)
	h.Add("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.zipped != nil && takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a browser that has gone is no error of ours
	}
}

// takesGzip reads what a browser says it can decompress; q=0 is "not".
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(quality), "q="), 64)
		return quality == "" || err == nil && q > 0
	}
	return false
}
