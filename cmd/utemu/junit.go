package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// The elements of JUnit's XML. Its schemas, Ant's and that of Jenkins, demand
// what looks needless here: the order of the elements, empty ones too.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Package    string        `xml:"package,attr"`
		ID         int           `xml:"id,attr"`
		Name       string        `xml:"name,attr"`
		Timestamp  string        `xml:"timestamp,attr"`
		Hostname   string        `xml:"hostname,attr"`
		Tests      int           `xml:"tests,attr"`
		Failures   int           `xml:"failures,attr"`
		Errors     int           `xml:"errors,attr"`
		Time       string        `xml:"time,attr"`
		Properties junitProperty `xml:"properties>property"`
		Cases      []junitCase   `xml:"testcase"`
		Out        string        `xml:"system-out"`
		Err        string        `xml:"system-err"`
		seconds    float64
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit makes a suite of each architecture, of a run that began at start.
func writeJUnit(w io.Writer, start time.Time, vs []verdict) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(junit(start, vs)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junit(start time.Time, vs []verdict) (all junitSuites) {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	for _, v := range vs {
		k := slices.IndexFunc(all.Suites, func(s junitSuite) bool { return s.Name == v.Arch })
		if k < 0 {
			k = len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Package: "stepping", ID: k, Name: v.Arch, Hostname: host,
				Timestamp: start.UTC().Format("2006-01-02T15:04:05"), Properties: junitProperty{Name: "utemu.version", Value: versionText()}})
		}
		s := &all.Suites[k]
		c := junitCase{Class: v.Arch + "." + v.Case, Name: v.Mode + "/" + v.Strategy, Time: seconds(v.Seconds)}
		if !v.Passed {
			c.Failure = &junitFailure{Message: v.Error, Type: "stepping", Text: v.Code}
			s.Failures++
		}
		s.Tests++
		s.seconds += v.Seconds
		s.Time = seconds(s.seconds)
		s.Cases = append(s.Cases, c)
	}
	return all
}

// seconds has no more places than Jenkins takes.
func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
