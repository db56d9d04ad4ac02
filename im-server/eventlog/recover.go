package eventlog

import (
	"context"
	"errors"
	"maps"
	"slices"
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
	if st.Boot != "" && st.Node == l.deps.Node {
		st.Owes[st.Boot] = true
	}
	l.ledger, err = newLedger(path, l.deps.Node, l.deps.Boot, l.deps.Now(), c.Fsync != FsyncNone, st.Owes)
	return err
}

// Owes gives the earlier boots of this node whose ends are written, which other nodes have not been told: call it after
// Recover, and Paid with each that they have. A start that is not there long enough leaves them to the next.
func (l *Log) Owes() []string {
	if l.ledger == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(l.ledger.owes))
}

// Paid notes that other nodes know that an earlier boot is over. It returns at once.
func (l *Log) Paid(boot string) {
	l.payMu.Lock()
	l.pay = append(l.pay, boot)
	l.payMu.Unlock()
	select {
	case l.leased <- struct{}{}:
	default:
	}
}

func (l *Log) notePaid() {
	l.payMu.Lock()
	boots := l.pay
	l.pay = nil
	l.payMu.Unlock()
	for _, boot := range boots {
		l.ledger.paid(boot)
	}
}
