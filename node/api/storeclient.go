package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records/archive"
)

// StoreStats asks what the node keeps.
func (c *Client) StoreStats(ctx context.Context) (out StoreStats, err error) {
	err = c.ask(ctx, http.MethodGet, storePath, nil, &out)
	return out, err
}

// tellEvery is how many records go by between two words of progress.
const tellEvery = 256

// Export writes an archive of what the node keeps and is selected. Without an error
// it is complete. Progress is told how many records were written.
func (c *Client) Export(ctx context.Context, to io.Writer, sel Selection, progress func(records int64)) (archive.Totals, error) {
	resp, err := c.send(ctx, http.MethodGet, archivePath+"?"+sel.query().Encode())
	if err != nil {
		return archive.Totals{}, err
	}
	defer func() { _ = resp.Body.Close() }() // nothing more is wanted
	r, err := archive.NewReader(resp.Body)
	if err != nil {
		return archive.Totals{}, c.broken(ctx, err)
	}
	w, err := archive.NewWriter(to, r.Header())
	for n := int64(1); err == nil; n++ {
		var e archive.Entry
		if e, err = r.Next(); errors.Is(err, io.EOF) {
			return w.Close(r.Totals().Unreadable)
		}
		if err != nil {
			return archive.Totals{}, c.broken(ctx, err)
		}
		if n%tellEvery == 0 {
			progress(n)
		}
		err = w.Write(e)
	}
	return archive.Totals{}, err
}

// broken is an archive that the node did not send to its end.
func (c *Client) broken(ctx context.Context, err error) error {
	if errors.Is(err, archive.ErrCut) || errors.Is(err, archive.ErrNotArchive) {
		err = io.ErrUnexpectedEOF // of the connection: nothing was ever damaged
	}
	return c.unreachable(ctx, err)
}

// A piece is what is sent at once: one that the node takes well within askTime.
const (
	pieceRecords = 1024
	pieceBytes   = 1 << 20
)

// Import has the node merge an archive, as [node.Store.Import] does. It goes in
// pieces that are archives themselves, so that what is done is known at every time,
// also when the node stops. Progress is told what has been done so far.
func (c *Client) Import(ctx context.Context, from io.Reader, progress func(Imported)) (Imported, error) {
	done := Imported{Reasons: []Refusal{}}
	r, err := archive.NewReader(from)
	if err != nil {
		return done, err
	}
	for more := true; more; {
		var piece []byte
		var damage error
		if piece, more, damage = nextPiece(r); piece == nil {
			return done, damage
		}
		if err := c.sendPiece(ctx, piece, &done); err != nil {
			return done, err
		}
		progress(done)
		if damage != nil {
			return done, damage
		}
	}
	return done, nil
}

// nextPiece is the next records as an archive; nil where there are none. After an
// error, the archive's own, there is no more.
func nextPiece(r *archive.Reader) (piece []byte, more bool, err error) {
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, r.Header())
	if err != nil {
		return nil, false, err
	}
	count := 0
	for more = true; more && err == nil && count < pieceRecords && b.Len() < pieceBytes; {
		var e archive.Entry
		e, err = r.Next()
		switch {
		case errors.Is(err, io.EOF):
			more, err = false, nil
		case err == nil:
			err = w.Write(e)
			count++
		}
	}
	if count == 0 && r.Totals().Entries > 0 {
		return nil, false, err
	}
	if _, end := w.Close(0); end != nil {
		return nil, false, end
	}
	return b.Bytes(), more && err == nil, err
}

// sendPiece adds what became of a piece to what was done before.
func (c *Client) sendPiece(ctx context.Context, piece []byte, done *Imported) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var out Imported
	err := c.exchange(ctx, http.MethodPost, archivePath, archiveType, bytes.NewReader(piece), &out)
	var p *Problem
	if errors.As(err, &p) && p.Imported != nil {
		out = *p.Imported
	}
	before := done.New + done.Had + done.Refused
	done.New, done.Had, done.Refused = done.New+out.New, done.Had+out.Had, done.Refused+out.Refused
	for _, r := range out.Reasons {
		if len(done.Reasons) < node.MaxReasons {
			done.Reasons = append(done.Reasons, Refusal{before + r.Record, r.Reason})
		}
	}
	return err
}
