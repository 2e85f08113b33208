package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// A box runs a command as a container would: in a network namespace of its own, on a
// root directory of its own that can only be read, as the user of the image, with the
// image's environment and the service's and nothing else.
type box struct {
	name, namespace, address string
	root                     string
	user                     string
	env, command             []string
	mounts                   []mount
	ports                    []string

	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan error // holds one
}

// A mount is a directory that is there in a box.
type mount struct {
	from, to string
	readOnly bool
}

// script makes the mounts, in a mount namespace of the box alone, and becomes the
// command.
func (b *box) script() string {
	var s strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	put("set -e")
	put("mount --bind %[1]s %[1]s", b.root)
	for _, m := range append([]mount{{"/proc", "/proc", false}, {"/dev", "/dev", false}}, b.mounts...) {
		put("mount --bind %s %s%s", m.from, b.root, m.to)
		if m.readOnly {
			put("mount -o remount,bind,ro %s%s", b.root, m.to)
		}
	}
	put("mount -o remount,bind,ro %s", b.root)
	fmt.Fprintf(&s, "exec env -i")
	for _, e := range b.env {
		fmt.Fprintf(&s, " %s", quoted(e))
	}
	fmt.Fprintf(&s, " /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --groups= --userspec=%s %s", b.user, b.root)
	for _, c := range b.command {
		fmt.Fprintf(&s, " %s", quoted(c))
	}
	return s.String()
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// start starts the box. Its process is the command itself.
func (b *box) start() error {
	b.cmd = exec.CommandContext(context.Background(), "ip", "netns", "exec", b.namespace, "unshare", "--mount", "sh", "-c", b.script())
	b.cmd.Stdout, b.cmd.Stderr = &b.output, &b.output
	b.ended = make(chan error, 1)
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", b.name, err)
	}
	go func() { b.ended <- b.cmd.Wait() }()
	return nil
}

// inside is a command beside the one that runs in the box, as `docker exec` would start
// it.
func (b *box) inside(ctx context.Context, command ...string) *exec.Cmd {
	user, group, _ := strings.Cut(b.user, ":")
	args := append([]string{"--target", fmt.Sprint(b.cmd.Process.Pid), "--mount", "--net", "--root", "--wd=/", "--setuid", user, "--setgid", group, "--"}, command...)
	c := exec.CommandContext(ctx, "nsenter", args...)
	c.Env = b.env
	return c
}

// run runs a command beside to its end.
func (b *box) run(ctx context.Context, command ...string) (string, error) {
	c := b.inside(ctx, command...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w: %s", b.name, strings.Join(command, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

var readOnlyRoot = regexp.MustCompile(`(?m)^\S+ / \S+ ro[, ]`)

// confined tells whether the command runs as the image's user, can gain no rights, and
// sees a root that can only be read.
func (b *box) confined() error {
	proc := fmt.Sprintf("/proc/%d/", b.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile(proc + "mounts")
	if err != nil {
		return err
	}
	user, _, _ := strings.Cut(b.user, ":")
	if !readOnlyRoot.Match(mounts) {
		return fmt.Errorf("%s: its root can be written to:\n%s", b.name, mounts)
	}
	for want, in := range map[string][]byte{
		"\nUid:\t" + user + "\t" + user: status, "\nCapEff:\t0000000000000000\n": status, "\nNoNewPrivs:\t1\n": status,
	} {
		if !bytes.Contains(in, []byte(want)) {
			return fmt.Errorf("%s: no %q in\n%s", b.name, want, in)
		}
	}
	return nil
}

// stop asks the command to end and returns how it did.
func (b *box) stop(ctx context.Context) error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", b.name, err)
	}
	select {
	case err := <-b.ended:
		if err != nil {
			return fmt.Errorf("%s ended: %w\n%s", b.name, err, b.output.String())
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kill ends what was not stopped.
func (b *box) kill() {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = b.cmd.Process.Kill() // it may have ended
	}
}

// scratch makes a root directory with nothing in it but a program and what an engine
// puts into each container.
func scratch(root, program string, hosts string, folders []string) error {
	var err error
	for _, dir := range append([]string{"/proc", "/dev", "/etc"}, folders...) {
		err = errors.Join(err, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	err = errors.Join(err,
		os.WriteFile(filepath.Join(root, "etc/hosts"), []byte(hosts), 0o644),
		os.WriteFile(filepath.Join(root, "etc/resolv.conf"), nil, 0o644))
	if program == "" {
		return err
	}
	b, rerr := os.ReadFile(program)
	if rerr == nil {
		rerr = os.WriteFile(filepath.Join(root, "starling"), b, 0o755)
	}
	return errors.Join(err, rerr)
}
