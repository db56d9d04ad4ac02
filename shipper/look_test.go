package shipper

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"imwatch/shipper/status"
)

// looked is a shipper in fake time that is looked into.
func looked(t *testing.T, q *queued) *Shipper {
	t.Helper()
	q.metrics = prometheus.NewRegistry()
	s, err := New(q.cfg, Deps{Bus: q.bus, Log: q.log, Files: q.files, Registerer: q.metrics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, _, err := s.Files(context.Background()); err == nil {
			t.Error("it tells of its files after its end")
		}
		if st := s.Status(context.Background()); st.Healthy {
			t.Error("it is healthy after its end")
		}
	})
	return s
}

func filesOf(t *testing.T, s *Shipper) map[string]status.File {
	t.Helper()
	_, files, err := s.Files(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]status.File{}
	for _, f := range files {
		by[filepath.Base(f.Path)] = f
	}
	return by
}

// TestLagGrowsWhileKafkaIsAway holds lines, bytes, seconds, health and progress to what was written and when.
func TestLagGrowsWhileKafkaIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		log, hook := logtest.NewNullLogger()
		q.log = log
		s := looked(t, q)
		q.write(100, 3*time.Second)
		if st := s.Status(t.Context()); !st.Healthy || st.Lag.Lines != 0 || st.Lag.Bytes != 0 || st.Lag.Seconds != 0 || !st.Kafka.Reached || st.Kafka.LastAck == nil || len(st.Kafka.Lanes) != 4 {
			t.Fatalf("with all shipped: %+v", st)
		}
		q.bus.off.Store(true)
		text := ""
		for range 50 {
			text += line("im-1", q.n, epoch.Add(time.Duration(q.n)*time.Millisecond)) + "\n"
			q.n++
		}
		appendTo(t, q.live, text)
		gone := time.Now()
		<-time.After(2 * time.Second)
		last := 0.0
		for _, after := range []time.Duration{5 * time.Second, 20 * time.Second, 40 * time.Second, 10 * time.Minute} {
			<-time.After(after - time.Since(gone))
			st := s.Status(t.Context())
			if st.Lag.Lines != 50 || st.Lag.Bytes != int64(len(text)) {
				t.Errorf("after %v: %d lines, %d bytes behind, not 50 and %d", after, st.Lag.Lines, st.Lag.Bytes, len(text))
			}
			if math.Abs(st.Lag.Seconds-after.Seconds()) > 3 || st.Lag.Seconds <= last {
				t.Errorf("after %v the lag is %v s", after, st.Lag.Seconds)
			}
			last = st.Lag.Seconds
			if m := q.metric("im_shipper_lag_seconds"); math.Abs(m-st.Lag.Seconds) > 0.5 {
				t.Errorf("the metric says %v, the status %v", m, st.Lag.Seconds)
			}
			if got := q.metric("im_shipper_lag_lines"); got != 50 {
				t.Errorf("the metric says %v lines", got)
			}
			if after > 30*time.Second && (st.Healthy || st.Lag.ETA != nil || !strings.Contains(strings.Join(st.Trouble, "\n"), "Kafka has acknowledged nothing for") || st.Kafka.Error == "") {
				t.Errorf("after %v: %+v", after, st)
			}
		}
		f := filesOf(t, s)["app.log"]
		if f.State != status.Live || f.LagLines != 50 || f.Acked+f.LagBytes != f.Size || f.Fingerprint == "" || f.Inode == 0 || f.LagSeconds < 590 {
			t.Errorf("%+v", f)
		}
		q.bus.off.Store(false)
		<-time.After(10 * time.Second)
		if st := s.Status(t.Context()); !st.Healthy || st.Lag.Lines != 0 || st.Lag.Seconds != 0 {
			t.Errorf("with all shipped again: %+v", st)
		}
		behind, caught := 0, 0
		for _, e := range hook.AllEntries() {
			switch {
			case strings.HasPrefix(e.Message, "catching up with"):
				behind++
				if e.Data["left_lines"] != int64(50) || e.Data["eta"] == "" {
					t.Errorf("%v", e.Data)
				}
			case strings.HasPrefix(e.Message, "caught up with"):
				caught++
			}
		}
		if behind < 50 || behind > 60 || caught != 1 {
			t.Errorf("told %d times that it is behind, %d times that it has caught up", behind, caught)
		}
	})
}

// TestFilesOfEachKind shows a file in each state.
func TestFilesOfEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		dir := filepath.Dir(q.live)
		q.cfg.Sources[0].Paths = []string{filepath.Join(dir, "*.log")}
		s := looked(t, q)
		q.write(10, 2*time.Second)
		if err := os.Rename(q.live, q.live+".1"); err != nil {
			t.Fatal(err)
		}
		q.write(5, 2*time.Second)
		q.bus.off.Store(true)
		q.write(5, 2*time.Second)
		if err := os.Rename(q.live, q.live+".0"); err != nil {
			t.Fatal(err)
		}
		q.write(1, time.Second)
		half := line("im-1", 99, epoch)[:20]
		appendTo(t, filepath.Join(dir, "half.log"), half)
		appendTo(t, filepath.Join(dir, "gone.log"), line("im-2", 1, epoch)+"\n")
		<-time.After(2 * time.Second)
		if err := os.Remove(filepath.Join(dir, "gone.log")); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		got := filesOf(t, s)
		for name, state := range map[string]string{"app.log": status.Live, "app.log.0": status.Rotated, "app.log.1": status.Done, "half.log": status.Waiting} {
			if f := got[name]; f.State != state {
				t.Errorf("%s is %q, not %s: %+v", name, f.State, state, f)
			}
		}
		if f := got["half.log"]; f.LagBytes != 0 || f.LagSeconds != 0 || f.Fingerprint != "" || f.Size != int64(len(half)) {
			t.Errorf("of a line that is not complete: %+v", f)
		}
		if f := got["app.log.0"]; f.LagLines != 5 || f.Read != f.Size || f.Acked >= f.Size {
			t.Errorf("%+v", f)
		}
		if f := got["gone.log"]; f.Path != "" && f.State != status.Deleted {
			t.Errorf("%+v", f)
		}
		st := s.Status(t.Context())
		if st.Files.Behind < 2 || st.Files.States[status.Waiting] != 1 || st.Queue.Entries == 0 || st.Queue.Bytes == 0 || st.Queue.Segments == 0 {
			t.Errorf("%+v", st)
		}
		q.bus.off.Store(false)
		<-time.After(5 * time.Second)
	})
}

// TestUnfinishedLineIsNoLag leaves half a line in a log: nobody will ever acknowledge it, and nothing is wrong.
func TestUnfinishedLineIsNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t)
		s := looked(t, q)
		q.write(3, time.Second)
		appendTo(t, q.live, line("im-1", 99, epoch)[:30])
		<-time.After(10 * time.Minute)
		if st := s.Status(t.Context()); !st.Healthy || st.Lag.Bytes != 0 || st.Lag.Seconds != 0 {
			t.Errorf("%+v", st)
		}
	})
}
