package main

import (
	"encoding"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// profile is what the other settings begin with.
type profile string

const (
	profileDefault  profile = "default"
	profileServer   profile = "server"
	profileLocal    profile = "local"
	profileLowPower profile = "lowpower"
)

// UnmarshalText reads one of the profiles.
func (p *profile) UnmarshalText(b []byte) error {
	return oneOf(p, b, profileDefault, profileServer, profileLocal, profileLowPower)
}

// logFormat is how log lines look.
type logFormat string

const (
	logAuto logFormat = "auto"
	logText logFormat = "text"
	logJSON logFormat = "json"
)

// UnmarshalText reads one of the formats.
func (f *logFormat) UnmarshalText(b []byte) error { return oneOf(f, b, logAuto, logText, logJSON) }

func oneOf[T ~string](v *T, b []byte, all ...T) error {
	var names []string
	for _, one := range all {
		if string(one) == string(b) {
			*v = one
			return nil
		}
		names = append(names, string(one))
	}
	return fmt.Errorf("%.40q: want %s", b, strings.Join(names, ", "))
}

// byteSize is a number of bytes, written as 512MiB, 8GiB or 0.
type byteSize int64

// units are powers of 1024, because disks and memory are counted so here.
var units = []string{"B", "KiB", "MiB", "GiB", "TiB"}

// UnmarshalText reads a whole number and its unit. Without one only 0 is clear.
func (s *byteSize) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	digits := strings.TrimRight(text, "KMGTiB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err == nil && n == 0 && digits == text {
		*s = 0
		return nil
	}
	unit := strings.TrimSpace(text[len(digits):])
	for i, u := range units {
		if err == nil && n >= 0 && u == unit && n <= math.MaxInt64>>(10*i) {
			*s = byteSize(n << (10 * i))
			return nil
		}
	}
	return fmt.Errorf("%.40q: want a whole number and a unit, such as 512MiB or 8GiB; or 0", b)
}

// String has the largest unit that leaves a whole number.
func (s byteSize) String() string {
	if s <= 0 {
		return strconv.FormatInt(int64(s), 10)
	}
	i := min(bits.TrailingZeros64(uint64(s))/10, len(units)-1)
	return strconv.FormatInt(int64(s)>>(10*i), 10) + units[i]
}

// duration is a time.Duration, written as 90s or 3m.
type duration time.Duration

// UnmarshalText reads what [time.ParseDuration] does.
func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%.40q: want a time such as 90s or 3m", b)
	}
	*d = duration(v)
	return nil
}

// String is without the zeros that [time.Duration] appends.
func (d duration) String() string {
	s := time.Duration(d).String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if cut, ok := strings.CutSuffix(s, zeros); ok {
			s = cut + zeros[:1]
		}
	}
	return s
}

// setText sets a value to what is written in the environment or on the command line.
// Items of a list are separated by commas.
func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%.40q: want true or false", text)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%.40q: want a whole number", text)
		}
		v.SetInt(int64(n))
	case reflect.Slice:
		items := []string{}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
		v.Set(reflect.ValueOf(items))
	default:
		panic("a setting of kind " + v.Kind().String()) // settings has none
	}
	return nil
}

// setAny sets a value to what is written in a file.
func setAny(v reflect.Value, x any) error {
	_, worded := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch x := x.(type) {
	case string:
		if worded || v.Kind() == reflect.String {
			return setText(v, x)
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case int64:
		if worded && x == 0 {
			return setText(v, "0")
		}
		if v.Kind() == reflect.Int && !worded {
			v.SetInt(x)
			return nil
		}
	case []any:
		if items, ok := texts(x); ok && v.Kind() == reflect.Slice {
			v.Set(reflect.ValueOf(items))
			return nil
		}
	}
	return fmt.Errorf("want %s", wanted(v, worded))
}

func texts(list []any) (items []string, ok bool) {
	items = make([]string, len(list))
	for i, x := range list {
		if items[i], ok = x.(string); !ok {
			return nil, false
		}
	}
	return items, true
}

// wanted is what a value looks like in a file.
func wanted(v reflect.Value, worded bool) string {
	switch {
	case worded, v.Kind() == reflect.String:
		return "text in quotes, such as " + literal(v)
	case v.Kind() == reflect.Bool:
		return "true or false, without quotes"
	case v.Kind() == reflect.Int:
		return "a whole number"
	default:
		return "a list of texts, such as [\"a\", \"b\"]"
	}
}

// literal is a value as TOML has it.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case bool, int:
		return fmt.Sprint(x)
	case []string:
		quoted := make([]string, len(x))
		for i, item := range x {
			quoted[i] = quote(item)
		}
		if len(x) < 2 {
			return "[" + strings.Join(quoted, ", ") + "]"
		}
		return "[\n  " + strings.Join(quoted, ",\n  ") + ",\n]"
	default:
		return quote(fmt.Sprint(x))
	}
}

// quote is a basic string of TOML, which is one of JSON where nothing is strange.
func quote(s string) string { return strconv.QuoteToGraphic(s) }
