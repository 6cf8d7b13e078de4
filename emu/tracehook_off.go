//go:build utemu_notracehook

package emu

const tracehooks = false
