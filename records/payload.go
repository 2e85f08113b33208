package records

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/starling-social/starling/records/pb"
	"github.com/starling-social/starling/records/wire"
)

// The proof of work stands behind everything it proves: a fixed64 in field 15,
// the highest, written even when it is 0, hence always the last nine bytes of a
// payload. What precedes it is read as a message of its own, so nothing inside
// another field can pass for it.
const (
	workField = 15
	workTag   = workField<<3 | 1
	workBytes = 9
)

// Limits of a payload's structure. 8 KiB could hold four thousand empty
// messages; no record of ours needs a tenth of that.
var (
	payloadLimits = wire.Limits{Fields: 64, Depth: 2, Highest: workField - 1}
	contentLimits = wire.Limits{Fields: 512, Depth: contentDepth}
)

// encode is the payload of d with room for its proof of work at the end.
func (d Draft) encode(s Signer) ([]byte, error) {
	head, err := marshal(headMessage(d.Head))
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	p := &pb.Payload{
		Kind: pb.Kind(d.Head.Kind()), Author: s.Author[:], Created: uint64(d.Created), Salt: d.Salt[:],
		Rev: uint64(d.Rev), Expires: uint64(d.Expires), Head: head, Body: d.Body,
	}
	if c := s.Certificate; c != nil {
		p.Certificate = &pb.Certificate{Device: c.Device[:], Epoch: c.Epoch, Signature: c.Signature[:]}
	}
	b, err := marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	b = append(b, workTag)
	return append(b, make([]byte, workBytes-1)...), nil
}

// marshal writes fields in ascending order, the one form that package wire takes.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func headMessage(h Head) proto.Message {
	switch h := h.(type) {
	case PostHead:
		return h.message()
	case ReactionHead:
		return &pb.ReactionHead{Target: h.Target.message(), Class: h.Class}
	case FollowHead:
		return &pb.FollowHead{Followed: h.Followed[:]}
	case RegisterHead:
		return &pb.RegisterHead{Name: h.Name}
	case NameHead:
		return &pb.NameHead{Nickname: string(h.Nickname)}
	case GraphHead:
		return &pb.GraphHead{Soul: string(h.Soul), Field: h.Field}
	case SealedHead:
		return &pb.SealedHead{Soul: string(h.Soul), Epoch: h.Epoch}
	default:
		panic(fmt.Sprintf("head of unknown type %T", h)) // Head cannot be implemented elsewhere
	}
}

func (h PostHead) message() *pb.PostHead {
	m := &pb.PostHead{Root: h.Root.message(), Parent: h.Parent.message()}
	for _, t := range h.Tags {
		m.Tags = append(m.Tags, string(t))
	}
	for _, u := range h.Mentions {
		m.Mentions = append(m.Mentions, u[:])
	}
	return m
}

func (r *Ref) message() *pb.Reference {
	if r == nil {
		return nil
	}
	return &pb.Reference{Author: r.Author[:], Created: uint64(r.Created), Key: r.Key[:]}
}

func endsInWork(payload []byte) bool {
	return len(payload) >= workBytes && payload[len(payload)-workBytes] == workTag
}

// parsePayload reads a payload, which ends in its work, into r and checks every
// rule that needs neither key nor clock. What it returns is the certificate, if
// there is one.
func parsePayload(b []byte, r *Record) (*Certificate, error) {
	var p pb.Payload
	if err := wire.Unmarshal(b[:len(b)-workBytes], &p, payloadLimits); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(p.GetAuthor()) != len(User{}) || len(p.GetSalt()) != len(r.salt) {
		return nil, fmt.Errorf("%w: author of %d bytes, salt of %d", ErrMalformed, len(p.GetAuthor()), len(p.GetSalt()))
	}
	if p.GetCreated() > uint64(MaxMillis) || p.GetExpires() > uint64(MaxMillis) {
		return nil, fmt.Errorf("%w: time beyond 48 bits", ErrMalformed)
	}
	r.author, r.salt = User(p.GetAuthor()), [8]byte(p.GetSalt())
	r.created, r.rev, r.expires = Millis(p.GetCreated()), Rev(p.GetRev()), Millis(p.GetExpires())
	if r.created > r.rev.Millis() {
		return nil, fmt.Errorf("%w: created after its revision", ErrMalformed)
	}
	if r.expires != 0 && r.expires <= r.created {
		return nil, fmt.Errorf("%w: expires before it was created", ErrMalformed)
	}
	if err := r.parseContent(&p); err != nil {
		return nil, err
	}
	cert, err := certificateOf(p.GetCertificate())
	if err == nil && cert != nil && !contested(r.head) {
		r.epoch = cert.Epoch
	}
	return cert, err
}

