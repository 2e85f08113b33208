// Package doctor looks at what a node stands on: the disk, the ports, the limits and
// the clock of its machine, and the nodes that it is to join by. It says what it found
// and what to do about it.
//
// It owns the checks. What is configured and whether a node runs is told to it, and it
// changes nothing, save that it writes a file into the data directory and removes it.
//
// [Examine] runs every check in a goroutine of its own. One that does not come to an
// end in its time is reported as such and left behind: a disk that hangs cannot be
// interrupted, and the process that asked ends soon. There are no errors; what could not be looked at
// is a [Finding] that says so.
package doctor
