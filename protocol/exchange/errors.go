package exchange

import (
	"errors"
	"fmt"
	"strings"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/protocol/pb"
	"github.com/starling-social/starling/records"
)

// What a caller can act on.
var (
	ErrUnavailable = errors.New("peer does not answer")    // ask another member
	ErrProtocol    = errors.New("peer broke the protocol") // ask another member, and remember this one
	ErrClosed      = errors.New("client is closed")        // the node is going down
	// ErrFull is what a Store's Merge wraps when it has no room for the records of
	// others.
	ErrFull = errors.New("no room for more records")
)

// Code says to a program why something was refused. Those of newer peers may be
// unknown here.
type Code uint8

// The codes, with what to do.
const (
	Malformed        Code = Code(pb.Code_CODE_MALFORMED)         // do not send it again
	WrongNetwork     Code = Code(pb.Code_CODE_WRONG_NETWORK)     // do not send it here
	BadSignature     Code = Code(pb.Code_CODE_BAD_SIGNATURE)     // forget it
	InsufficientWork Code = Code(pb.Code_CODE_INSUFFICIENT_WORK) // sign it again with more work
	FromTheFuture    Code = Code(pb.Code_CODE_FROM_THE_FUTURE)   // look at the clock; later it may pass
	Misplaced        Code = Code(pb.Code_CODE_MISPLACED)         // it belongs to other places
	NotAMember       Code = Code(pb.Code_CODE_NOT_A_MEMBER)      // look the members up again
	TooLarge         Code = Code(pb.Code_CODE_TOO_LARGE)         // ask for less at once
	Busy             Code = Code(pb.Code_CODE_BUSY)              // ask later, or another member
	Full             Code = Code(pb.Code_CODE_FULL)              // ask another member
	Internal         Code = Code(pb.Code_CODE_INTERNAL)          // the peer's own fault
	WrongOwner       Code = Code(pb.Code_CODE_WRONG_OWNER)       // only somebody else may write there
)

var codeNames = [...]string{
	Malformed: "malformed", WrongNetwork: "wrong network", BadSignature: "bad signature",
	InsufficientWork: "insufficient work", FromTheFuture: "from the future", Misplaced: "misplaced",
	NotAMember: "not a member", TooLarge: "too large", Busy: "busy", Full: "full", Internal: "internal",
	WrongOwner: "wrong owner",
}

func (c Code) String() string {
	if c >= Malformed && int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Refusal is a peer's no. Its sentence is for people, from a stranger: escape it.
type Refusal struct {
	Code     Code
	Sentence string
}

func (r *Refusal) Error() string { return fmt.Sprintf("refused: %s: %q", r.Code, r.Sentence) }

// refuse is the refusal for err, which is one of records' or of this package's.
func refuse(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	for _, c := range [...]struct {
		err  error
		code Code
	}{
		{records.ErrMalformed, Malformed},
		{records.ErrNotPlace, Malformed},
		{records.ErrWrongNetwork, WrongNetwork},
		{records.ErrSignature, BadSignature},
		{records.ErrCertificate, BadSignature},
		{records.ErrWork, InsufficientWork},
		{records.ErrFuture, FromTheFuture},
		{records.ErrWrongOwner, WrongOwner},
		{records.ErrMisplaced, Misplaced},
		{records.ErrTooLarge, TooLarge},
		{ErrFull, Full},
	} {
		if errors.Is(err, c.err) {
			return &Refusal{c.code, err.Error()}
		}
	}
	return &Refusal{Internal, "something went wrong here; it is not your fault"}
}

// offence tells whether an honest node never puts what is refused for this.
func (c Code) offence() bool {
	switch c {
	case Malformed, WrongNetwork, BadSignature, InsufficientWork, TooLarge:
		return true
	default:
		return false
	}
}

func (r *Refusal) message() *pb.Refusal {
	return &pb.Refusal{Code: pb.Code(r.Code), Sentence: sentence(r.Sentence)}
}

func refusalOf(m *pb.Refusal) *Refusal {
	code := m.GetCode()
	if code < 0 || code > 255 {
		code = pb.Code_CODE_UNSPECIFIED
	}
	return &Refusal{Code: Code(code), Sentence: sentence(m.GetSentence())}
}

// sentence cuts s to what a refusal may say.
func sentence(s string) string {
	if len(s) > protocol.MaxSentence {
		s = s[:protocol.MaxSentence]
	}
	return strings.ToValidUTF8(s, "")
}
