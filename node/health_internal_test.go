package node

import (
	"fmt"
	"slices"
	"testing"

	"github.com/starling-social/starling/datastore"
)

// Idle is healthy; everything that keeps a node from its work is named, the store's
// troubles beside the network's.
func TestHealth_reasons(t *testing.T) {
	full := fmt.Errorf("%w: 0 bytes of disk are free", datastore.ErrFull)
	for name, c := range map[string]struct {
		vitals
		want []AilmentCode
	}{
		"all is well":        {vitals{ready: true}, nil},
		"nobody answers":     {vitals{}, []AilmentCode{Starting}},
		"ending":             {vitals{ready: true, stopping: true}, []AilmentCode{Draining}},
		"ended":              {vitals{stopping: true, fault: datastore.ErrClosed}, []AilmentCode{Draining}},
		"disk full":          {vitals{ready: true, fault: full}, []AilmentCode{StoreFull}},
		"disk failed":        {vitals{ready: true, fault: datastore.ErrBroken}, []AilmentCode{StoreReadOnly}},
		"damaged":            {vitals{ready: true, harmed: true}, []AilmentCode{StoreHarmed}},
		"damaged and failed": {vitals{harmed: true, fault: datastore.ErrBroken}, []AilmentCode{Starting, StoreReadOnly, StoreHarmed}},
	} {
		h := healthOf(c.vitals)
		var got []AilmentCode
		for _, r := range h.Reasons {
			got = append(got, r.Code)
			if r.Sentence == "" || !slices.Contains(Ailments(), r.Code) {
				t.Errorf("%s: %q is no reason to show", name, r)
			}
		}
		if !slices.Equal(got, c.want) || h.Ready != (len(c.want) == 0) {
			t.Errorf("%s: ready is %t for %q, want %q", name, h.Ready, got, c.want)
		}
	}
}
