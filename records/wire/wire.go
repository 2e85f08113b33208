// Package wire checks Protocol Buffers bytes from outside before anything is
// allocated for them.
//
// The library's decoder accepts far more than its encoder makes: repeated
// singular fields, any order, over-long varints, numbers cut to 32 bits, a
// million empty messages. Bytes that pass [Check] are what our encoder makes of
// the message they say, field for field, within stated bounds, so no two
// decoders can disagree about what they mean.
//
// It knows neither maps nor groups nor extensions, which no message of ours has,
// and wants the members of oneofs to have a message's highest field numbers,
// because encoders write them last. It starts no goroutine. Every refusal wraps [ErrWire].
package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrWire is the reason of every refusal of this package.
var ErrWire = errors.New("not a message in our encoding")

// Limits bound one message with all that is nested in it. The bytes themselves
// are bounded by who read them.
type Limits struct {
	Fields  int // fields of all messages together, every element of a list counted
	Depth   int // messages within messages, the outermost counted
	Highest int // highest field number of the outermost message, also of fields it does not know; 0 for any
}

// Unmarshal checks b and then decodes it into m.
func Unmarshal(b []byte, m proto.Message, limits Limits) error {
	if err := Check(b, m.ProtoReflect().Descriptor(), limits); err != nil {
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", ErrWire, err)
	}
	return nil
}

// Check tells whether b is a message of type d with its fields in ascending
// order, singular ones at most once, those without presence only where they are
// not zero, varints and lengths in their shortest form, numbers within their
// type, strings in UTF-8, within limits. A field that d does not know is bounded
// and may come once, and is otherwise left alone.
func Check(b []byte, d protoreflect.MessageDescriptor, limits Limits) error {
	highest := protowire.Number(limits.Highest)
	if highest <= 0 {
		highest = protowire.MaxValidNumber
	}
	c := checker{left: limits.Fields}
	return c.message(b, d, limits.Depth, highest)
}

type checker struct{ left int } // fields that may still come

func (c *checker) message(b []byte, d protoreflect.MessageDescriptor, depth int, highest protowire.Number) error {
	if depth <= 0 {
		return fmt.Errorf("%w: %s is nested too deep", ErrWire, d.Name())
	}
	fields := d.Fields()
	last := protowire.Number(0)
	var oneofs uint64 // by index, those that have a member already
	for len(b) > 0 {
		if err := c.count(); err != nil {
			return err
		}
		num, typ, n, err := tag(b)
		if err != nil {
			return err
		}
		b = b[n:]
		f := fields.ByNumber(num)
		if again := num == last; num < last || num > highest || (again && !many(f)) {
			return fmt.Errorf("%w: field %d of %s out of order, twice or beyond the last", ErrWire, num, d.Name())
		}
		last = num
		if f != nil && !onceOf(f, &oneofs) {
			return fmt.Errorf("%w: two of %s in %s", ErrWire, f.ContainingOneof().Name(), d.Name())
		}
		if n, err = c.value(b, f, typ, depth); err != nil {
			return fmt.Errorf("field %d of %s: %w", num, d.Name(), err)
		}
		b = b[n:]
	}
	return nil
}

// many tells whether f may come more than once in a row.
func many(f protoreflect.FieldDescriptor) bool { return f != nil && f.IsList() && !f.IsPacked() }

func (c *checker) count() error {
	if c.left--; c.left < 0 {
		return fmt.Errorf("%w: too many fields", ErrWire)
	}
	return nil
}

// onceOf notes that a member of f's oneof was met, and tells whether it was the first.
func onceOf(f protoreflect.FieldDescriptor, seen *uint64) bool {
	o := f.ContainingOneof()
	if o == nil || o.IsSynthetic() {
		return true
	}
	bit := uint64(1) << min(o.Index(), 63) // messages with more oneofs than that share the last
	first := *seen&bit == 0
	*seen |= bit
	return first
}

