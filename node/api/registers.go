package api

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// RegisterWriter writes the owner's registers, and agrees to what others' say.
type RegisterWriter interface {
	PutRegister(ctx context.Context, name string, d node.RegisterDraft) (node.RegisterReceipt, error)
	Consent(id records.RegisterID, value []byte) [64]byte
}

// RegisterReader reads anybody's registers.
type RegisterReader interface {
	ReadRegister(ctx context.Context, id records.RegisterID, first bool) (*records.Record, error)
	History(ctx context.Context, id records.RegisterID) ([]node.Seen, error)
}

// RegisterJudge tells what a version of a register is worth.
type RegisterJudge interface {
	Standing(r *records.Record) error
	Confirmed(r *records.Record) bool
}

// Registers is all about registers.
type Registers interface {
	RegisterWriter
	RegisterReader
	RegisterJudge
}

// Public is what the owner is known by, and everybody else.
type Public interface {
	Registers
	Names
}

// Paths of registers and names.
const (
	registersPath = "/v1/registers"
	historyPath   = "/v1/history"
	consentsPath  = "/v1/consents"
)

// RegisterPath is the parameters of paths that name a register.
type RegisterPath struct {
	User string `path:"user" doc:"A user, or me." example:"me"`
	Name string `path:"name" doc:"profile, identity, or service/ and a name; the slash may stand as it is or as %2F." example:"profile"`
}

// register is the one that a path names.
func (s *Server) register(n RegisterPath) (records.RegisterID, error) {
	u, err := node.ParseUser(n.User, s.Node.User())
	if err != nil {
		return records.RegisterID{}, err
	}
	id := records.RegisterID{User: u, Name: n.Name}
	return id, id.Check()
}

func (s *Server) registerOperations(a *operations) {
	writing := []Code{CodeNotYours, CodeConflict, CodeHaveNewer, CodeTooOld, CodeNoQuorum, CodeTooLarge, CodeIncomplete}
	add(a, operation{
		route: "GET /v1/registers/{user}/{name...}", id: "getRegister", group: groupRegisters,
		summary: "Read a register",
		text:    "The newest version that members show. A register that was deleted, or never written, is not found.",
		codes:   []Code{CodeNotFound, CodeExpired, CodeIncomplete},
	}, s.getRegister)
	add(a, operation{
		route: "PUT /v1/registers/{user}/{name...}", id: "putRegister", group: groupRegisters,
		summary: "Write one of the owner's registers",
		text: "With `expect` it is a compare-and-swap: written means that a majority has it on disk and others show it; " +
			"whoever was overtaken gets `conflict` and what `stands`.",
		codes: writing,
	}, s.putRegister)
	add(a, operation{
		route: "DELETE /v1/registers/{user}/{name...}", id: "deleteRegister", group: groupRegisters,
		summary: "Delete one of the owner's registers",
		text:    "Writes a tombstone, so that no older version returns.",
		codes:   append([]Code{CodeNotFound}, writing...),
	}, s.deleteRegister)
	add(a, operation{
		route: "GET /v1/history/{user}/{name...}", id: "getHistory", group: groupRegisters,
		summary: "Versions of a register that this node has seen",
		text:    "Those that it wrote or read, the newest first, and where one is missing between two.",
		codes:   []Code{CodeNotFound},
	}, s.history)
	add(a, operation{
		route: "POST /v1/consents", id: "consent", group: groupRegisters, ready: true,
		summary: "Agree to what stands in somebody's register",
		text:    "Gives the counter-signature of the owner, for the other side to put into its register as `consent`. Nothing is published.",
	}, s.consent)
}

func (s *Server) getRegister(ctx context.Context, in *struct {
	RegisterPath

	First bool `query:"first" doc:"Take the version that is shown first: sooner, and perhaps not the newest."`
},
) (*body[Register], error) {
	id, err := s.register(in.RegisterPath)
	if err != nil {
		return nil, err
	}
	got, err := s.readRegister(ctx, id, in.First)
	if err != nil {
		return nil, err
	}
	return &body[Register]{s.registerJSON(got)}, nil
}

// readRegister is the version that stands.
func (s *Server) readRegister(ctx context.Context, id records.RegisterID, first bool) (*records.Record, error) {
	got, err := s.Node.ReadRegister(ctx, id, first)
	if err != nil {
		return nil, err
	}
	return got, s.Node.Standing(got)
}

