package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"imwatch/shipper"
	"imwatch/shipper/shiptest"
)

// ShipTestOptions are the flags of ship --test.
type ShipTestOptions struct {
	In     string // sample of a log; "": none; "-": standard input
	Source string // name of the source that reads it; "": the one that fits
	Output string // text or json
}

// ShipTest shows what the shipper's configuration makes of a sample, and runs the tests in it. One that fails makes it
// return ErrFindings.
func ShipTest(cfg Config, o ShipTestOptions, streams Streams) (err error) {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("asking for the host's name: %w", err)
	}
	t, err := shiptest.New(cfg.Shipper, host, time.Now)
	if err != nil {
		return Usagef("shipper.%w", err)
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	out := shiptest.Text(streams.Out)
	if o.Output == "json" {
		out = shiptest.JSON(streams.Out)
	}
	if o.In != "" {
		if err := shipSample(cfg.Shipper.Sources, t, o, out, streams); err != nil {
			return err
		}
	}
	ran, failed, err := t.Tests(out)
	if err != nil {
		return fmt.Errorf("running the tests: %w", err)
	}
	if ran > 0 || o.In == "" {
		fmt.Fprintf(streams.Err, "tests: %d, failed: %d\n", ran, failed)
	}
	if failed > 0 {
		return ErrFindings
	}
	return nil
}

func shipSample(sources []shipper.Source, t *shiptest.Tester, o ShipTestOptions, out shiptest.Output, streams Streams) error {
	src, err := shiptest.Pick(sources, o.Source, o.In)
	if err != nil {
		return Usagef("--source: %w", err)
	}
	in, name := streams.In, "standard input"
	if o.In != "-" {
		f, err := os.Open(o.In)
		if err != nil {
			return Usagef("reading the sample: %w", err)
		}
		defer f.Close()
		in, name = io.Reader(f), o.In
	}
	sum, err := t.Sample(in, name, src, out)
	if err != nil {
		return fmt.Errorf("reading the sample: %w", err)
	}
	fmt.Fprintln(streams.Err, sum)
	return nil
}
