// Package journal is how a node speaks to whoever runs it: a [log/slog] handler with
// a level for each part of the node, lines for people or JSON for programs, and one
// line instead of a thousand that say the same.
//
// It owns how lines look and which are written. What is said, and of which part (the
// attribute [PartKey] of a logger), belongs to the parts.
//
// [New] starts nothing; each message that was written has a timer for [Window], which
// runs for a moment at its end. After [Journal.Close] nothing is written any more.
// There are no errors: what cannot be written is lost, as with every logger.
package journal

import "time"

// PartKey is the attribute by which a logger says of which part of the node it
// speaks: log.With(journal.PartKey, "store").
const PartKey = "part"

// SettingKey is the attribute of a line that says which setting or limit it is about.
// Lines about different ones are different, also where they say the same of them.
const SettingKey = "setting"

// RepeatedKey is the attribute of a line that stands for others like it: how many.
const RepeatedKey = "repeated"

// Window is how long a message of a part and level is written once. Those that follow
// within it are counted, and the last of them is written at its end. Debug lines are
// all written: whoever asks for them looks for something.
const Window = 10 * time.Second

// maxMessages bounds the messages that are remembered for a window. Ours are fixed
// sentences, some two hundred; those of libraries may hold anything.
const maxMessages = 1024
