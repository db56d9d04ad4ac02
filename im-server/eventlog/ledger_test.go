package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLedgerIsMadeSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.conns")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l, err := newLedger(path, "im-test", "b00t", at, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 10_000 {
		id := fmt.Sprintf("c-%d", i)
		if err := l.opened(Record{ID: id, At: at.UnixNano(), User: "u-1", Event: eventID("im-test-b00t-", uint64(i))}); err != nil {
			t.Fatal(err)
		}
		if i%1000 != 0 {
			l.closed(id)
		}
		if i%10 == 0 {
			if err := l.alive(at.Add(time.Duration(i)*time.Second), uint64(i), int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.flush(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 2*ledgerSlack {
		t.Errorf("the ledger has %d bytes", info.Size())
	}
	st, err := readLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Open) != 10 || st.Node != "im-test" || st.Boot != "b00t" || !st.Begun.Equal(at) || !st.Alive.Equal(at.Add(9990*time.Second)) || st.Until.UnixNano() != 9990 || st.Seq != 9990 || st.Bad != 0 {
		t.Errorf("the ledger says %d open, %+v", len(st.Open), st)
	}
}

func TestLedgerPassesOverWhatItCannotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.conns")
	write(t, path, "{\"boot\":\"b\",\"node\":\"n\",\"alive\":1}\nnonsense\n{\"open\":\"c-1\",\"at\":5}\n{\"close\":\"c-1")
	st, err := readLedger(path)
	if err != nil || st.Bad != 1 || len(st.Open) != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

// FuzzLedger holds that no ledger keeps a node from starting, and that what it says is open was opened in it.
func FuzzLedger(f *testing.F) {
	f.Add([]byte("{\"boot\":\"b\",\"node\":\"n\",\"alive\":1}\n{\"open\":\"c\",\"at\":5,\"event\":\"n-b-0000000001\"}\n{\"close\":\"c\"}\n{\"alive\":9,\"seq\":2}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st := parseLedger(b)
		if len(st.Open)+st.Bad > bytes.Count(b, []byte("\n")) {
			t.Fatalf("%q gives %+v", b, st)
		}
		if _, err := orphans(st, ""); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOwedBoots: an earlier boot stands in the ledger, through all that it is written anew for, until it is paid.
func TestOwedBoots(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	l, err := newLedger(path, "im-test", "c", at, false, map[string]bool{"a": true, "b": true})
	if err != nil {
		t.Fatal(err)
	}
	l.paid("a")
	if err := errors.Join(l.alive(at, 1, 0), l.compact(at, 2, 0), l.Close()); err != nil {
		t.Fatal(err)
	}
	st, err := readLedger(path)
	if err != nil || len(st.Owes) != 1 || !st.Owes["b"] || st.Boot != "c" || st.Bad != 0 {
		t.Errorf("%+v, %v", st, err)
	}
}