func certificateOf(m *pb.Certificate) (*Certificate, error) {
	if m == nil {
		return nil, nil
	}
	c := &Certificate{Epoch: m.GetEpoch()}
	if len(m.GetDevice()) != len(c.Device) || len(m.GetSignature()) != len(c.Signature) {
		return nil, fmt.Errorf("%w: its fields have the wrong length", ErrCertificate)
	}
	c.Device, c.Signature = User(m.GetDevice()), [64]byte(m.GetSignature())
	return c, nil
}

// parseContent reads head and body.
func (r *Record) parseContent(p *pb.Payload) error {
	head, err := parseHead(p.GetKind(), p.GetHead())
	if err != nil {
		return err
	}
	if err := head.check(r.author); err != nil {
		return err
	}
	r.head, r.body, r.deleted = head, p.GetBody(), p.Body == nil
	r.key = itemKey(head, identity{r.author, r.created, r.salt, r.expires})
	h, ok := head.(PostHead)
	if !ok || r.deleted {
		return nil
	}
	var m pb.PostBody
	if err := wire.Unmarshal(p.GetBody(), &m, contentLimits); err != nil {
		return fmt.Errorf("%w: body: %w", ErrMalformed, err)
	}
	if r.post, err = postBodyOf(&m); err != nil {
		return err
	}
	return r.post.check(h)
}

// parseHead reads the head of a kind.
func parseHead(k pb.Kind, b []byte) (Head, error) {
	var (
		m    proto.Message
		head func() (Head, error)
	)
	switch k {
	case pb.Kind_KIND_POST:
		p := &pb.PostHead{}
		m, head = p, func() (Head, error) { return postHeadOf(p) }
	case pb.Kind_KIND_REACTION:
		p := &pb.ReactionHead{}
		m, head = p, func() (Head, error) { return reactionHeadOf(p) }
	case pb.Kind_KIND_FOLLOW:
		p := &pb.FollowHead{}
		m, head = p, func() (Head, error) {
			u, err := userOf(p.GetFollowed())
			return FollowHead{Followed: u}, err
		}
	case pb.Kind_KIND_REGISTER:
		p := &pb.RegisterHead{}
		m, head = p, func() (Head, error) { return RegisterHead{Name: p.GetName()}, nil }
	case pb.Kind_KIND_NAME:
		p := &pb.NameHead{}
		m, head = p, func() (Head, error) { return NameHead{Nickname: Tag(p.GetNickname())}, nil }
	case pb.Kind_KIND_GRAPH:
		p := &pb.GraphHead{}
		m, head = p, func() (Head, error) { return GraphHead{Soul: Soul(p.GetSoul()), Field: p.GetField()}, nil }
	case pb.Kind_KIND_SEALED:
		p := &pb.SealedHead{}
		m, head = p, func() (Head, error) { return SealedHead{Soul: Soul(p.GetSoul()), Epoch: p.GetEpoch()}, nil }
	default:
		return nil, fmt.Errorf("%w: unknown kind %d", ErrMalformed, k)
	}
	if err := wire.Unmarshal(b, m, contentLimits); err != nil {
		return nil, fmt.Errorf("%w: head: %w", ErrMalformed, err)
	}
	return head()
}

func postHeadOf(p *pb.PostHead) (h PostHead, err error) {
	for _, t := range p.GetTags() {
		h.Tags = append(h.Tags, Tag(t))
	}
	for _, b := range p.GetMentions() {
		u, err := userOf(b)
		if err != nil {
			return PostHead{}, err
		}
		h.Mentions = append(h.Mentions, u)
	}
	if h.Root, err = refOf(p.GetRoot()); err != nil {
		return PostHead{}, err
	}
	h.Parent, err = refOf(p.GetParent())
	return h, err
}

func reactionHeadOf(p *pb.ReactionHead) (Head, error) {
	target, err := refOf(p.GetTarget())
	if err != nil {
		return nil, err
	}
	if target == nil {
		return nil, fmt.Errorf("%w: reaction to nothing", ErrMalformed)
	}
	return ReactionHead{Target: *target, Class: p.GetClass()}, nil
}

func userOf(b []byte) (User, error) {
	if len(b) != len(User{}) {
		return User{}, fmt.Errorf("%w: user key of %d bytes", ErrMalformed, len(b))
	}
	return User(b), nil
}

func refOf(p *pb.Reference) (*Ref, error) {
	if p == nil {
		return nil, nil
	}
	author, err := userOf(p.GetAuthor())
	if err != nil {
		return nil, err
	}
	if len(p.GetKey()) != len(ItemKey{}) || p.GetCreated() > uint64(MaxMillis) {
		return nil, fmt.Errorf("%w: reference", ErrMalformed)
	}
	return &Ref{Author: author, Created: Millis(p.GetCreated()), Key: ItemKey(p.GetKey())}, nil
}
