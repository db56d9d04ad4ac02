package imserver

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"imwatch/im-server/framing"
	"imwatch/im-server/protocol"
)

// CompressionConfig says whether messages are packed for clients that take them so (permessage-deflate, RFC 7692).
type CompressionConfig struct {
	Enabled  bool `yaml:"enabled" doc:"agree to permessage-deflate with clients that offer it, for connections from now on"`
	MinBytes int  `yaml:"min_bytes" doc:"messages to clients that are smaller are not packed, in bytes"`
}

// packing packs what goes to clients that take it so. Each message is packed by itself, so that no connection holds
// memory for it, and one that many get is packed once. Safe for concurrent use.
type packing struct {
	s                   *Server
	bytes               *prometheus.CounterVec // direction, form
	inPlain, inPacked   prometheus.Counter
	outPlain, outPacked prometheus.Counter
}

func newPacking(s *Server) *packing {
	p := &packing{s: s, bytes: counters("compression_bytes_total", "Bytes of messages that were packed, by direction (in, out) and form (plain, packed). What many clients get counts once.", "direction", "form")}
	p.inPlain, p.inPacked = p.bytes.WithLabelValues("in", "plain"), p.bytes.WithLabelValues("in", "packed")
	p.outPlain, p.outPacked = p.bytes.WithLabelValues("out", "plain"), p.bytes.WithLabelValues("out", "packed")
	return p
}

func (p *packing) collectors() []prometheus.Collector { return []prometheus.Collector{p.bytes} }

// agree answers what a client offers, and says whether messages may be packed. The name of the header is written as
// RFC 6455 does and not in the canonical form, in which gorilla takes it for its own.
func (p *packing) agree(r *http.Request) (http.Header, bool) {
	if !p.s.conf().Compression.Enabled {
		return nil, false
	}
	answer, ok := framing.Negotiate(r.Header.Values("Sec-WebSocket-Extensions"))
	if !ok {
		return nil, false
	}
	return http.Header{"Sec-WebSocket-Extensions": {answer}}, true
}

// frame packs the bytes of a frame, if it is worth it.
func (p *packing) frame(f frame) frame {
	if p == nil || len(f.data) < p.s.conf().Compression.MinBytes {
		return f
	}
	packed := p.s.pool.PackLast(make([]byte, 0, len(f.data)/2), f.data)
	if p.count(len(f.data), len(packed)) {
		f.op, f.data = f.op|packedBit, packed
	}
	return f
}

// encoded is an encoded message without its number. Packed, its parts are, and stand before and behind the number.
type encoded struct {
	protocol.Parts
	packed bool
}

// parts packs a message, if it is worth it.
func (p *packing) parts(plain *encoded) *encoded {
	size := len(plain.Head) + len(plain.Tail)
	if size < p.s.conf().Compression.MinBytes {
		return plain
	}
	e := &encoded{packed: true}
	if len(plain.Head) < storedHead {
		e.Head = framing.AppendStored(nil, plain.Head)
	} else {
		e.Head = p.s.pool.Pack(nil, plain.Head)
	}
	e.Tail = p.s.pool.PackLast(nil, plain.Tail)
	if !p.count(size, len(e.Head)+len(e.Tail)) {
		return plain
	}
	return e
}

// storedHead is how long a head is at least that can be packed to less than itself, in bytes.
const storedHead = 128

// count counts what was packed, and says whether it is worth it.
func (p *packing) count(plain, packed int) bool {
	if packed >= plain {
		return false
	}
	p.outPlain.Add(float64(plain))
	p.outPacked.Add(float64(packed))
	return true
}

// received counts a packed message of a client.
func (p *packing) received(got *framing.Received) {
	p.inPlain.Add(float64(len(got.Data)))
	p.inPacked.Add(float64(got.Wire))
}

// appendPacked appends a packed message with its number.
func (e *encoded) appendPacked(dst []byte, codec protocol.Codec, seq int64) []byte {
	var room [numberSize + 8]byte
	dst = append(dst, e.Head...)
	dst = framing.AppendStored(dst, codec.AppendNumbered(room[:0], protocol.Parts{}, seq))
	return append(dst, e.Tail...)
}
