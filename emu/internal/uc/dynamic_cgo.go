//go:build cgo && !unicorn_static

package uc

// #cgo pkg-config: unicorn
// #cgo LDFLAGS: -ldl
import "C"