// value consumes one value of type typ, of field f when f is known.
func (c *checker) value(b []byte, f protoreflect.FieldDescriptor, typ protowire.Type, depth int) (int, error) {
	if f != nil && typ != wireType(f) {
		return 0, fmt.Errorf("%w: wire type %d", ErrWire, typ)
	}
	if typ == protowire.BytesType {
		v, n, err := lengthPrefixed(b)
		if err != nil || f == nil {
			return n, err
		}
		return n, c.content(v, f, depth)
	}
	v, n, err := number(b, typ)
	if err != nil || f == nil {
		return n, err
	}
	if v == 0 && !f.HasPresence() && !f.IsList() {
		return 0, errZero
	}
	return n, within(v, f.Kind())
}

var errZero = fmt.Errorf("%w: a zero that is not to be written", ErrWire)

// content checks what stands inside a length-prefixed value of field f.
func (c *checker) content(v []byte, f protoreflect.FieldDescriptor, depth int) error {
	if len(v) == 0 && !f.HasPresence() && (!f.IsList() || f.IsPacked()) {
		return errZero
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(v) {
			return fmt.Errorf("%w: not UTF-8", ErrWire)
		}
		return nil
	case protoreflect.MessageKind:
		return c.message(v, f.Message(), depth-1, protowire.MaxValidNumber)
	case protoreflect.BytesKind:
		return nil
	default:
		return c.packed(v, f.Kind())
	}
}

// packed checks a list of numbers.
func (c *checker) packed(b []byte, k protoreflect.Kind) error {
	for len(b) > 0 {
		if err := c.count(); err != nil {
			return err
		}
		v, n, err := number(b, scalarType(k))
		if err != nil {
			return err
		}
		if err := within(v, k); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// within tells whether v is how a number of kind k is written. A decoder would
// cut what is too long.
func within(v uint64, k protoreflect.Kind) error {
	ok := true
	switch k {
	case protoreflect.BoolKind:
		ok = v <= 1
	case protoreflect.Uint32Kind, protoreflect.Sint32Kind:
		ok = v == uint64(uint32(v))
	case protoreflect.Int32Kind, protoreflect.EnumKind:
		ok = v == uint64(int64(int32(v)))
	default:
	}
	if !ok {
		return fmt.Errorf("%w: %d is no %s", ErrWire, v, k)
	}
	return nil
}

func wireType(f protoreflect.FieldDescriptor) protowire.Type {
	if f.IsPacked() {
		return protowire.BytesType
	}
	return scalarType(f.Kind())
}

func scalarType(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	default:
		return protowire.VarintType
	}
}

func tag(b []byte) (protowire.Number, protowire.Type, int, error) {
	v, n, err := varint(b)
	if err != nil {
		return 0, 0, 0, err
	}
	num, typ := protowire.DecodeTag(v)
	if num < protowire.MinValidNumber || v > 1<<32-1 {
		return 0, 0, 0, fmt.Errorf("%w: field number", ErrWire)
	}
	return num, typ, n, nil
}

// number consumes a value of a type that holds one number.
func number(b []byte, typ protowire.Type) (uint64, int, error) {
	switch typ {
	case protowire.VarintType:
		return varint(b)
	case protowire.Fixed64Type:
		v, n := protowire.ConsumeFixed64(b)
		return v, n, short(n)
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		return uint64(v), n, short(n)
	default:
		return 0, 0, fmt.Errorf("%w: wire type %d", ErrWire, typ)
	}
}

func short(n int) error {
	if n < 0 {
		return fmt.Errorf("%w: %w", ErrWire, protowire.ParseError(n))
	}
	return nil
}

func varint(b []byte) (uint64, int, error) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, 0, short(n)
	}
	if n != protowire.SizeVarint(v) {
		return 0, 0, fmt.Errorf("%w: varint is not in its shortest form", ErrWire)
	}
	return v, n, nil
}

func lengthPrefixed(b []byte) ([]byte, int, error) {
	v, n, err := varint(b)
	if err != nil {
		return nil, 0, err
	}
	if v > uint64(len(b)-n) {
		return nil, 0, fmt.Errorf("%w: length runs past the end", ErrWire)
	}
	return b[n : n+int(v)], n + int(v), nil
}
