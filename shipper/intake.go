package shipper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"imwatch/shipper/input"
	"imwatch/shipper/input/httpin"
	"imwatch/shipper/input/stdin"
	"imwatch/shipper/input/syslog"
	"imwatch/shipper/tail"
)

// intake is what takes lines by that come from elsewhere than files.
type intake struct {
	inputs []placed
	out    chan received
	closed chan struct{} // no more is taken
}

// placed is an input and its source.
type placed struct {
	input.Input
	source int
}

// received is a chunk that an input has given.
type received struct {
	input.Chunk
	source int
}

// openInputs binds what listens; nil where all sources are files.
func (s *Shipper) openInputs() (*intake, error) {
	k := &intake{out: make(chan received), closed: make(chan struct{})}
	for i, c := range s.cfg.Sources {
		in, err := s.openInput(c)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening sources[%d]: %w", i, err), k.release())
		}
		if in != nil {
			k.inputs = append(k.inputs, placed{in, i})
		}
	}
	if len(k.inputs) == 0 {
		return nil, nil //nolint:nilnil // there are none
	}
	return k, nil
}

func (s *Shipper) openInput(c Source) (input.Input, error) {
	switch {
	case c.Stdin:
		o := stdin.Options{}
		rule, err := c.Multiline.rule()
		if err != nil {
			return nil, err
		}
		if rule != nil {
			o.Rule, o.Patience = rule, c.Multiline.Timeout
		}
		from := s.deps.Stdin
		if from == nil {
			from = os.Stdin
		}
		return stdin.New(from, o), nil
	case c.Syslog != nil:
		in, err := syslog.Listen(syslog.Options{
			Config: *c.Syslog, Whole: c.Format == formatSyslog, Log: s.deps.Log, Now: s.deps.Now,
			Count: func(what string) { s.metrics.syslog.WithLabelValues(c.Label(), what).Inc() },
		})
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the key
		}
		return in, nil
	case c.HTTP != nil:
		in, err := httpin.Listen(httpin.Options{
			Config: *c.HTTP, Log: s.deps.Log, Now: s.deps.Now,
			Count: func(status int) { s.metrics.requests.WithLabelValues(c.Label(), strconv.Itoa(status)).Inc() },
		})
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the key
		}
		return in, nil
	}
	return nil, nil //nolint:nilnil // it is files
}

// release gives back what was bound and is not run.
func (k *intake) release() error {
	if k == nil {
		return nil
	}
	var errs []error
	for _, in := range k.inputs {
		if c, ok := in.Input.(interface{ Close() error }); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

var errClosed = errors.New("the shipper is ending")

// run receives until all inputs have ended, and closes out. An input that fails is told to failed.
func (k *intake) run(ctx context.Context, failed func(error)) {
	var wg sync.WaitGroup
	for _, in := range k.inputs {
		wg.Go(func() {
			err := in.Run(ctx, func(ctx context.Context, c input.Chunk) error {
				select {
				case k.out <- received{c, in.source}:
					return nil
				case <-k.closed:
					return errClosed
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
			if err != nil {
				failed(fmt.Errorf("sources[%d]: %w", in.source, err))
			}
		})
	}
	wg.Wait()
	close(k.out)
}

// ends says whether nothing can come any more once the inputs have ended.
func (k *intake) ends(sources []Source) bool {
	return k != nil && !slices.ContainsFunc(sources, func(s Source) bool { return len(s.Paths) > 0 }) &&
		!slices.ContainsFunc(k.inputs, func(in placed) bool { return !in.Ends() })
}

// taken is what the reader has of inputs. Owned by it.
type taken struct {
	from  <-chan received // nil: there are none, or all have ended
	now   *received       // what is being read; nil: nothing
	at    int             // lines of it that are in batches
	slip  *receipt        // for now; nil: nobody waits
	turn  bool            // an input's before a file's
	empty time.Time       // when nothing waited
}

// more gets what comes next, of the inputs or of the files in turn, and says whether there is anything.
func (r *reader) more() bool {
	r.in.turn = !r.in.turn
	if r.in.turn && r.poll() {
		return true
	}
	c, ok := r.tail.Next()
	if ok {
		r.begin(c)
		return true
	}
	r.chunk, r.text, r.taken = tail.Chunk{}, "", 0
	return !r.in.turn && r.poll()
}

// poll takes what an input has ready, and says whether there is anything.
func (r *reader) poll() bool {
	if r.in.now != nil {
		return true
	}
	select {
	case x, ok := <-r.in.from:
		return r.accept(x, ok)
	default:
		r.in.empty = r.now()
		return false
	}
}

// waiting is what the reader waits for: nothing while it has something to read.
func (r *reader) waiting() <-chan received {
	if r.in.now != nil || r.taken < len(r.text) {
		return nil
	}
	return r.in.from
}

// accept begins with what an input has given; not ok: all have ended.
func (r *reader) accept(x received, ok bool) bool {
	if !ok {
		r.in.from = nil
		return false
	}
	r.in.now, r.in.at, r.in.slip = &x, 0, nil
	if x.Done != nil {
		r.in.slip = &receipt{done: x.Done}
	}
	r.source, r.file = x.source, r.inputFile(x.source)
	r.newest, r.lastNode = 0, ""
	r.origin.File = x.From
	return true
}

// inputFile stands for an input where logs are named.
func (r *reader) inputFile(source int) string { return "\x00" + r.cfg.Sources[source].Label() }

// takeReceived moves the next received line into the batch, or says that the batch is full.
func (r *reader) takeReceived() bool {
	x := r.in.now
	l := &x.Lines[r.in.at]
	if r.batch.full(len(l.Text), r.cfg.BatchLines, r.cfg.BatchBytes) {
		return false
	}
	r.origin.Offset, r.origin.Generation = l.Offset, x.Origin
	if l.Origin != "" {
		r.origin.Generation = l.Origin
	}
	if l.Part > 0 {
		r.tooLong(l.Part-1, "", l.Text)
	} else {
		r.whole(strings.TrimSuffix(l.Text, "\r"))
	}
	r.in.at++
	r.backlog.read(r.file, 1, len(l.Text))
	if slip := r.in.slip; slip != nil {
		if n := len(r.batch.begun); n == 0 || r.batch.begun[n-1] != slip {
			r.batch.begun = append(r.batch.begun, slip)
		}
		if r.in.at == len(x.Lines) {
			r.batch.done = append(r.batch.done, slip.settle)
		}
	}
	if r.in.at == len(x.Lines) {
		r.in.now = nil
	}
	return true
}

// inputFiles gives the state of the inputs as that of logs: all that has come was read when nothing waited.
func (r *reader) inputFiles() []tail.File {
	if r.taken == len(r.text) {
		r.poll()
	}
	end := r.in.empty
	if r.in.from == nil {
		end = r.now()
	}
	var files []tail.File
	for i, s := range r.cfg.Sources {
		if len(s.Paths) == 0 {
			files = append(files, tail.File{Live: r.inputFile(i), Source: -1, EndAt: end})
		}
	}
	return files
}

// live says whether something may still be written to what is read.
func (r *reader) live() bool { return !r.cfg.ExitAtEnd && (!r.ends || r.in.from != nil) }
