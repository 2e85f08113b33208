package main

// ofNodes are bugs in what a node does.
func ofNodes() []bug {
	return []bug{
		one("what is handed over is dropped before others have it", "node/shed.go",
			"	return hold >= max(", "	return hold+len(r.members) >= max(", "TestHeldThere"),
		one("who has no room leaves a place to fewer than a neighbourhood", "node/shed.go",
			"	if !narrowed {\n		least", "	if narrowed || !narrowed {\n		least", "TestHeldThere"),
		one("who has no room takes more as soon as there is a little", "node/narrow.go",
			"f.room.Bytes >= f.held+f.held/2 &&", "f.room.Bytes >= 0 &&", "TestFit_comesToRest"),
		one("a joining node answers before it has its share", "node/heal.go",
			"	default:\n		return errNotFilled\n", "	default:\n		return nil\n", "TestHeal_join"),
		one("a copy counts whatever is above it", "node/copies.go",
			"	for up, below := p.Parent(); below && whole; up, below = up.Parent() {", "	for up, below := p.Parent(); below && up.Level() < 0; up, below = up.Parent() {", "TestCopies_fresh"),
		one("one member's bound is believed", "node/descent.go",
			"		if t.below >= majority(t.members) {", "		if t.below >= 1 {", "TestBelief_lowBound"),
		one("half of the members are a majority", "node/publish.go",
			"return members/2 + 1", "return max(1, members/2)", "TestStep_majority"),
		one("what waits is let go of before those below have it", "node/carry.go",
			"		if below[i] {\n			done = append(done, put)\n			continue\n		}\n", "		if below[i] || len(ready) > 0 {\n			done = append(done, put)\n			continue\n		}\n", "TestCarry_writerKilled"),
		one("a member is given what it lacks again and again", "node/repair.go",
			"	case since < g.next:\n", "	case since < 0:\n", "TestRepair_bounded"),
		one("healing gives without a limit", "node/heal.go",
			"		if s.left == 0 || d.Ours == (records.ID{}) {", "		if d.Ours == (records.ID{}) {", "TestGive_bounded"),
		one("what nobody reads is never read", "node/scrub.go",
			"n.store.Scrub(ctx, at, scrubBatch)", "n.store.Scrub(ctx, at, 0)", "TestScrub_healsTheUnread"),
		one("an archive says what is the owner's", "node/export.go",
			"return min(stored, datastore.Held), nil", "return stored, nil", "TestImport_others"),
	}
}
