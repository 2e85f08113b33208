// Package wire checks Protocol Buffers bytes from outside before anything is
// allocated for them.
//
// The library's decoder accepts far more than its encoder makes: repeated
// singular fields, any order, over-long varints, a million empty messages. Bytes
// that pass [Check] are in the one order and form our encoder makes, within
// stated bounds, so two decoders cannot disagree about what they mean.
//
// It starts no goroutine. Every refusal wraps [ErrWire].
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
	Fields int // fields of all messages together, repeated ones counted each
	Depth  int // messages within messages, the outermost counted
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
// order, singular ones at most once, varints and lengths in their shortest form,
// strings in UTF-8, within limits. Fields that d does not know are bounded but
// otherwise left alone.
func Check(b []byte, d protoreflect.MessageDescriptor, limits Limits) error {
	c := checker{left: limits.Fields}
	return c.message(b, d, limits.Depth)
}

type checker struct{ left int } // fields that may still come

func (c *checker) message(b []byte, d protoreflect.MessageDescriptor, depth int) error {
	if depth <= 0 {
		return fmt.Errorf("%w: %s is nested too deep", ErrWire, d.Name())
	}
	fields := d.Fields()
	last := protowire.Number(0)
	var seen [maxOneofs]bool
	for len(b) > 0 {
		if c.left--; c.left < 0 {
			return fmt.Errorf("%w: too many fields", ErrWire)
		}
		num, typ, n, err := tag(b)
		if err != nil {
			return err
		}
		b = b[n:]
		f := fields.ByNumber(num)
		if num < last || (num == last && (f == nil || !f.IsList())) {
			return fmt.Errorf("%w: field %d of %s out of order or twice", ErrWire, num, d.Name())
		}
		last = num
		if f != nil && !onceOf(f, &seen) {
			return fmt.Errorf("%w: two of %s in %s", ErrWire, f.ContainingOneof().Name(), d.Name())
		}
		if n, err = c.value(b, f, typ, depth); err != nil {
			return fmt.Errorf("field %d of %s: %w", num, d.Name(), err)
		}
		b = b[n:]
	}
	return nil
}

// maxOneofs is more than any message of ours has.
const maxOneofs = 4

// onceOf notes that a member of f's oneof was met, and tells whether it was the first.
func onceOf(f protoreflect.FieldDescriptor, seen *[maxOneofs]bool) bool {
	o := f.ContainingOneof()
	if o == nil || o.IsSynthetic() || o.Index() >= maxOneofs {
		return true
	}
	first := !seen[o.Index()]
	seen[o.Index()] = true
	return first
}

// value consumes one value of type typ, of field f when f is known.
func (c *checker) value(b []byte, f protoreflect.FieldDescriptor, typ protowire.Type, depth int) (int, error) {
	if f != nil && typ != wireType(f) {
		return 0, fmt.Errorf("%w: wire type %d", ErrWire, typ)
	}
	switch typ {
	case protowire.VarintType:
		_, n, err := varint(b)
		return n, err
	case protowire.Fixed64Type:
		return fixed(b, 8)
	case protowire.Fixed32Type:
		return fixed(b, 4)
	case protowire.BytesType:
		v, n, err := lengthPrefixed(b)
		if err != nil || f == nil {
			return n, err
		}
		return n, c.content(v, f, depth)
	default:
		return 0, fmt.Errorf("%w: wire type %d", ErrWire, typ)
	}
}

// content checks what stands inside a length-prefixed value.
func (c *checker) content(v []byte, f protoreflect.FieldDescriptor, depth int) error {
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(v) {
			return fmt.Errorf("%w: not UTF-8", ErrWire)
		}
	case protoreflect.MessageKind:
		return c.message(v, f.Message(), depth-1)
	case protoreflect.BytesKind:
	default:
		return c.packed(v, f)
	}
	return nil
}

// packed checks a list of numbers.
func (c *checker) packed(v []byte, f protoreflect.FieldDescriptor) error {
	for len(v) > 0 {
		if c.left--; c.left < 0 {
			return fmt.Errorf("%w: too many numbers", ErrWire)
		}
		n, err := 0, error(nil)
		switch scalarType(f.Kind()) {
		case protowire.Fixed64Type:
			n, err = fixed(v, 8)
		case protowire.Fixed32Type:
			n, err = fixed(v, 4)
		default:
			_, n, err = varint(v)
		}
		if err != nil {
			return err
		}
		v = v[n:]
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

func varint(b []byte) (uint64, int, error) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, 0, fmt.Errorf("%w: %w", ErrWire, protowire.ParseError(n))
	}
	if n != protowire.SizeVarint(v) {
		return 0, 0, fmt.Errorf("%w: varint is not in its shortest form", ErrWire)
	}
	return v, n, nil
}

func fixed(b []byte, n int) (int, error) {
	if len(b) < n {
		return 0, fmt.Errorf("%w: cut short", ErrWire)
	}
	return n, nil
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
