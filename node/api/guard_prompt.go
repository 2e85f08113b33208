package api

import (
	"net/http"
	"time"
)

// promptPart is what a caller has to send or take while it is waited for, in bodyTime or
// writeTime: slower than that, in bytes a second, is no wire.
const promptPart = 16 << 10

// restTime is for what a caller still sends of a request that was answered.
const restTime = 2 * time.Second

// promptWriter bounds how long the caller may take to read each part of an answer, in
// all that is waited for it.
type promptWriter struct {
	http.ResponseWriter

	status int           // of the answer; 0 until it is known
	left   int           // bytes of the part
	spent  time.Duration // waiting
	lifted bool          // there is no bound on reading the request any more
}

// Unwrap is for [http.ResponseController].
func (w *promptWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *promptWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.promptly(func() int { w.ResponseWriter.WriteHeader(status); return 0 })
}

func (w *promptWriter) Write(b []byte) (n int, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.promptly(func() int { n, err = w.ResponseWriter.Write(b); return n })
	return n, err
}

// FlushError is what [http.ResponseController] calls.
func (w *promptWriter) FlushError() (err error) {
	w.promptly(func() int { err = http.NewResponseController(w.ResponseWriter).Flush(); return 0 })
	return err
}

func (w *promptWriter) promptly(write func() int) {
	if w.left <= 0 {
		w.left, w.spent = promptPart, 0
	}
	began := time.Now()
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(began.Add(writeTime - w.spent)) // net/http's own connections can
	w.left -= write()
	w.spent += time.Since(began)
}

// patient lets the node take its time: until here a deadline bounded how long the
// caller may take to send the request.
func patient(w http.ResponseWriter) {
	if p, ok := w.(*promptWriter); ok {
		p.lifted = true
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // net/http's own connections can
}

// rest bounds what follows once a request was answered: that the caller takes what is
// left of the answer, and net/http what is left of the request.
func (w *promptWriter) rest() {
	c, now := http.NewResponseController(w.ResponseWriter), time.Now()
	_ = c.SetWriteDeadline(now.Add(writeTime - w.spent)) // net/http's own connections can
	if w.lifted {
		_ = c.SetReadDeadline(now.Add(restTime)) // as above
	}
}
