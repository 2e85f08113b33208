package wire_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/starling-social/starling/records/wire"
)

// limits are ample for the messages of these tests.
var limits = wire.Limits{Fields: 100, Depth: 5}

// everything is a message type with a field of every type and cardinality that
// Check knows:
//
//	fields 1 to 13  singular: double sfixed32 int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 enum message
//	14 to 17        sfixed32 sfixed64 sint32 sint64
//	20 to 26        lists: packed int32, bool, fixed64, unpacked sint32, string, bytes, message
//	27, 28          with presence: int32, bytes
//	30 to 32        oneof of string, int32, message
//	35, 36          a second oneof of bool and message
//
// No float, because the library's dynamic messages change signalling NaNs.
var everything = mustDescribe()

func mustDescribe() protoreflect.MessageDescriptor {
	type kind = descriptorpb.FieldDescriptorProto_Type
	self, enum := ".t.Everything", ".t.Enum"
	field := func(num int32, k kind, label descriptorpb.FieldDescriptorProto_Label) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(fmt.Sprintf("f%d", num)), Number: &num, Type: &k, Label: &label,
		}
		switch k {
		case descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
			f.TypeName = &self
		case descriptorpb.FieldDescriptorProto_TYPE_ENUM:
			f.TypeName = &enum
		default:
		}
		return f
	}
	const one, many = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	m := &descriptorpb.DescriptorProto{Name: proto.String("Everything")}
	for i, k := range []kind{1, 15, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 11, 15, 16, 17, 18} {
		m.Field = append(m.Field, field(int32(i+1), k, one))
	}
	for i, k := range []kind{5, 8, 6, 17, 9, 12, 11} {
		f := field(int32(20+i), k, many)
		if k == 17 {
			f.Options = &descriptorpb.FieldOptions{Packed: proto.Bool(false)}
		}
		m.Field = append(m.Field, f)
	}
	inOneof := func(index int32, fs ...*descriptorpb.FieldDescriptorProto) {
		for _, f := range fs {
			f.OneofIndex = &index
			m.Field = append(m.Field, f)
		}
	}
	inOneof(0, field(30, 9, one), field(31, 5, one), field(32, 11, one))
	inOneof(1, field(35, 8, one), field(36, 11, one))
	for i, k := range []kind{5, 12} {
		f := field(int32(27+i), k, one)
		f.Proto3Optional = proto.Bool(true)
		inOneof(int32(2+i), f)
	}
	for _, name := range []string{"first", "second", "_f27", "_f28"} {
		m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: &name})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("t.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"), MessageType: []*descriptorpb.DescriptorProto{m},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Enum"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("ZERO"), Number: proto.Int32(0)},
		}}},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().Get(0)
}

// rule is bytes that break one rule alone, and bytes beside them that keep it.
type rule struct {
	name      string
	good, bad []byte
}