func (s *Server) putRegister(ctx context.Context, in *struct {
	RegisterPath

	Body RegisterDraft
},
) (*body[RegisterReceipt], error) {
	draft, err := s.registerDraft(in.Body)
	if err != nil {
		return nil, err
	}
	return s.writeRegister(ctx, in.RegisterPath, draft)
}

func (s *Server) deleteRegister(ctx context.Context, in *struct {
	RegisterPath

	Expect string `query:"expect" pattern:"^[0-9]+$" maxLength:"20" doc:"The rev that is deleted; without it, whatever stands."`
},
) (*body[RegisterReceipt], error) {
	draft := node.RegisterDraft{Delete: true}
	if in.Expect != "" {
		rev, err := strconv.ParseUint(in.Expect, 10, 64)
		if err != nil {
			return nil, problem(CodeBadRequest, "expect %.40q: want a revision", in.Expect)
		}
		draft.Expect = (*records.Rev)(&rev)
	}
	return s.writeRegister(ctx, in.RegisterPath, draft)
}

// writeRegister answers with the receipt; of a version that was not taken, with what
// stands in its place.
func (s *Server) writeRegister(ctx context.Context, name RegisterPath, draft node.RegisterDraft) (*body[RegisterReceipt], error) {
	id, err := s.register(name)
	if err != nil {
		return nil, err
	}
	if id.User != s.Node.User() {
		return nil, node.ErrNotYours
	}
	receipt, err := s.Node.PutRegister(ctx, id.Name, draft)
	if err != nil {
		p := problemOf(err)
		var refused *node.RegisterError
		if errors.As(err, &refused) && refused.Current != nil {
			stands := s.registerJSON(refused.Current)
			p.Stands = &stands
		}
		return nil, p
	}
	return &body[RegisterReceipt]{RegisterReceipt{
		Register: s.registerJSON(receipt.Record),
		Stored:   receipt.Place.Stored, Wanted: receipt.Place.Wanted, Shown: receipt.Shown, Asked: receipt.Asked,
	}}, nil
}

// registerDraft reads a draft: exactly one of value, text and profile.
func (s *Server) registerDraft(d RegisterDraft) (out node.RegisterDraft, err error) {
	given := 0
	for _, is := range []bool{d.Value != nil, d.Text != nil, d.Profile != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return out, problem(CodeBadRequest, "want exactly one of value, text and profile")
	}
	switch {
	case d.Text != nil:
		out.Value = []byte(*d.Text)
	case d.Profile != nil:
		out.Value, err = records.ProfileBody{Name: d.Profile.Name, About: d.Profile.About, Links: d.Profile.Links}.Encode()
	default:
		out.Value = d.Value
	}
	if err != nil {
		return out, err
	}
	if d.Expires != 0 {
		out.Expires = time.UnixMilli(d.Expires)
	}
	out.Expect = (*records.Rev)(d.Expect)
	if d.Party != nil {
		if out.Party, err = node.ParseUser(*d.Party, s.Node.User()); err != nil {
			return out, err
		}
	}
	if d.Consent != nil {
		b, err := hex.DecodeString(*d.Consent)
		if err != nil || len(b) != len(out.Consent) {
			return out, problem(CodeBadRequest, "consent: want %d hexadecimal digits", 2*len(out.Consent))
		}
		out.Consent = [64]byte(b)
	}
	return out, nil
}

func (s *Server) history(ctx context.Context, in *RegisterPath) (*body[History], error) {
	id, err := s.register(*in)
	if err != nil {
		return nil, err
	}
	seen, err := s.Node.History(ctx, id)
	if err != nil {
		return nil, err
	}
	out := History{Versions: []SeenRegister{}}
	for _, v := range seen {
		out.Versions = append(out.Versions, SeenRegister{s.registerJSON(v.Record), v.Missing})
	}
	return &body[History]{out}, nil
}

func (s *Server) consent(_ context.Context, in *struct{ Body ConsentTo }) (*body[Consent], error) {
	id, err := s.register(RegisterPath{in.Body.User, in.Body.Name})
	if err != nil {
		return nil, err
	}
	signature := s.Node.Consent(id, []byte(in.Body.Text))
	return &body[Consent]{Consent{s.Node.User().String(), hex.EncodeToString(signature[:])}}, nil
}
