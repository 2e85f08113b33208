package main

import "slices"

func all() []bug {
	return slices.Concat(lightly(ofRecords()...), lightly(ofRules()...), ofWires(), ofStores(), ofNodes())
}

// ofRecords are bugs at the door, in the order of versions and in what readers make
// of what they are shown.
func ofRecords() []bug {
	return []bug{
		one("signature is not checked", "records/open.go",
			"if !e.verify(n) {", "if false && !e.verify(n) {", "TestOpen_refusals"),
		one("work is not checked", "records/open.go",
			"if proven < want {", "if proven < 0 {", "TestOpen_refusals"),
		one("records of other networks pass", "records/open.go",
			"if string(e.network) != n.ID() {", "if len(e.network) == 0 {", "TestOpen_refusals"),
		one("what the disk damaged is not noticed", "records/open.go",
			"if DigestOf(b) != d {", "if len(b) == 0 {", "TestRestore_damaged"),
		one("a tombstone loses to an old version", "records/record.go",
			"	if c := cmp.Compare(r.epoch, o.epoch); c != 0 {",
			"	if r.deleted != o.deleted {\n\t\treturn o.deleted\n\t}\n	if c := cmp.Compare(r.epoch, o.epoch); c != 0 {",
			"TestVersions_ofAPost"),
		one("something older replaces what expired", "records/record.go",
			"	if c := cmp.Compare(r.rev, o.rev); c != 0 {",
			"	if c := cmp.Compare(r.rev, o.rev); c != 0 && r.expires == 0 && o.expires == 0 {",
			"TestWins_expired"),
		one("a record fits places of others", "records/record.go",
			"root.At(p.Level(), r) == p", "root.Timed() == p.Timed()", "TestFits_exactlyItsPlaces"),
		one("readers believe in a bound without a look at witnesses", "records/walk.go",
			"	children := map[Place]bool{}\n	for _, r := range b.Witnesses {",
			"	children := map[Place]bool{}\n	for _, r := range b.Witnesses[:0] {",
			"TestWalk_exact"),
		one("the winner depends on the order of arrival", "records/state.go",
			"		if !r.Wins(w) {", "		if r.Wins(w) {", "TestState_anyOrder"),
	}
}

// ofRules are bugs in rules that have no network: reconciling, archives, healing,
// the node puzzle.
func ofRules() []bug {
	return []bug{
		one("reconciling omits what one side has", "records/reconcile/respond.go",
			"a.w.diff(s.from, s.to, lacked, more)", "a.w.diff(s.from, s.to, lacked, nil)", "TestSession_anyTwoSets"),
		one("a damaged archive passes", "records/archive/read.go",
			"if !bytes.Equal(check, r.chain.sum[:size]) {", "if len(check) != size {", "TestArchive_damage"),
		one("a cut archive passes for whole", "records/archive/read.go",
			"		return ErrCut\n", "		return io.EOF\n", "TestArchive_damage"),
		one("the node puzzle is not looked at", "protocol/puzzle.go",
			"return leadingZeros(sum) >= n.Params.PuzzleBits", "return leadingZeros(sum) >= 0", "TestSolves_golden"),
		one("a node answers for what it compared with one neighbour", "node/healing/view.go",
			"return len(v.Complete) >= 2 &&", "return len(v.Complete) >= 1 &&", "TestView_filled"),
	}
}
