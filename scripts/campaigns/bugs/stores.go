package main

// ofStores are bugs in what is kept.
func ofStores() []bug {
	return []bug{
		{
			name: "an acknowledgement does not wait for the disk", file: "datastore/pebble.go",
			edits: []edit{
				{"err = d.db.ApplyNoSyncWait(pb, pebble.Sync)", "err = d.db.Apply(pb, pebble.NoSync)"},
				{"	err := b.SyncWait()\n	if err == nil {\n		err = d.guard.shut()\n	}\n", "	err := d.guard.shut()\n"},
			},
			pkg: "scripts/internal/crash", test: "TestTrial_losesNothing",
		},
		one("nothing keeps others off a closed store", "datastore/store.go",
			"		s.closed = true\n", "		s.closed = false\n", "TestCloseFencesStore"),
		one("a merge does not raise the class of a place", "datastore/class.go",
			"	default:\n		return g.reclass(s, c)\n", "	default:\n		return nil\n", "TestClass_likeTheModel"),
		one("the quota is not kept", "datastore/room.go",
			"	case s.Bytes+bytes > l.quota():", "	case s.Bytes+bytes < 0:", "TestLimits_quota"),
		one("the owner is refused in a full store", "datastore/room.go",
			"	case c == Own:\n		return nil\n	case s.Bytes", "	case s.Bytes", "TestLimits_quota"),
		one("a witness that goes has no heir", "datastore/merge.go",
			"	e, found := s.heir(child)\n	if !found {", "	e, found := s.heir(child)\n	if found || !found {", "TestMerge_damagedInTheWay"),
		one("an edit changes one place alone", "datastore/merge.go",
			"	for _, at := range it.at {\n		s, err := g.loadedShelf(at)", "	for _, at := range it.at[:min(1, len(it.at))] {\n		s, err := g.loadedShelf(at)", "TestMerge_editsEverywhere"),
		one("fingerprints keep what is dropped", "datastore/drop.go",
			"		if e.counts() {\n			g.discount(s, e)\n		}\n		s.remove(e.pos)\n", "		s.remove(e.pos)\n", "TestDrop_leavesTheRest"),
		one("two processes open one store", "datastore/home.go",
			"	lock, err := pebble.LockDirectory(dir, files)\n",
			"	files = vfs.NewMem()\n	_ = files.MkdirAll(dir, 0o700)\n	lock, err := pebble.LockDirectory(dir, files)\n", "TestOpen_locked"),
	}
}
