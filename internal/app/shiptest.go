package app

import (
	"context"
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
	t, err := shiptest.New(cfg.Shipper, host, newLogger(cfg.Log, streams.Err), time.Now)
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
	ran, failed, err := t.Tests(out, func(source, test int) string {
		return cfg.places.Of(fmt.Sprintf("shipper.sources[%d].tests[%d]", source, test))
	})
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
	sum, err := readSample(src, t, o.In, out, streams)
	if err != nil {
		return err
	}
	fmt.Fprintln(streams.Err, sum)
	return nil
}

// readSample reads a file of a source of files as one, and what is none, or is for a source of another kind, as a stream.
func readSample(src shipper.Source, t *shiptest.Tester, path string, out shiptest.Output, streams Streams) (sum shiptest.Summary, err error) {
	in, name := streams.In, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return sum, Usagef("reading the sample: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return sum, Usagef("reading the sample: %w", err)
		}
		if info.IsDir() {
			return sum, Usagef("reading the sample: %s is a directory, expected a file", path)
		}
		if info.Mode().IsRegular() && len(src.Paths) > 0 {
			if sum, err = t.File(path, src, out); err != nil {
				return sum, fmt.Errorf("reading the sample: %w", err)
			}
			return sum, nil
		}
		in, name = io.Reader(f), path
	}
	if sum, err = t.Stream(context.Background(), in, name, src, out); err != nil {
		return sum, fmt.Errorf("reading the sample: %w", err)
	}
	return sum, nil
}
