//go:build !utemu_notracehook

package emu

// tracehooks is false in a build that has no tracehook points, against which
// their cost is measured (internal/bench). Such a build traces nothing.
const tracehooks = true
