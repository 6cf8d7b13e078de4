// Package ucnum holds libunicorn's numbers for packages that do without cgo.
// The numbers have been stable since 2.0.0; package uc compares them with the
// library it is built against.
package ucnum

//go:generate go run ../../../internal/gen/ucnum
