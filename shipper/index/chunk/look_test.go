package chunk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imwatch/shipper/index"
)

// A sink tells what it holds and since when, and how its keeper answers, also in the midst of a call.
func TestLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := false
		d := &disk{spans: map[Place][]Span{}, files: map[string][]int64{}, fault: func() error {
			if full {
				return errors.New("no space left on device")
			}
			return nil
		}}
		cfg := DefaultConfig()
		s, err := New(cfg, Deps{Keeper: d, Log: quiet(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		items := []index.Item{{Topic: "t", Partition: 1, Offset: 7, ID: "a", Body: []byte(`{"a":1}`)}, {Topic: "t", Partition: 1, Offset: 8, ID: "b", Body: []byte(`{}`)}}
		if _, err := s.Write(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		l := s.Look()
		if len(l.Held) != 1 || l.Held[0] != (index.Held{Topic: "t", Partition: 1, From: 7, To: 8, Bytes: 9, Since: began}) || !l.Answers.Success.IsZero() || s.Holds() != cfg.Age {
			t.Errorf("%+v", l)
		}
		full = true
		<-time.After(cfg.Age)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := make(chan error)
		go func() { _, err := s.Write(ctx, nil); ended <- err }()
		<-time.After(30 * time.Second)
		l = s.Look()
		if len(l.Held) != 1 || !strings.Contains(l.Answers.Error, "no space left") || l.Answers.Failing.Sub(began) != cfg.Age {
			t.Errorf("%+v", l)
		}
		if <-ended == nil {
			t.Error("what could not be kept is kept")
		}
		full = false
		if _, err := s.Write(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if l = s.Look(); len(l.Held) != 0 || !l.Answers.Failing.IsZero() || l.Answers.Success.IsZero() || l.Answers.Error == "" {
			t.Errorf("%+v", l)
		}
	})
}
