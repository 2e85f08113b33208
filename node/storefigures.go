package node

import "github.com/starling-social/starling/datastore"

func storeFigures() []figure {
	return []figure{
		gauges("starling_store_records", "Records in the store, by for whom they are kept.", func(i *instant, say tell) {
			for c := range datastore.Class(datastore.Classes) {
				say(float64(i.stats.Class[c].Records), c.String())
			}
		}, "class"),
		gauges("starling_store_bytes", "Bytes of the store, by for whom they are kept; upkeep is its own.", func(i *instant, say tell) {
			rest := i.stats.Bytes
			for c := range datastore.Class(datastore.Classes) {
				say(float64(i.stats.Class[c].Bytes), c.String())
				rest -= i.stats.Class[c].Bytes
			}
			say(float64(rest), "upkeep")
		}, "class"),
		gauge("starling_store_quota_bytes", "Bytes of the store above which nothing but the owner's is taken in; 0 for no bound.", func(i *instant) float64 { return float64(i.Quota) }),
		gauge("starling_store_places", "Places with a record in them.", func(i *instant) float64 { return float64(i.stats.Places) }),
		gauge("starling_store_entries", "Records in buckets and as witnesses, over all places.", func(i *instant) float64 { return float64(i.stats.Entries) }),
		gauge("starling_store_displaced_entries", "Entries that are kept until they have been carried further down.", func(i *instant) float64 { return float64(i.stats.Displaced) }),
		gauge("starling_store_damaged_records", "Records that the disk damaged and that were put aside.", func(i *instant) float64 { return float64(i.stats.Damaged) }),
		gauge("starling_store_writable", "1 while the store can be written to.", func(i *instant) float64 { return truth(i.disk.Fault == nil) }),
		gauge("starling_disk_free_bytes", "Bytes of the store's disk that are free.", func(i *instant) float64 { return float64(i.disk.Free) }),
		gauge("starling_disk_size_bytes", "Bytes of the store's disk.", func(i *instant) float64 { return float64(i.disk.Size) }),
		gauge("starling_disk_reserved_bytes", "Bytes of the disk that are left free by what others want stored.", func(i *instant) float64 { return float64(i.disk.Floor) }),
	}
}

func upkeepFigures() []figure {
	upkeep := func(value func(datastore.Upkeep) float64) func(*instant) float64 {
		return func(i *instant) float64 { return value(i.disk.Upkeep) }
	}
	return []figure{
		gauge("starling_store_tables_bytes", "Bytes of the database's tables on disk.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Tables) })),
		gauge("starling_store_log_bytes", "Bytes of the database's log on disk.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Log) })),
		gauge("starling_store_unflushed_bytes", "Bytes in memory that are to become tables.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Waiting) })),
		gauge("starling_store_read_amplification", "Layers of tables that a read may have to look through.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Overlaps) })),
		gauge("starling_store_compaction_debt_bytes", "Bytes to be written until the tables are in order, estimated.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Debt) })),
		counter("starling_store_compactions_total", "Times that tables were put in order, since the database was opened.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Compactions) })),
		counter("starling_store_compaction_seconds_total", "Time that putting tables in order took, since the database was opened.", upkeep(func(u datastore.Upkeep) float64 { return u.Compacting.Seconds() })),
		counter("starling_store_failed_compactions_total", "Times that tables could not be put in order, since the database was opened.", upkeep(func(u datastore.Upkeep) float64 { return float64(u.Failed) })),
		counters("starling_store_block_reads_total", "Blocks of tables that were read, by where they were found, since the database was opened.", func(i *instant, say tell) {
			say(float64(i.disk.Upkeep.Hits), "memory")
			say(float64(i.disk.Upkeep.Misses), "disk")
		}, "from"),
	}
}
