package shipper

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// split writes a text into a log in pieces that end anywhere, between rotations of every kind and restarts.
type split struct {
	*queued
	rng  *rand.Rand
	text string
	old  int // rotated files
}

func (s *split) wait() { <-time.After(time.Duration(s.rng.IntN(3000)) * time.Millisecond) }

// piece appends up to n bytes. Whole lines, where a rotation follows.
func (s *split) piece(n int, whole bool) {
	n = min(n, len(s.text))
	for whole && n > 0 && n < len(s.text) && s.text[n-1] != '\n' {
		n++
	}
	appendTo(s, s.live, s.text[:n])
	s.text = s.text[n:]
}

// finish ends the line that was begun: who rotates does it between two lines.
func (s *split) finish() {
	if b, err := os.ReadFile(s.live); err == nil && len(b) > 0 && b[len(b)-1] != '\n' {
		s.piece(1, true)
	}
}

func (s *split) must(err error) {
	if err != nil && !os.IsNotExist(err) {
		s.Helper()
		s.Fatal(err)
	}
}

func (s *split) rotated(i int) string { return fmt.Sprintf("%s.%d", s.live, i) }

func (s *split) shift() {
	s.old++
	for i := s.old; i > 1; i-- {
		s.must(os.Rename(s.rotated(i-1), s.rotated(i)))
		s.must(os.Rename(s.rotated(i-1)+".gz", s.rotated(i)+".gz"))
	}
}

func (s *split) rename() {
	s.finish()
	s.shift()
	s.must(os.Rename(s.live, s.rotated(1)))
}

func (s *split) copyTruncate() {
	s.finish()
	b, err := os.ReadFile(s.live)
	if err != nil || len(b) == 0 {
		return
	}
	s.shift()
	for _, part := range [][]byte{b[:s.rng.IntN(len(b))], b} {
		s.must(os.WriteFile(s.rotated(1), part, 0o600))
		if s.rng.IntN(2) == 0 {
			s.wait()
		}
	}
	s.must(os.Truncate(s.live, 0))
}

func (s *split) gzip() {
	if s.old == 0 {
		return
	}
	path := s.rotated(1 + s.rng.IntN(s.old))
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(b)
	s.must(err)
	s.must(z.Close())
	s.must(os.WriteFile(path+".gz", packed.Bytes(), 0o600))
	if s.rng.IntN(2) == 0 {
		s.wait()
	}
	s.must(os.Remove(path))
}

// Into whatever writes, rotations by rename, copy and gzip, restarts and outages of the broker a stream of bytes is
// split: the same events come of it, each once, those of a key in order.
func TestAnySplitGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &split{queued: newQueued(t), rng: rand.New(rand.NewPCG(seed, 1))}
				s.cfg.CloseIdle, s.cfg.OpenFiles = time.Duration(1+s.rng.IntN(4000))*time.Millisecond, 10
				for s.n = range 300 {
					s.text += line("im-1", s.n, epoch.Add(time.Duration(s.n)*time.Millisecond)) + "\n"
				}
				s.n++
				s.start()
				for s.text != "" {
					switch s.rng.IntN(10) {
					case 0:
						s.rename()
					case 1:
						s.copyTruncate()
					case 2:
						s.gzip()
					case 3:
						s.stop()
						s.start()
					case 4:
						s.bus.off.Store(s.rng.IntN(2) == 0)
					case 5:
						s.wait()
					default:
						s.piece(1+s.rng.IntN(4000), false)
					}
				}
				s.bus.off.Store(false)
				<-time.After(time.Minute)
				s.arrived()
				s.stop()
			})
		})
	}
}
