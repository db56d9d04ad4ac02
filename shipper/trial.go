package shipper

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/shipper/input"
	"imwatch/shipper/input/httpin"
	"imwatch/shipper/input/stdin"
	"imwatch/shipper/input/syslog"
	"imwatch/shipper/parse"
	"imwatch/shipper/tail"
)

// The results of a line in a trial.
const (
	TriedEvent      = "event"
	TriedDeadLetter = "dead_letter"
	TriedSampled    = "sampled"
	TriedIgnored    = "ignored"
	TriedEmpty      = "empty"
)

// Outcome is what becomes of a line, of lines that belong together, or of a piece of a line that is too long. What it
// refers to is valid until the function that is told of it returns.
type Outcome struct {
	Result string // TriedEvent and so on
	Cut    bool   // the line is too long, and only its beginning counts
	Raw    string // the line as it stands there
	Line   int    // number of the first line, from 1
	Lines  int    // how many lines; 0: it is a further piece of the one before
	Offset int64
	Record []byte // of an event, as it is sent

	// Of a dead letter, as it is sent:

	ID, Reason, Detail string
	Part               int
	Original           string
}

// Trial reads samples by a configuration with the code that ships, and tells what becomes of each line in place of sending
// it. So it cannot differ from what is shipped, but for what a broker refuses. Open it with Config.OpenTrial, use it from
// one goroutine, close it.
type Trial struct {
	cfg    Config
	node   string
	log    logrus.FieldLogger
	now    func() time.Time
	stages *Stages
}

// OpenTrial makes ready what the configuration names, databases included. node is that of sources that name none; log is
// told of what cannot be read.
func (c Config) OpenTrial(node string, log logrus.FieldLogger, now func() time.Time) (*Trial, error) {
	stages, err := c.OpenStages(now())
	if err != nil {
		return nil, err
	}
	return &Trial{cfg: c, node: node, log: log, now: now, stages: stages}, nil
}

// Close lets go of the databases.
func (t *Trial) Close() error { return t.stages.Close() }

// trying is one sample being read.
type trying struct {
	*reader
	show  func(Outcome) error
	line  int // number of the line that was told of last
	lines int // how many it was
	err   error
}

func (t *Trial) try(src Source, stages parse.Stages, show func(Outcome) error) (*trying, error) {
	m := newMetrics()
	s, err := src.open(t.node, stages, t.now, m)
	if err != nil {
		return nil, err
	}
	cfg := t.cfg
	cfg.Sources = []Source{src}
	return &trying{show: show, line: 1, reader: &reader{
		cfg: cfg, log: t.log, now: t.now, metrics: m, sources: []source{s}, stages: t.stages,
		batch: newBatch(cfg.BatchLines, cfg.BatchBytes), progress: newProgress(nil), backlog: newBacklog(cfg, t.log),
	}}, nil
}

// File reads a file of the source from its beginning to its end, unpacked where gzip has packed it. A last line without
// its newline is one. An error of show ends it and is returned.
func (t *Trial) File(path string, src Source, show func(Outcome) error) error {
	x, err := t.try(src, t.stages.Stages, show)
	if err != nil {
		return err
	}
	x.tail, err = tail.New(tail.Options{
		Sources: []tail.Source{src.followed(x.sources[0].rule)}, Only: path, Whole: true, Log: t.log, Now: t.now,
	}, nil)
	if err != nil {
		return fmt.Errorf("preparing the sample: %w", err)
	}
	defer x.tail.Close()
	for range 2 { // as with exit_at_end
		x.tail.Scan()
		for c, more := x.tail.Next(); more; c, more = x.tail.Next() {
			x.begin(c)
			if err := x.takeText(c.Part); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stream reads a stream to its end or until ctx ends: as a connection where the source listens for syslog, as a body where
// it listens for HTTP, else as standard input. An error of show ends it and is returned.
func (t *Trial) Stream(ctx context.Context, in io.Reader, src Source, show func(Outcome) error) error {
	x, err := t.try(src, t.stages.Stages, show)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	give := func(_ context.Context, c input.Chunk) error {
		x.err = x.takeChunk(c)
		return x.err
	}
	switch {
	case src.Syslog != nil:
		err = syslog.Read(ctx, in, "syslog://sample", syslog.Options{Config: *src.Syslog, Whole: src.Format == formatSyslog}, give)
	case src.HTTP != nil:
		var body []byte
		if body, err = io.ReadAll(io.LimitReader(in, int64(src.HTTP.MaxBody)+1)); err == nil {
			if len(body) > src.HTTP.MaxBody {
				return fmt.Errorf("it has more than http.max_body, %d bytes: a request with it would be answered 413", src.HTTP.MaxBody)
			}
			err = give(ctx, httpin.Chunk(body, "http://sample"))
		}
	default:
		o := stdin.Options{Rule: x.sources[0].rule}
		if o.Rule != nil {
			o.Patience = src.Multiline.Timeout
		}
		err = stdin.New(in, o).Run(ctx, give)
	}
	if x.err != nil {
		return x.err
	}
	return err //nolint:wrapcheck // it says what was read
}

// Text reads a text as the beginning of a file of the source, without sampling.
func (t *Trial) Text(text string, src Source, show func(Outcome) error) error {
	stages := t.stages.Stages
	stages.Sample = nil
	x, err := t.try(src, stages, show)
	if err != nil {
		return err
	}
	x.text, x.origin = text, parse.Origin{File: "test", Generation: "test"}
	return x.takeText(0)
}

// takeText takes what there is of a file, and tells of each line.
func (x *trying) takeText(part int) error {
	for x.taken < len(x.text) {
		from := x.taken
		x.take() // an empty batch takes anything
		if err := x.tell(x.text[from:x.taken], part); err != nil {
			return err
		}
	}
	return nil
}

// takeChunk takes what an input has given, and tells of each line.
func (x *trying) takeChunk(c input.Chunk) error {
	x.accept(received{Chunk: c}, true)
	for x.in.now != nil && len(c.Lines) > 0 {
		l := &c.Lines[x.in.at]
		x.takeReceived()
		if err := x.tell(l.Text, max(0, l.Part-1)); err != nil {
			return err
		}
	}
	x.in.now = nil
	return nil
}

// tell tells what the batch was given, and empties it. part counts the pieces of a line that is too long, from 0.
func (x *trying) tell(raw string, part int) error {
	b, read := x.batch, x.sources[0].read.pending
	o := Outcome{Raw: raw, Offset: x.origin.Offset, Cut: read[readCut] > 0}
	switch {
	case len(b.letters) > 0:
		l := &b.letters[0]
		o.Result, o.ID, o.Reason, o.Detail, o.Part, o.Original = TriedDeadLetter, l.ID, l.Reason, l.Detail, l.Part, string(l.Original)
	case len(b.records) > 0:
		o.Result, o.Record = TriedEvent, b.records[0].Value
	case read[readSampled] > 0, o.Cut:
		o.Result = TriedSampled
	case read[readIgnored] > 0:
		o.Result = TriedIgnored
	case read[readEmpty] > 0, b.empty > 0:
		o.Result = TriedEmpty
	default:
		return nil // bytes 0, or the rest of what was cut
	}
	if part == 0 {
		x.line, x.lines = x.line+x.lines, strings.Count(strings.TrimSuffix(raw, "\n"), "\n")+1
		o.Lines = x.lines
	}
	o.Line = x.line
	err := x.show(o)
	b.reset()
	x.sources[0].read.pending = [readings]int{}
	return err
}
