package doctor

import (
	"fmt"
	"syscall"
)

const secret = true // files have owners and modes

func space(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// magics are the numbers of statfs(2).
var magics = map[uint32]string{
	0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0xf2f52010: "f2fs", 0xca451a4e: "bcachefs",
	0x01021994: "tmpfs", 0x858458f6: "ramfs", 0x794c7630: "overlayfs", 0x6969: "nfs", 0xff534d42: "smb", 0xfe534d42: "smb",
	0x517b: "smb", 0x65735546: "fuse", 0x01021997: "9p", 0x4d44: "vfat", 0x2011bab0: "exfat",
}

func fileSystem(dir string) (string, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "", fmt.Errorf("statfs %s: %w", dir, err)
	}
	if kind, ok := magics[uint32(s.Type)]; ok {
		return kind, nil
	}
	return fmt.Sprintf("of kind %#x", uint32(s.Type)), nil
}