func rules() []rule {
	long := []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}
	return []rule{
		{"ascending", []byte{3 << 3, 1, 4 << 3, 1}, []byte{4 << 3, 1, 3 << 3, 1}},
		{"singular once", []byte{3 << 3, 1}, []byte{3 << 3, 1, 3 << 3, 1}},
		{"list of strings", tagged(24, 2, 0, 0xc2, 1, 0), tagged(4, 2, 0)},
		{"packed list once", tagged(20, 2, 2, 1, 1), append(tagged(20, 2, 1, 1), tagged(20, 2, 1, 1)...)},
		{"packed list written unpacked", tagged(20, 2, 1, 1), tagged(20, 0, 1)},
		{"unpacked list written packed", tagged(23, 0, 1), tagged(23, 2, 1, 1)},
		{"packed list that is empty", nil, tagged(20, 2, 0)},
		{"shortest tag", []byte{3 << 3, 1}, []byte{3<<3 | 0x80, 0, 1}},
		{"shortest varint", []byte{3 << 3, 1}, []byte{3 << 3, 0x81, 0}},
		{"shortest length", tagged(9, 2, 1, 'a'), tagged(9, 2, 0x81, 0, 'a')},
		{"varint of 64 bits", []byte{4 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, []byte{4 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}},
		{"varint that ends", []byte{4 << 3, 1}, []byte{4 << 3, 0x81}},
		{"length within", tagged(10, 2, 1, 0), tagged(10, 2, 2, 0)},
		{"length of 2^63", tagged(10, 2, 1, 0), append(tagged(10, 2), long...)},
		{"fixed64 of 8 bytes", tagged(6, 1, 1, 0, 0, 0, 0, 0, 0, 0), tagged(6, 1, 1, 0, 0, 0, 0, 0, 0)},
		{"fixed32 of 4 bytes", tagged(7, 5, 1, 0, 0, 0), tagged(7, 5, 1, 0, 0)},
		{"wire type", tagged(9, 2, 1, 'a'), tagged(9, 0, 1)},
		{"no groups", nil, []byte{3<<3 | 3, 3<<3 | 4}},
		{"no unknown groups", nil, tagged(99, 3)},
		{"no wire type 7", nil, tagged(99, 7)},
		{"field number from 1", []byte{1<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 1}, []byte{0, 1}},
		{"field number to 2^29-1", tagged(1<<29-1, 0, 1), []byte{0x80, 0x80, 0x80, 0x80, 0x10, 1}},
		{"UTF-8", tagged(9, 2, 2, 0xc3, 0xa9), tagged(9, 2, 1, 0xff)},
		{"UTF-8 without surrogates", tagged(9, 2, 1, 'a'), tagged(9, 2, 3, 0xed, 0xa0, 0x80)},
		{"UTF-8 in lists", tagged(24, 2, 1, 'a'), tagged(24, 2, 1, 0xff)},
		{"zero int", nil, []byte{3 << 3, 0}},
		{"zero bool", []byte{8 << 3, 1}, []byte{8 << 3, 0}},
		{"zero enum", []byte{12 << 3, 1}, []byte{12 << 3, 0}},
		{"zero double", tagged(1, 1, 0, 0, 0, 0, 0, 0, 0, 0x80), tagged(1, 1, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"zero sfixed32", tagged(2, 5, 0, 0, 0, 0x80), tagged(2, 5, 0, 0, 0, 0)},
		{"empty string", nil, tagged(9, 2, 0)},
		{"empty bytes", nil, tagged(10, 2, 0)},
		{"zeros in lists", tagged(20, 2, 2, 0, 0), tagged(3, 0, 0)},
		{"zeros with presence", append(tagged(27, 0, 0), tagged(28, 2, 0)...), tagged(3, 0, 0)},
		{"zeros in a oneof", tagged(31, 0, 0), tagged(3, 0, 0)},
		{"empty message", tagged(13, 2, 0), tagged(10, 2, 0)},
		{"one of a oneof", tagged(30, 2, 0), append(tagged(30, 2, 0), tagged(31, 0, 1)...)},
		{"one of each oneof", append(tagged(30, 2, 0), tagged(35, 0, 1)...), append(tagged(35, 0, 1), tagged(36, 2, 0)...)},
		{"bool of one bit", []byte{8 << 3, 1}, []byte{8 << 3, 2}},
		{"uint32", protowire.AppendVarint([]byte{11 << 3}, math.MaxUint32), protowire.AppendVarint([]byte{11 << 3}, 1<<32)},
		{"int32", protowire.AppendVarint([]byte{5 << 3}, math.MaxUint64), protowire.AppendVarint([]byte{5 << 3}, math.MaxUint32)},
		{"enum", protowire.AppendVarint([]byte{12 << 3}, math.MaxInt32), protowire.AppendVarint([]byte{12 << 3}, 1<<31)},
		{"sint32", append(tagged(16, 0), protowire.AppendVarint(nil, math.MaxUint32)...), append(tagged(16, 0), protowire.AppendVarint(nil, 1<<32)...)},
		{"int32 in a list", tagged(20, 2, 1, 5), tagged(20, 2, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)},
		{"bool in a list", tagged(21, 2, 2, 0, 1), tagged(21, 2, 1, 2)},
		{"fixed64 in a list", tagged(22, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0), tagged(22, 2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"varint in a list that ends", tagged(20, 2, 1, 1), tagged(20, 2, 1, 0x81)},
		{"unknown field once", tagged(99, 0, 1), append(tagged(99, 0, 1), tagged(99, 0, 1)...)},
		{"unknown field in shortest form", tagged(99, 0, 0), tagged(99, 0, 0x80, 0)},
		{"nested message", tagged(13, 2, 2, 3<<3, 1), tagged(13, 2, 2, 3<<3, 0)},
	}
}

// Each rule holds.
func TestCheck_rules(t *testing.T) {
	for _, c := range rules() {
		if err := check(c.good); err != nil {
			t.Errorf("%s: %x: %v", c.name, c.good, err)
		}
		if len(c.bad) == 0 {
			continue
		}
		if err := check(c.bad); !errors.Is(err, wire.ErrWire) {
			t.Errorf("%s: %x was taken: %v", c.name, c.bad, err)
		}
		if err := wire.Unmarshal(c.bad, dynamicpb.NewMessage(everything), limits); !errors.Is(err, wire.ErrWire) {
			t.Errorf("%s: %x was decoded: %v", c.name, c.bad, err)
		}
	}
}

// What passes and the library refuses all the same, as what lacks a field that an old
// message must have, is refused as anything else is.
func TestUnmarshal_libraryRefuses(t *testing.T) {
	m := &descriptorpb.UninterpretedOption_NamePart{}
	if err := wire.Check(nil, m.ProtoReflect().Descriptor(), limits); err != nil {
		t.Fatal(err)
	}
	if err := wire.Unmarshal(nil, m, limits); !errors.Is(err, wire.ErrWire) {
		t.Errorf("a message without what it requires: %v", err)
	}
}

func check(b []byte) error { return wire.Check(b, everything, limits) }

func tagged(num protowire.Number, typ protowire.Type, value ...byte) []byte {
	return append(protowire.AppendTag(nil, num, typ), value...)
}

// nested is n messages within one another.
func nested(n int) (b []byte) {
	for range n - 1 {
		b = protowire.AppendBytes(tagged(13, 2), b)
	}
	return b
}

// Depth, number of fields and highest field number are bounded, before anything
// is allocated for them.
func TestCheck_limits(t *testing.T) {
	for depth, fits := range map[int]bool{1: true, 5: true, 6: false, 10_000: false} {
		if err := check(nested(depth)); (err == nil) != fits {
			t.Errorf("%d messages deep: %v", depth, err)
		}
	}
	list := func(n int) (b []byte) {
		for range n {
			b = append(b, tagged(26, 2, 0)...)
		}
		return b
	}
	packed := func(n int) []byte { return protowire.AppendBytes(tagged(20, 2), make([]byte, n)) }
	for _, make := range []func(int) []byte{list, packed} {
		for n, fits := range map[int]bool{98: true, 101: false, 1_000_000: false} {
			if err := check(make(n)); (err == nil) != fits {
				t.Errorf("%d elements: %v", n, err)
			}
		}
	}
	million := list(1_000_000)
	if n := testing.AllocsPerRun(10, func() { _ = check(million) }); n > 10 {
		t.Errorf("%v allocations for a million empty messages", n)
	}
	for num, fits := range map[protowire.Number]bool{8: true, 9: true, 10: false, 99: false} {
		b := tagged(num, 2, 1, 'a')
		if num == 8 {
			b = tagged(8, 0, 1)
		}
		if err := wire.Check(b, everything, wire.Limits{Fields: 9, Depth: 9, Highest: 9}); (err == nil) != fits {
			t.Errorf("field %d of at most 9: %v", num, err)
		}
	}
	inner := protowire.AppendBytes(tagged(13, 2), tagged(20, 2, 1, 1))
	if err := wire.Check(inner, everything, wire.Limits{Fields: 9, Depth: 9, Highest: 13}); err != nil {
		t.Errorf("the highest number holds for the outermost message alone: %v", err)
	}
}

// Whatever our encoder makes passes, and decodes to what it was.
func TestCheck_takesWhatIsEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t, 3)
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got := dynamicpb.NewMessage(everything)
		if err := wire.Unmarshal(b, got, wire.Limits{Fields: 10_000, Depth: 9}); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		if !proto.Equal(got, m) {
			t.Fatalf("%v became %v", m, got)
		}
	})
}

func drawMessage(t *rapid.T, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(everything)
	for i := range everything.Fields().Len() {
		f := everything.Fields().Get(i)
		if !rapid.Bool().Draw(t, "set") || (f.Message() != nil && depth == 0) {
			continue
		}
		if !f.IsList() {
			m.Set(f, drawValue(t, f, depth))
			continue
		}
		list := m.Mutable(f).List()
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list.Append(drawValue(t, f, depth))
		}
	}
	return m
}

func drawValue(t *rapid.T, f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	n := rapid.SampledFrom([]int64{0, 1, -1, 127, 128, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}).Draw(t, "number")
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n&1 == 1)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(int32(n)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(n)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.Copysign(float64(n), float64(n)))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "string"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	default:
		return protoreflect.ValueOfMessage(drawMessage(t, depth-1))
	}
}
