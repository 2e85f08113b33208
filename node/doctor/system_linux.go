package doctor

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func descriptors() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	return l.Max, nil // Go raises the soft limit to the hard one
}

func udpBuffers() (receive, send int64, err error) {
	if receive, err = number("/proc/sys/net/core/rmem_max"); err != nil {
		return 0, 0, err
	}
	send, err = number("/proc/sys/net/core/wmem_max")
	return receive, send, err
}

func number(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// unsynchronised is STA_UNSYNC of adjtimex(2).
const unsynchronised = 0x40

func synchronised() (bool, error) {
	var t syscall.Timex
	if _, err := syscall.Adjtimex(&t); err != nil {
		return false, fmt.Errorf("adjtimex: %w", err)
	}
	return t.Status&unsynchronised == 0, nil
}

// portOwner is the program that listens on a port, as far as we may know; empty if not.
func portOwner(network string, port int) string {
	sockets := map[string]bool{}
	for _, table := range []string{network, network + "6"} {
		for _, inode := range listening(filepath.Join("/proc/net", table), port) {
			sockets["socket:["+inode+"]"] = true
		}
	}
	if len(sockets) == 0 {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // others' are not shown to us
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && sockets[to] {
			pid := strings.Split(link, "/")[2]
			name, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return ""
}

// listening are the inodes of the sockets that wait on a port, in a table of /proc/net.
func listening(table string, port int) (inodes []string) {
	const local, state, inode = 1, 3, 9
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || !strings.HasSuffix(fields[local], fmt.Sprintf(":%04X", port)) {
			continue
		}
		if fields[state] == "0A" || fields[state] == "07" { // LISTEN of TCP, unconnected of UDP
			inodes = append(inodes, fields[inode])
		}
	}
	return inodes
}
