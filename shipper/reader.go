package shipper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/shipper/multiline"
	"imwatch/shipper/parse"
	"imwatch/shipper/tail"
)

// reader turns what is written to the files into batches. All of it is owned by its goroutine.
type reader struct {
	cfg     Config
	log     logrus.FieldLogger
	now     func() time.Time
	metrics *metrics
	ledger  *ledger
	sources []source
	stages  *Stages
	tail    *tail.Tail
	node    string        // where the shipper itself runs
	watcher *tail.Watcher // nil: polling
	out     chan<- *batch
	full    chan<- *batch // takes those that take no more
	free    <-chan *batch

	progress *progress
	backlog  backlog
	asked    chan func() // by those who look
	batch    *batch
	chunk    tail.Chunk
	text     string // chunk.Data, the very memory: valid until the next chunk
	taken    int    // bytes of it that are in batches
	counted  int    // bytes of it that backlog knows of
	lines    int    // that it does not know of
	in       taken  // of inputs that are no files
	source   int    // of what is being read
	file     string // the log, or what stands for an input
	ends     bool   // nothing comes any more once all is read
	newest   int64  // event time in it, Unix ns
	origin   parse.Origin
	lastNode string
	event    event.Event
	due      bool // a watermark is to be told
	canary   bool // a canary is to be sent
	scanned  time.Time
	took     time.Duration // the last look at the directories
}

// source is what is read in one way.
type source struct {
	parser parse.Parser
	node   string          // that all lines are of; "" where they say it themselves
	rule   *multiline.Rule // which lines belong together; nil: each is by itself
	cut    bool            // text that is too long is cut
	read   readCounts
}

// open makes ready what reads the source's lines. node is where the shipper runs.
func (s Source) open(node string, stages parse.Stages, now func() time.Time, m *metrics) (source, error) {
	node = cmp.Or(s.Node, node)
	p, err := s.Parser(node, stages, now)
	if err != nil {
		return source{}, err
	}
	rule, err := s.Multiline.rule()
	if err != nil {
		return source{}, err
	}
	out := source{parser: p, rule: rule, cut: s.TooLong == TooLongCut, read: m.readOf(s.Label())}
	if s.Format != FormatContract {
		out.node = node
	}
	return out, nil
}

// followed says how the source's files are followed.
func (s Source) followed(rule *multiline.Rule) tail.Source {
	out := tail.Source{Paths: s.Paths}
	if rule != nil {
		out.Patience = s.Multiline.Timeout
		out.Cut = func(lines []byte, last bool) int { return rule.Cut(string(lines), last) }
	}
	return out
}

// pollFactor is how much rarer files are looked at while the system notifies us: then it is a safety net only.
const pollFactor = 10

// scanPause is the least time between two looks at the directories that notifications bring about. A copy of a large
// log sends thousands of them.
const scanPause = 10 * time.Millisecond

// run reads until ctx ends or, with ExitAtEnd, until all is read. It closes out.
func (r *reader) run(ctx context.Context) {
	defer close(r.out)
	interval := r.cfg.PollInterval
	var wake <-chan struct{}
	if r.watcher != nil {
		interval *= pollFactor
		wake = r.watcher.Wake()
	}
	poll, watermark := time.NewTicker(interval), time.NewTicker(r.cfg.WatermarkInterval)
	defer poll.Stop()
	defer watermark.Stop()
	canary := r.canaries()
	defer canary.Stop()
	var later <-chan time.Time
	r.batch = r.fresh()
	r.scan()
	for last := lookAgain; ctx.Err() == nil; {
		more := r.fill()
		if r.canary {
			r.sing()
		}
		if r.due {
			r.mark()
		}
		out, full := r.out, r.full
		if !more {
			full = nil
		}
		if r.batch.idle() {
			if r.ends && r.in.from == nil && !more {
				switch last {
				case lookAgain:
					r.scan()
				case tell:
					r.due = true
				case done:
					return
				}
				last++
				continue
			}
			out = nil
		}
		select {
		case out <- r.batch:
			r.batch = r.fresh()
			r.count()
		case full <- r.batch:
			r.batch = r.fresh()
			r.count()
		case x, ok := <-r.waiting():
			r.accept(x, ok)
		case <-wake:
			if r.changed() && later == nil {
				later = time.After(max(0, scanPause-r.now().Sub(r.scanned)))
			}
		case <-later:
			later = nil
			r.scan()
		case <-poll.C:
			r.look()
		case <-watermark.C:
			r.look()
			r.due = true
		case <-canary.C:
			r.canary = true
		case look := <-r.asked:
			look()
		case <-ctx.Done():
		}
	}
}

