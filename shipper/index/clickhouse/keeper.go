package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"imwatch/event"
	"imwatch/event/deadletter"
	"imwatch/shipper/index"
	"imwatch/shipper/index/chunk"
)

// Keeper keeps chunks in ClickHouse. Used by one goroutine. Close it.
type Keeper struct {
	cfg    Config
	client *client
	log    logrus.FieldLogger
	cols   []column
	event  event.Event
	made   bool // the tables are there
}

var _ chunk.Keeper = (*Keeper)(nil)

// New asks ClickHouse nothing: it need not be there yet.
func New(cfg Config, log logrus.FieldLogger) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configuring ClickHouse: %w", err)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("configuring ClickHouse: %w", err)
	}
	return &Keeper{cfg: cfg, client: c, log: log, cols: columns()}, nil
}

// Close closes idle connections.
func (k *Keeper) Close() error {
	k.client.http.CloseIdleConnections()
	return nil
}

// make makes the tables, once.
func (k *Keeper) make(ctx context.Context) error {
	if k.made {
		return nil
	}
	for _, s := range k.cfg.statements() {
		if _, err := k.client.do(ctx, s, nil, nil); err != nil {
			return fmt.Errorf("making ClickHouse's tables: %w", err)
		}
	}
	k.made = true
	return nil
}

// insertion is what goes in at once: a table's rows of one day.
type insertion struct {
	table, day string
	items      []index.Item
	rows       [][]byte
}

// Keep inserts the rows of each day at once: ClickHouse takes an insert into one day whole or not at all.
func (k *Keeper) Keep(ctx context.Context, c chunk.Chunk) error {
	if err := k.make(ctx); err != nil {
		return err
	}
	all, err := k.insertions(c)
	if err != nil {
		return err
	}
	for _, in := range all {
		token := fmt.Sprintf("%s-%d-%d-%s", c.Place, c.From, c.To, in.day)
		if err := k.insert(ctx, in, token); err != nil {
			return fmt.Errorf("inserting %d rows of %s, offsets %d to %d, into %s: %w", len(in.rows), c.Place, c.From, c.To, in.table, err)
		}
	}
	return nil
}

// insertions makes rows of a chunk and sorts them by table and day.
func (k *Keeper) insertions(c chunk.Chunk) ([]*insertion, error) {
	var all []*insertion
	add := func(table string, at time.Time, it index.Item, row []byte) {
		day := at.UTC().Format(time.DateOnly)
		i := slices.IndexFunc(all, func(in *insertion) bool { return in.table == table && in.day == day })
		if i < 0 {
			i = len(all)
			all = append(all, &insertion{table: table, day: day})
		}
		all[i].items, all[i].rows = append(all[i].items, it), append(all[i].rows, row)
	}
	for _, it := range c.Items {
		if it.Letter {
			row, at, err := appendLetter(nil, it)
			if err != nil {
				return nil, err
			}
			add("dead_letters", at, it, row)
			continue
		}
		if err := event.Decode(it.Body, &k.event); err != nil {
			return nil, fmt.Errorf("reading event %s again: %w", it.ID, err)
		}
		add("events", k.event.Time(), it, appendEvent(make([]byte, 0, len(it.Body)+512), k.cols, it, &k.event))
	}
	return all, nil
}

// insert inserts rows. Where ClickHouse says that rows are at fault, it cuts them in halves until the one at fault
// stands alone: that one becomes a dead letter. The halves have tokens of their own, the same ones each time.
func (k *Keeper) insert(ctx context.Context, in *insertion, token string) error {
	err := k.client.insert(ctx, k.cfg.Database+"."+in.table, token, bytes.Join(in.rows, nil))
	bad, ok := errors.AsType[*exception](err)
	if !ok || !bad.aboutData() {
		if ok && (bad.code == 60 || bad.code == 81) { // no such table or database: somebody has dropped it
			k.made = false
		}
		return err
	}
	if n := len(in.rows); n > 1 {
		a := &insertion{in.table, in.day, in.items[:n/2], in.rows[:n/2]}
		b := &insertion{in.table, in.day, in.items[n/2:], in.rows[n/2:]}
		if err := k.insert(ctx, a, token+"a"); err != nil {
			return err
		}
		return k.insert(ctx, b, token+"b")
	}
	it := in.items[0]
	if it.Letter {
		k.log.WithError(err).WithFields(logrus.Fields{"topic": it.Topic, "partition": it.Partition, "offset": it.Offset}).
			Error("ClickHouse refused a dead letter; the message is on the bus only")
		return nil
	}
	l := deadletter.Letter{
		At: it.Time, ID: fmt.Sprintf("%s-%d-%d", it.Topic, it.Partition, it.Offset), Stage: "indexer", Reason: "rejected", Detail: bad.text,
		Topic: it.Topic, Partition: it.Partition, Offset: it.Offset, Original: it.Body,
	}
	it.ID, it.Letter, it.Body = l.ID, true, l.AppendJSON(nil)
	row, at, err := appendLetter(nil, it)
	if err != nil {
		return err
	}
	return k.insert(ctx, &insertion{"dead_letters", at.UTC().Format(time.DateOnly), []index.Item{it}, [][]byte{row}}, token+"-rejected")
}

// Span lays a span down as a row that is inserted with a token made of its first offset, so that ClickHouse takes the
// first one of its kind; should it have forgotten the token, the oldest row counts.
func (k *Keeper) Span(ctx context.Context, at chunk.Place, want chunk.Span) (chunk.Span, error) {
	span, err := k.span(ctx, at, want)
	if err != nil {
		return span, fmt.Errorf("laying down where %s is cut: %w", at, err)
	}
	return span, nil
}

func (k *Keeper) span(ctx context.Context, at chunk.Place, want chunk.Span) (chunk.Span, error) {
	if err := k.make(ctx); err != nil {
		return want, err
	}
	near, err := k.near(ctx, at, want.From)
	if err != nil {
		return want, err
	}
	span, there := chunk.Cut(near, want)
	if there {
		return span, nil
	}
	row := fmt.Appendf(nil, `{"topic":%q,"partition":%d,"first":%d,"last":%d}`+"\n", at.Topic, at.Partition, span.From, span.To)
	if err := k.client.insert(ctx, k.cfg.Database+".chunks", fmt.Sprintf("%s-%d", at, span.From), row); err != nil {
		return want, err
	}
	if near, err = k.near(ctx, at, want.From); err != nil {
		return want, err
	}
	if span, there = chunk.Cut(near, want); !there {
		return want, errors.New("what was laid down cannot be read: is a replica asked that lags behind?")
	}
	return span, nil
}

// near gives the first two spans that reach to an offset or lie behind it.
func (k *Keeper) near(ctx context.Context, at chunk.Place, from int64) ([]chunk.Span, error) {
	answer, err := k.client.do(ctx, fmt.Sprintf(
		"SELECT first, argMin(last, at) AS end FROM %s.chunks WHERE topic = %s AND partition = %d GROUP BY first HAVING end >= %d ORDER BY first LIMIT 2 FORMAT TabSeparated",
		k.cfg.Database, quote(at.Topic), at.Partition, from), nil, map[string]string{"select_sequential_consistency": "1"})
	if err != nil {
		return nil, err
	}
	var near []chunk.Span
	for line := range strings.Lines(answer) {
		var s chunk.Span
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%d\t%d", &s.From, &s.To); err != nil || s.To < s.From {
			return nil, fmt.Errorf("ClickHouse answered %.100q where two offsets were asked for", line)
		}
		near = append(near, s)
	}
	return near, nil
}
