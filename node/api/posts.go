package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, statusOf(s.Node.Status(), s.Node.User()))
	return nil
}

func (s *Server) peers(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	out := Peers{Peers: []Peer{}}
	for _, p := range s.Node.Peers() {
		out.Peers = append(out.Peers, peerOf(p))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) error {
	var body Draft
	if err := decode(r, &body); err != nil {
		return err
	}
	draft, err := s.draft(body)
	if err != nil {
		return err
	}
	return s.write(w, r, http.StatusCreated, func(ctx context.Context) (node.Receipt, error) {
		return s.Node.Publish(ctx, draft)
	})
}

// draft reads the names in a draft.
func (s *Server) draft(d Draft) (node.Draft, error) {
	out := node.Draft{Text: d.Text, Tags: d.Tags}
	for _, m := range d.Mentions {
		u, err := node.ParseUser(m, s.Node.User())
		if err != nil {
			return node.Draft{}, err
		}
		out.Mentions = append(out.Mentions, u)
	}
	if d.ReplyTo != nil {
		ref, err := records.ParseRef(*d.ReplyTo)
		if err != nil {
			return node.Draft{}, err
		}
		out.ReplyTo = &ref
	}
	return out, nil
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) error {
	ref, err := records.ParseRef(r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	post, err := s.Node.Post(ctx, ref)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, postOf(post))
	return nil
}

func (s *Server) edit(w http.ResponseWriter, r *http.Request) error {
	ref, err := records.ParseRef(r.PathValue("id"))
	if err != nil {
		return err
	}
	var body Edit
	if err := decode(r, &body); err != nil {
		return err
	}
	return s.write(w, r, http.StatusOK, func(ctx context.Context) (node.Receipt, error) {
		return s.Node.Edit(ctx, ref, body.Text)
	})
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) error {
	ref, err := records.ParseRef(r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.write(w, r, http.StatusOK, func(ctx context.Context) (node.Receipt, error) {
		return s.Node.Delete(ctx, ref)
	})
}

// write answers with the receipt of what do did. Without a majority the receipt is
// part of the problem: some members may have the record.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, do func(context.Context) (node.Receipt, error)) error {
	if _, err := query(r); err != nil {
		return err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	receipt, err := do(ctx)
	if err != nil {
		p := problemOf(err)
		if errors.Is(err, node.ErrNoQuorum) && receipt.Record != nil {
			out := receiptOf(receipt)
			p.Receipt = &out
		}
		return p
	}
	out := receiptOf(receipt)
	if status == http.StatusCreated {
		w.Header().Set("Location", "/v1/posts/"+out.ID)
	}
	writeJSON(w, status, out)
	return nil
}

// begin is where a request that is understood starts to cost the node something.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (context.Context, func(), error) {
	leave, err := enter(s.slotsFor(r).requests)
	if err != nil {
		return nil, nil, err
	}
	patient(w)
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	return ctx, func() { cancel(); leave() }, nil
}