// ending is what is left to do at the end of files that nobody writes any more.
type ending int

const (
	lookAgain ending = iota // at the directories
	tell                    // the last watermark
	done
)

// count shows what has become of the lines read since the last time.
func (r *reader) count() {
	for i := range r.sources {
		r.sources[i].read.show()
	}
}

func (r *reader) fresh() *batch {
	select {
	case b := <-r.free:
		return b
	default:
		return newBatch(r.cfg.BatchLines, r.cfg.BatchBytes)
	}
}

// scan looks at the directories, those that are new included.
func (r *reader) scan() {
	if r.watcher != nil {
		for _, dir := range r.tail.Dirs() {
			if err := r.watcher.Add(dir); err != nil {
				r.log.WithError(err).Debug("a directory is polled instead of watched")
			}
		}
	}
	r.scanned = r.now()
	if err := r.stages.refresh(r.scanned); err != nil {
		r.log.WithError(err).Warn("a database of addresses cannot be opened; its former content counts until it can")
	}
	r.tail.Scan()
	r.took = r.now().Sub(r.scanned)
	r.batch.forgotten = append(r.batch.forgotten, r.tail.Forgotten()...)
}

// lookShare is how many times as long as a look at the directories takes the next one waits, where nothing tells that
// it is needed: with ten thousand logs it takes a good part of the time between two watermarks.
const lookShare = 10

// look is scan, if it is time for it.
func (r *reader) look() {
	if r.now().Sub(r.scanned) >= lookShare*r.took {
		r.scan()
	}
}

// changed takes in what the system has notified us of, and says whether the directories must be looked at.
func (r *reader) changed() bool {
	written, look := r.watcher.Take()
	for path := range written {
		look = r.tail.Touch(path) || look
	}
	return look
}

// fill reads until the batch is full, and says whether it is; else there is nothing more at the moment.
func (r *reader) fill() (full bool) {
	defer func() { r.batch.nodes = append(r.batch.nodes, r.progress.take()...) }()
	for {
		for r.taken < len(r.text) {
			if !r.take() {
				r.settle()
				return true
			}
		}
		for r.in.now != nil {
			if !r.takeReceived() {
				r.settle()
				return true
			}
		}
		r.settle()
		if !r.more() {
			return false
		}
	}
}

func (r *reader) begin(c tail.Chunk) {
	r.chunk, r.taken, r.counted, r.newest, r.lastNode = c, 0, 0, 0, ""
	r.text = unsafe.String(unsafe.SliceData(c.Data), len(c.Data)) //nolint:gosec // valid as long as the chunk; who keeps some of it copies it
	r.source, r.file = c.Source, c.ID.File
	r.origin = parse.Origin{File: c.Path, Generation: fmt.Sprintf("%s-%d", c.ID.Head, c.ID.Run)}
}

// settle notes how far the batch goes.
func (r *reader) settle() {
	if r.newest > r.progress.newest[r.file] {
		r.progress.newest[r.file] = r.newest
	}
	if r.lines > 0 {
		r.backlog.read(r.file, r.lines, r.taken-r.counted)
		r.lines, r.counted = 0, r.taken
	}
	if r.taken > 0 {
		r.batch.marks[r.chunk.ID] = r.chunk.Mark(r.taken)
	}
}

// take moves the next line into the batch, or says that the batch is full.
func (r *reader) take() bool {
	rest := r.text[r.taken:]
	if r.chunk.Kind == tail.Zeros {
		r.metrics.zeros.Add(float64(len(rest)))
		r.taken += len(rest)
		return true
	}
	if r.chunk.Kind != tail.Lines {
		if r.batch.full(len(rest), r.cfg.BatchLines, r.cfg.BatchBytes) {
			return false
		}
		r.odd(rest)
		r.taken += len(rest)
		return true
	}
	raw, line := r.sources[r.source].firstLine(rest)
	if r.batch.full(len(line), r.cfg.BatchLines, r.cfg.BatchBytes) {
		return false
	}
	r.origin.Offset = r.chunk.Offset + int64(r.taken)
	r.taken += len(raw)
	r.lines++
	r.whole(line)
	return true
}

