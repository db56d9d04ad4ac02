package recordbatch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"

	"imwatch/internal/bus"
	"imwatch/internal/bus/recordbatch"
)

var codecs = []recordbatch.Codec{recordbatch.None, recordbatch.Snappy, recordbatch.LZ4, recordbatch.Zstd}

func message(t *rapid.T) bus.Message {
	part := rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 40),
		rapid.Custom(func(t *rapid.T) []byte {
			return bytes.Repeat([]byte("abcd "), rapid.IntRange(0, 20_000).Draw(t, "times"))
		}))
	return bus.Message{Key: part.Draw(t, "key"), Value: part.Draw(t, "value")}
}

// What goes in comes out, through our own reader and through kafka-go's.
func TestRoundTrip(t *testing.T) {
	at := time.UnixMilli(1_790_000_000_123)
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.Custom(message), 1, 20).Draw(t, "messages")
		codec := rapid.SampledFrom(codecs).Draw(t, "codec")
		pick := rapid.SliceOfN(rapid.Int32Range(0, int32(len(ms)-1)), 1, 30).Draw(t, "pick")
		as := bus.Stamp{
			Identity: bus.Identity{ID: rapid.Int64Min(0).Draw(t, "id"), Epoch: rapid.Int16Min(0).Draw(t, "epoch")},
			Sequence: rapid.Int32Min(0).Draw(t, "sequence"),
		}
		e := recordbatch.NewEncoder(codec, 1<<20)
		for len(pick) > 0 {
			before := []byte("before")
			b, n, err := e.Append(before, ms, pick)
			if err != nil || n < 1 {
				t.Fatalf("%d messages, %v", n, err)
			}
			b = b[len(before):]
			if err := recordbatch.Stamp(b, as, at); err != nil {
				t.Fatal(err)
			}
			h, err := recordbatch.Inspect(append(slices.Clone(b), "rest"...))
			if err != nil || h.Stamp != as || h.Count != n || h.Bytes != len(b) || !h.At.Equal(at) || h.Codec != codec {
				t.Fatalf("the head is %+v, %v", h, err)
			}
			ours, err := recordbatch.Messages(b)
			if err != nil {
				t.Fatal(err)
			}
			theirs := byKafkaGo(t, b)
			for i, got := range [][]bus.Message{ours, theirs} {
				if len(got) != n {
					t.Fatalf("reader %d gave %d messages of %d", i, len(got), n)
				}
				for j, m := range got {
					want := ms[pick[j]]
					if !bytes.Equal(m.Key, want.Key) || !bytes.Equal(m.Value, want.Value) || m.Offset != int64(j) || !m.Time.Equal(at) {
						t.Fatalf("reader %d: message %d is %+v, want %+v", i, j, m, want)
					}
				}
			}
			pick = pick[n:]
		}
	})
}

func byKafkaGo(t *rapid.T, batch []byte) []bus.Message {
	var set protocol.RecordSet
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(batch))), batch...)
	if _, err := set.ReadFrom(bytes.NewReader(sized)); err != nil {
		t.Fatal(err)
	}
	var out []bus.Message
	for {
		r, err := set.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		m := bus.Message{Offset: r.Offset, Time: r.Time}
		if r.Key != nil {
			m.Key, _ = io.ReadAll(r.Key)
		}
		m.Value, _ = io.ReadAll(r.Value)
		out = append(out, m)
	}
}

// Whatever bit is wrong is noticed, and so is what is missing.
func TestDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codec := rapid.SampledFrom(codecs).Draw(t, "codec")
		b, _, err := recordbatch.NewEncoder(codec, 1<<20).Append(nil, []bus.Message{{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 200)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut"); !isCorrupt(b[:cut]) {
			t.Errorf("%d bytes of %d pass for whole", cut, len(b))
		}
		// The base offset and the leader's epoch are the broker's to set, so the checksum leaves them out.
		at, bit := rapid.IntRange(16, len(b)-1).Draw(t, "byte"), rapid.IntRange(0, 7).Draw(t, "bit")
		b[at] ^= 1 << bit
		if !isCorrupt(b) {
			t.Errorf("bit %d of byte %d is wrong and was not noticed", bit, at)
		}
	})
}

func isCorrupt(b []byte) bool {
	_, err := recordbatch.Messages(b)
	return errors.Is(err, recordbatch.ErrCorrupt)
}

func FuzzMessages(f *testing.F) {
	for _, codec := range codecs {
		b, _, err := recordbatch.NewEncoder(codec, 1<<20).Append(nil, []bus.Message{{Key: []byte("k"), Value: []byte("value")}, {}}, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// The checksum is made right, so that what lies behind it is reached.
		if recordbatch.Stamp(b, bus.Stamp{}, time.UnixMilli(0)) != nil {
			return
		}
		ms, err := recordbatch.Messages(b)
		if err != nil {
			return
		}
		again, n, err := recordbatch.NewEncoder(recordbatch.None, 1<<30).Append(nil, ms, nil)
		if err != nil || n != len(ms) {
			t.Fatalf("%d messages of %d, %v", n, len(ms), err)
		}
		if len(ms) == 0 {
			return
		}
		back, err := recordbatch.Messages(again)
		if err != nil || len(back) != len(ms) {
			t.Fatalf("%d messages of %d, %v", len(back), len(ms), err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	ms := make([]bus.Message, 1000)
	bytesIn := 0
	for i := range ms {
		ms[i].Key = fmt.Appendf(nil, "u-%d", i%500)
		ms[i].Value = fmt.Appendf(nil, `{"@timestamp":"2026-11-21T10:00:00.%06dZ","ecs":{"version":"8.17.0"},"event":{"id":"im-1-6aa0b2c4-%010d","dataset":"im.connection","kind":"event","action":"disconnect","category":["session"],"type":["end"],"outcome":"failure","duration":%d},"log":{"level":"warn"},"service":{"name":"im-server","version":"1.0.0","node":{"name":"im-1"}},"trace":{"id":"%032x"},"client":{"ip":"192.0.2.%d"},"user":{"id":"u-%d"},"im":{"connection":{"id":"c-%d"},"close":{"code":1006,"reason":"client_gone","initiator":"network"},"bytes":{"in":%d,"out":%d}}}`,
			i, i, i*1_000_003, i*7919, i%250, i%500, i, i%4096, i%8192)
		bytesIn += len(ms[i].Value)
	}
	for _, codec := range codecs {
		b.Run(fmt.Sprint(codec), func(b *testing.B) {
			e := recordbatch.NewEncoder(codec, 1<<20)
			var dst []byte
			b.SetBytes(int64(bytesIn))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, _, err = e.Append(dst[:0], ms, nil); err != nil {
					b.Fatal(err)
				}
				if err := recordbatch.Stamp(dst, bus.Stamp{}, time.UnixMilli(1)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(dst))/float64(bytesIn), "ratio")
		})
	}
}
