//go:build !unix

package main

import "os"

func toJournald(*os.File) bool { return false }
