package wire_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/starling-social/starling/records/wire"
)

// What Check takes, the library decodes, and encodes to the same bytes but for
// the fields that it does not know: those it puts last.
func FuzzWireCheck(f *testing.F) {
	for _, r := range rules() {
		f.Add(r.good)
		f.Add(r.bad)
	}
	f.Add([]byte{3 << 3, 1, 8 << 3, 1})
	f.Add(nested(5))
	f.Add(nested(6))
	f.Add(tagged(24, 2, 0, 0xc2, 1, 0))
	f.Add(protowire.AppendBytes(tagged(21, 2), make([]byte, limits.Fields)))
	f.Add(bytes.Repeat(tagged(26, 2, 0), limits.Fields+1))
	f.Add(tagged(20, 2, 3, 0, 1, 2))
	f.Add(append(tagged(30, 2, 0), tagged(35, 0, 1)...))
	f.Add(append(tagged(13, 2, 4, 3<<3, 1, 19<<3&0x7f, 1), tagged(99, 2, 1, 0)...))
	f.Add(protowire.AppendVarint([]byte{5 << 3}, 1<<64-1))
	f.Add(protowire.AppendVarint([]byte{11 << 3}, 1<<32))
	f.Add(append(tagged(24, 2, 0), tagged(24, 2, 1, 'a')...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := check(b); err != nil {
			return
		}
		m := dynamicpb.NewMessage(everything)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		known := withoutUnknown(b, everything)
		if bytes.Equal(known, b) && !bytes.Equal(got, b) {
			t.Fatalf("%x became %x", b, got)
		}
		if got := withoutUnknown(got, everything); !bytes.Equal(got, known) {
			t.Fatalf("the known part of %x is %x, and became %x", b, known, got)
		}
		if err := wire.Check(known, everything, limits); err != nil {
			t.Fatalf("%x without unknown fields: %v", known, err)
		}
	})
}

// withoutUnknown leaves out fields that d does not know, at every depth.
func withoutUnknown(b []byte, d protoreflect.MessageDescriptor) (out []byte) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		value := b[n : n+size]
		b = b[n+size:]
		f := d.Fields().ByNumber(num)
		if f == nil {
			continue
		}
		out = protowire.AppendTag(out, num, typ)
		if f.Message() == nil {
			out = append(out, value...)
			continue
		}
		inner, _ := protowire.ConsumeBytes(value)
		out = protowire.AppendBytes(out, withoutUnknown(inner, f.Message()))
	}
	return out
}
