package eventlog

import (
	"context"
	"errors"
	"time"

	"imwatch/event"
)

// Recover writes the ends that the boot before owes, and then begins this boot's ledger in place of the old one: a crash
// between the two does it again, and finds the ends in the log. It runs before Run does. describe sets on an event what
// all lines of the node have in common; its action and time are set already. ended asks the other nodes when the lease of
// that boot ended, which is the ends' time; nil, or false: by what the ledger says.
func (l *Log) Recover(ctx context.Context, describe func(*event.Event), ended func(node, boot string) (time.Time, bool)) error {
	if l.file == nil {
		return nil
	}
	c := l.cfg.Load()
	path := beside(c.Path, ".conns")
	st, err := readLedger(path)
	if err != nil {
		return err
	}
	if st.Bad > 0 {
		l.deps.Diag.WithField("lines", st.Bad).Error("the ledger of connections has lines that cannot be read; the ends of their connections may be missing")
	}
	list, err := orphans(st, c.Path)
	if err != nil {
		return err
	}
	end := st.Alive
	if !st.Until.IsZero() {
		end = st.Until
	}
	if ended != nil && st.Boot != "" {
		if at, ok := ended(st.Node, st.Boot); ok {
			end = at
		}
	}
	items := make([]queued, 0, len(list))
	for _, r := range list {
		ev := new(event.Event)
		DescribeOrphan(ev, st.Node, st.Boot, end, r)
		describe(ev)
		items = append(items, queued{ev: ev})
	}
	l.write(items, ctx.Done())
	if l.lost > 0 {
		return errors.New("writing the ends of lost connections failed; the next start tries again")
	}
	if len(list) > 0 {
		l.deps.Diag.WithField("connections", len(list)).Warn("ended the connections that were lost with the process before")
	}
	l.ledger, err = newLedger(path, l.deps.Node, l.deps.Boot, l.deps.Now(), c.Fsync != FsyncNone)
	return err
}