// whole moves a line into the batch.
func (r *reader) whole(line string) {
	if line != "" && (line[0] == 0 || r.origin.Offset == 0) {
		line = r.bare(line)
	}
	if line == "" || line[0] <= ' ' && strings.TrimSpace(line) == "" {
		r.batch.empty++
		r.sources[r.source].read.add(readEmpty)
		return
	}
	r.line(line)
}

func (r *reader) line(line string) {
	b, start, src := r.batch, len(r.batch.arena), &r.sources[r.source]
	rec, err := src.parser.Parse(b.arena, &r.event, line, r.origin)
	switch {
	case err == nil:
		b.arena = rec
		b.add(start, r.event.Key())
		src.read.add(readEvent)
	case errors.Is(err, parse.ErrSampled): // it was an event: its node lives and has come so far
		src.read.add(readSampled)
	case errors.Is(err, parse.ErrIgnored):
		src.read.add(readIgnored)
		return
	default:
		f, ok := parse.FaultOf(err)
		if !ok {
			f = parse.LineError{Reason: "unknown", Detail: err.Error()}
		}
		if f.Reason == reasonTooLarge && r.shorten(src, line) {
			return
		}
		src.read.add(readDeadLetter)
		r.letter(f.Reason, f.Detail, line)
		return
	}
	r.passed()
}

// passed notes of what node and from when the event is that was just read.
func (r *reader) passed() {
	r.newest = max(r.newest, r.event.UnixNano())
	if node := r.event.Node(); node != r.lastNode {
		r.lastNode = node
		r.progress.note(node, r.file, r.now())
	}
}

// odd keeps what is no line: a piece of one that is too long, or one that was never ended.
func (r *reader) odd(data string) {
	c := &r.chunk
	r.origin.Offset = c.Offset
	if c.Kind == tail.Part {
		r.tooLong(c.Part, fmt.Sprintf(" that begins at byte %d", c.Line), data)
		return
	}
	r.sources[r.source].read.add(readDeadLetter)
	r.letter("unterminated", "the file ended without a newline", data)
}

// tooLong keeps a piece of a line that is too long. Its number counts from 0.
func (r *reader) tooLong(part int, where, data string) {
	src := &r.sources[r.source]
	if src.cut && (part > 0 || r.shorten(src, data)) {
		return // the rest of what was cut
	}
	if part == 0 {
		src.read.add(readDeadLetter)
	}
	r.letter("too_large", fmt.Sprintf("part %d of a line%s; at most %d bytes are allowed", part, where, event.MaxLine), data)
	r.batch.letters[len(r.batch.letters)-1].Part = part
}

func (r *reader) letter(reason, detail, original string) {
	id := parse.MakeID(original, r.origin, time.Unix(0, 0))
	if r.origin.Offset == 0 && (strings.HasPrefix(original, "\xff\xfe") || strings.HasPrefix(original, "\xfe\xff")) {
		detail += "; it begins as UTF-16 does, and only UTF-8 is read"
	}
	original, detail = r.stages.Original(original), r.stages.Original(detail)
	r.batch.letters = append(r.batch.letters, deadletter.Letter{
		At: r.now(), ID: id, Stage: "shipper", Reason: reason, Detail: strings.Clone(detail), // it may quote the chunk
		File: r.origin.File, Offset: r.origin.Offset, Original: []byte(original),
	})
	r.batch.original += len(original)
}

// mark puts the watermarks of this moment behind what the batch holds.
func (r *reader) mark() {
	r.due = false
	now, files := r.now(), r.tail.Files()
	for _, f := range files {
		if f.Source >= 0 && f.Present && r.sources[f.Source].node != "" {
			r.progress.note(r.sources[f.Source].node, f.Live, now)
		}
	}
	r.showBehind(files)
	r.showLag(files, now)
	r.metrics.open.Set(float64(r.tail.Open()))
	marks, gone := r.progress.watermarks(append(files, r.inputFiles()...), r.live(), now, r.cfg.ForgetAfter)
	r.batch.watermarks = marks
	r.batch.gone = append(r.batch.gone, gone...)
}

// showBehind shows how much of each log is not acknowledged.
func (r *reader) showBehind(files []tail.File) {
	behind := make(map[string]int64, len(files))
	for _, f := range files {
		behind[f.Live] = 0
		for _, s := range f.Sizes {
			behind[f.Live] += max(0, s.Size-r.ledger.offset(s.ID))
		}
	}
	r.metrics.setBehind(behind)
}
