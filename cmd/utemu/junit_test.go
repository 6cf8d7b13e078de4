package main

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// element is any element of an XML document.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// The attributes that JUnit's schemas demand, and the form of each.
var junitForms = map[string]map[string]string{
	"testsuites": {},
	"testsuite": {
		"package": `\S+`, "id": `\d+`, "name": `\S+`, "timestamp": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`, "hostname": `\S+`,
		"tests": `\d+`, "failures": `\d+`, "errors": `\d+`, "time": `\d+\.\d{1,3}`,
	},
	"properties": {},
	"property":   {"name": `\S+`, "value": `.*`},
	"testcase":   {"name": `\S+`, "classname": `\S+`, "time": `\d+\.\d{1,3}`},
	"failure":    {"message": `(?s).*`, "type": `\S+`},
	"system-out": {},
	"system-err": {},
}

// The children of each element, as a pattern over their names.
var junitChildren = map[string]string{
	"testsuites": `(testsuite )*`,
	"testsuite":  `properties (testcase )*system-out system-err `,
	"properties": `(property )*`,
	"testcase":   `(failure )?`,
}

// requireJUnit checks an element and all below it by the rules of the schemas.
func requireJUnit(t *testing.T, e *element) {
	t.Helper()
	forms, known := junitForms[e.XMLName.Local]
	require.True(t, known, e.XMLName.Local)
	require.Len(t, e.Attrs, len(forms), e.XMLName.Local)
	for name, form := range forms {
		require.Regexp(t, regexp.MustCompile(`^(?:`+form+`)$`), e.attr(name), "%s %s", e.XMLName.Local, name)
	}
	names := ""
	for k := range e.Children {
		names += e.Children[k].XMLName.Local + " "
		requireJUnit(t, &e.Children[k])
	}
	require.Regexp(t, regexp.MustCompile(`^(?:`+junitChildren[e.XMLName.Local]+`)$`), names, e.XMLName.Local)
}

// requireJUnitFile checks a whole file, and that its sums are right.
func requireJUnitFile(t *testing.T, r io.Reader) {
	t.Helper()
	var root element
	require.NoError(t, xml.NewDecoder(r).Decode(&root))
	require.Equal(t, "testsuites", root.XMLName.Local)
	requireJUnit(t, &root)
	for k := range root.Children {
		s := &root.Children[k]
		require.Equal(t, strconv.Itoa(k), s.attr("id"))
		tests, failures := 0, 0
		for _, c := range s.Children {
			if c.XMLName.Local == "testcase" {
				tests++
				failures += len(c.Children)
			}
		}
		require.Equal(t, strconv.Itoa(tests), s.attr("tests"))
		require.Equal(t, strconv.Itoa(failures), s.attr("failures"))
	}
}

// TestReports: what failed, and text that XML and JSON have to escape.
func TestReports(t *testing.T) {
	vs := []verdict{
		{Arch: "arm", Case: "001-a", Mode: "insn", Strategy: "native", Passed: true, Seconds: 1000.5},
		{Arch: "arm", Case: "001-a", Mode: "insn", Strategy: "xol", Error: "stops \x00 are <x> & \"y\"\nor not", Code: "nop", Seconds: 0.25},
		{Arch: "ppc", Case: "001-a", Mode: "block", Strategy: "native", Passed: true},
	}
	var b strings.Builder
	start := time.Date(2024, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	require.NoError(t, writeJUnit(&b, start, vs))
	requireJUnitFile(t, strings.NewReader(b.String()))
	require.Regexp(t, `<testsuite package="stepping" id="0" name="arm" timestamp="2024-02-03T03:05:06" hostname="[^"]+" tests="2" failures="1" errors="0" time="1000.750">`, b.String())
	require.Contains(t, b.String(), `<failure message="stops � are &lt;x&gt; &amp; &#34;y&#34;&#xA;or not" type="stepping">nop</failure>`)

	b.Reset()
	require.NoError(t, writeJSON(&b, vs))
	require.JSONEq(t, `[
		{"arch": "arm", "case": "001-a", "mode": "insn", "strategy": "native", "passed": true, "seconds": 1000.5},
		{"arch": "arm", "case": "001-a", "mode": "insn", "strategy": "xol", "passed": false, "error": "stops \u0000 are <x> & \"y\"\nor not", "code": "nop", "seconds": 0.25},
		{"arch": "ppc", "case": "001-a", "mode": "block", "strategy": "native", "passed": true, "seconds": 0}]`, b.String())
	var back []verdict
	require.NoError(t, json.Unmarshal([]byte(b.String()), &back))
	require.Equal(t, vs, back)
}
