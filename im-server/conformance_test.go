package imserver

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"unicode/utf8"
)

// conform is a case of the conformance table: what a client writes and what it has to read. Where that is no close frame
// the client closes at the end.
type conform struct {
	name string
	send [][]byte
	want []string
}

// TestConformance holds the server to RFC 6455 on real sockets, in the groups of Autobahn's test suite, which
// TestAutobahn runs where it is installed.
func TestConformance(t *testing.T) {
	t.Parallel()
	cfg := echoConfig(t)
	f := echoes(t, cfg)
	for _, c := range packedMessages() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f.conforms(t, c, echoQuery, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
		})
	}
	for _, group := range [][]conform{framesAndSizes(), pingsAndPongs(), reservedBits(), opcodes(), fragments(), texts(), closes()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				f.conforms(t, c, echoQuery)
			})
		}
	}
}

func (f *fixture) conforms(t *testing.T, c conform, query string, headers ...string) {
	t.Helper()
	w := f.rawDial(t, query, headers...)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, b := range c.send {
			if _, err := w.Write(b); err != nil {
				return // an end of the server's, which is looked at below
			}
		}
	}()
	defer func() {
		_ = w.Close()
		<-sent
	}()
	for i, want := range c.want {
		if got := w.next(); got != want {
			t.Fatalf("frame %d is %.200q, want %.200q", i, got, want)
		}
	}
	switch last := c.want[len(c.want)-1]; {
	case !strings.HasPrefix(last, "close"):
		w.send(t, bye)
		if got := w.next(); got != byeBye {
			t.Fatalf("%.200q came, and not the answer to a close", got)
		}
	case last == "close 1002" || last == "close 1007" || last == "close 1009": // the server waits for the client's end
		<-sent
		if tcp, ok := w.Conn.(*net.TCPConn); !ok || tcp.CloseWrite() != nil {
			t.Fatal("the connection was lost")
		}
	}
	if got := w.next(); got != "end" {
		t.Fatalf("after the close frame came %.200q", got)
	}
}

// bye is a client's close frame, and the server's answer.
var bye = closing(1000, "")

const byeBye = "close 1000"

func framesAndSizes() (list []conform) {
	for _, n := range []int{0, 1, 125, 126, 127, 128, 1000, 1010, 1024, 1025, 65535, 65536, 70000} {
		text := strings.Repeat("*", n)
		for op, name := range map[byte]string{1: "text", 2: "binary"} {
			list = append(list, conform{
				fmt.Sprintf("1 frames/%s of %d bytes", name, n), [][]byte{masked(fin|op, text)}, []string{name + " " + text},
			}, conform{
				fmt.Sprintf("1 frames/%s of %d bytes in writes of 997", name, n), chopped(997, masked(fin|op, text)), []string{name + " " + text},
			}, conform{
				fmt.Sprintf("10 fragments/%s of %d bytes in 1300", name, n), pieces(op, 1300, text), []string{name + " " + text},
			})
		}
	}
	huge := strings.Repeat("Ünicode, ", 1<<17)
	return append(
		list,
		conform{"9 limits/a text of 1 MiB", [][]byte{masked(fin|1, huge)}, []string{"text " + huge}},
		conform{"9 limits/a text of 1 MiB in fragments of 64", pieces(1, 64, huge), []string{"text " + huge}},
		conform{"9 limits/a text of 1 MiB in writes of 500", chopped(500, masked(fin|1, huge)), []string{"text " + huge}},
		conform{"1 frames/two in one write", [][]byte{append(masked(fin|1, "a"), masked(fin|1, "b")...)}, []string{"text a", "text b"}},
		conform{"1 frames/without a mask", [][]byte{{fin | 1, 1, 'x'}}, []string{"close 1002"}},
		conform{"1 frames/a length of 64 bits", [][]byte{{fin | 2, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, []string{"close 1002"}},
		conform{"1 frames/one beyond all limits", [][]byte{{fin | 2, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, []string{"close 1009"}},
	)
}

func pingsAndPongs() []conform {
	long := strings.Repeat("\xfe", 125)
	ten, pongs := [][]byte(nil), []string(nil)
	for i := range 10 {
		ten, pongs = append(ten, masked(fin|9, fmt.Sprint("p", i))), append(pongs, fmt.Sprint("pong p", i))
	}
	return []conform{
		{"2 pings/without payload", [][]byte{masked(fin|9, "")}, []string{"pong "}},
		{"2 pings/with text", [][]byte{masked(fin|9, "hello")}, []string{"pong hello"}},
		{"2 pings/with bytes", [][]byte{masked(fin|9, "\x00\xff\xfe")}, []string{"pong \x00\xff\xfe"}},
		{"2 pings/with 125 bytes", [][]byte{masked(fin|9, long)}, []string{"pong " + long}},
		{"2 pings/with 126 bytes", [][]byte{masked(fin|9, long+"x")}, []string{"close 1002"}},
		{"2 pings/in single bytes", chopped(1, masked(fin|9, long)), []string{"pong " + long}},
		{"2 pings/pongs that nobody asked for", [][]byte{masked(fin|10, ""), masked(fin|10, "x"), masked(fin|9, "y")}, []string{"pong y"}},
		{"2 pings/ten", ten, pongs},
		{"2 pings/ten in single bytes", chopped(1, ten...), pongs},
	}
}

func reservedBits() (list []conform) {
	for bits := byte(1); bits < 8; bits++ {
		for _, op := range []byte{1, 2, 8, 9, 10} {
			list = append(list, conform{
				fmt.Sprintf("3 reserved bits/%03b with opcode %d", bits, op),
				[][]byte{masked(fin|1, "before"), masked(fin|bits<<4|op, "x"), masked(fin|9, "after")},
				[]string{"text before", "close 1002"},
			})
		}
	}
	return list
}

func opcodes() (list []conform) {
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		for _, text := range []string{"", "x"} {
			list = append(list, conform{
				fmt.Sprintf("4 opcodes/%d with %d bytes", op, len(text)),
				[][]byte{masked(fin|1, "before"), masked(fin|op, text), masked(fin|9, "after")},
				[]string{"text before", "close 1002"},
			})
		}
	}
	return list
}

func fragments() []conform {
	const more, last = 0, fin
	return []conform{
		{"5 fragments/two", [][]byte{masked(1, "a"), masked(last, "b")}, []string{"text ab"}},
		{"5 fragments/two in single bytes", chopped(1, masked(1, "a"), masked(last, "b")), []string{"text ab"}},
		{"5 fragments/a ping between", [][]byte{masked(1, "a"), masked(fin|9, "p"), masked(last, "b")}, []string{"pong p", "text ab"}},
		{"5 fragments/pings between, in single bytes", chopped(1, masked(1, "a"), masked(fin|9, "p"), masked(more, "b"), masked(fin|9, "q"), masked(last, "c")), []string{"pong p", "pong q", "text abc"}},
		{"5 fragments/empty ones", [][]byte{masked(1, ""), masked(more, ""), masked(last, "")}, []string{"text "}},
		{"5 fragments/an empty one between", [][]byte{masked(1, "a"), masked(more, ""), masked(last, "b")}, []string{"text ab"}},
		{"5 fragments/of a ping", [][]byte{masked(9, "a"), masked(last, "b")}, []string{"close 1002"}},
		{"5 fragments/of a pong", [][]byte{masked(10, "a"), masked(last, "b")}, []string{"close 1002"}},
		{"5 fragments/of a close", [][]byte{masked(8, "\x03\xe8"), masked(last, "b")}, []string{"close 1002"}},
		{"5 fragments/a last one of nothing", [][]byte{masked(last, "a"), masked(fin|1, "b")}, []string{"close 1002"}},
		{"5 fragments/one of nothing", [][]byte{masked(more, "a"), masked(fin|1, "b")}, []string{"close 1002"}},
		{"5 fragments/one after a whole message", [][]byte{masked(fin|1, "a"), masked(last, "b")}, []string{"text a", "close 1002"}},
		{"5 fragments/a message within another", [][]byte{masked(1, "a"), masked(fin|1, "b")}, []string{"close 1002"}},
		{"5 fragments/a message in fragments within another", [][]byte{masked(1, "a"), masked(2, "b")}, []string{"close 1002"}},
		{"5 fragments/many messages", [][]byte{masked(1, "a"), masked(last, "b"), masked(2, "c"), masked(more, "d"), masked(last, "e"), masked(fin|1, "f")}, []string{"text ab", "binary cde", "text f"}},
		{"5 fragments/a close between", [][]byte{masked(1, "a"), bye}, []string{byeBye}},
	}
}

// texts are those of Autobahn's group 6, after Markus Kuhn's table.
func texts() (list []conform) {
	good := []string{
		"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\u0080", "\u0800", "\U00010000", "\x7f", "\u07ff", "\uffff", "\U0010ffff",
		"\ud7ff", "\ue000", "\ufffd", "\ufffe", "\U0001fffe", "\U0010fffe", strings.Repeat("🂡", 300), strings.Repeat("x", 1023) + "€",
	}
	bad := []string{
		"κόσμε\xed\xa0\x80edited", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xf4\x90\x80\x80", "\x80", "\xbf", "\x80\xbf\x80",
		"\xc0 ", "\xe0 ", "\xf0 ", "\xe0\x80", "\xf0\x80\x80", "\xfe", "\xff", "\xfe\xfe\xff\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
		"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xf5\x80\x80\x80",
		strings.Repeat("x", 1500) + "\xff",
	}
	for i, s := range good {
		text := "text " + s
		list = append(list,
			conform{fmt.Sprintf("6 UTF-8/good %d", i), [][]byte{masked(fin|1, s)}, []string{text}},
			conform{fmt.Sprintf("6 UTF-8/good %d in fragments of a byte", i), pieces(1, 1, s), []string{text}},
			conform{fmt.Sprintf("6 UTF-8/good %d in writes of a byte", i), chopped(1, masked(fin|1, s)), []string{text}},
		)
		if _, size := utf8.DecodeLastRuneInString(s); size > 1 { // a rune that is not whole
			cut := s[:len(s)-1]
			list = append(list,
				conform{fmt.Sprintf("6 UTF-8/cut %d", i), [][]byte{masked(fin|1, cut)}, []string{"close 1007"}},
				conform{fmt.Sprintf("6 UTF-8/cut %d in fragments of a byte", i), pieces(1, 1, cut), []string{"close 1007"}},
			)
		}
	}
	for i, s := range bad {
		endless := masked(fin|1, s+strings.Repeat(" ", 5000)) // of which the client sends no more than what is bad
		list = append(list,
			conform{fmt.Sprintf("6 UTF-8/bad %d", i), [][]byte{masked(fin|1, s)}, []string{"close 1007"}},
			conform{fmt.Sprintf("6 UTF-8/bad %d in fragments of a byte", i), pieces(1, 1, s), []string{"close 1007"}},
			conform{fmt.Sprintf("6 UTF-8/bad %d in writes of a byte", i), chopped(1, masked(fin|1, s)), []string{"close 1007"}},
			conform{fmt.Sprintf("6 UTF-8/bad %d in a first fragment", i), [][]byte{masked(1, s)}, []string{"close 1007"}},
			conform{fmt.Sprintf("6 UTF-8/bad %d as bytes", i), [][]byte{masked(fin|2, s)}, []string{"binary " + s}},
			conform{fmt.Sprintf("6 UTF-8/bad %d at once, before the frame's end", i), [][]byte{endless[:8+len(s)]}, []string{"close 1007"}},
		)
	}
	return list
}

func closes() (list []conform) {
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		for _, reason := range []string{"", "bye", strings.Repeat("*", 123)} {
			list = append(list, conform{fmt.Sprintf("7 closes/%d with %d bytes", code, len(reason)), [][]byte{closing(code, reason)}, []string{fmt.Sprintf("close %d", code)}})
		}
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		list = append(list, conform{fmt.Sprintf("7 closes/%d, which is none", code), [][]byte{closing(code, "")}, []string{"close 1002"}})
	}
	return append(
		list,
		conform{"7 closes/without a code", [][]byte{masked(fin|8, "")}, []string{"close"}},
		conform{"7 closes/half a code", [][]byte{masked(fin|8, "\x03")}, []string{"close 1002"}},
		conform{"7 closes/124 bytes", [][]byte{closing(1000, strings.Repeat("*", 124))}, []string{"close 1002"}},
		conform{"7 closes/a reason that is no text", [][]byte{closing(1000, "\xce\xba\xff")}, []string{"close 1007"}},
		conform{"7 closes/a ping after it", [][]byte{append(bye, masked(fin|9, "late")...)}, []string{byeBye}},
		conform{"7 closes/a message after it", [][]byte{append(bye, masked(fin|1, "late")...)}, []string{byeBye}},
		conform{"7 closes/twice", [][]byte{append(bye, bye...)}, []string{byeBye}},
		conform{"7 closes/in single bytes", chopped(1, closing(1000, "bye")), []string{byeBye}},
	)
}

// packedMessages are those of Autobahn's groups 12 and 13.
func packedMessages() (list []conform) {
	for _, n := range []int{16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072} {
		text := strings.Repeat("Hello, Ünicode. ", n/16)
		for op, name := range map[byte]string{1: "text", 2: "binary"} {
			want := []string{"packed " + name + " " + text}
			if n == 16 {
				want = []string{name + " " + text} // it is not worth it
			}
			list = append(list,
				conform{fmt.Sprintf("12 packed/%s of %d bytes", name, n), [][]byte{masked(fin|rsv1|op, packed(text))}, want},
				conform{fmt.Sprintf("12 packed/%s of %d bytes in writes of 7", name, n), chopped(7, masked(fin|rsv1|op, packed(text))), want},
				conform{fmt.Sprintf("12 packed/%s of %d bytes in fragments of 9", name, n), pieces(rsv1|op, 9, packed(text)), want},
				conform{fmt.Sprintf("13 not packed/%s of %d bytes, though it may be", name, n), [][]byte{masked(fin|op, text)}, want},
			)
		}
	}
	// The examples of RFC 7692, section 7.2.3.
	hello := "text Hello"
	return append(
		list,
		conform{"13 RFC 7692/one block", [][]byte{masked(fin|rsv1|1, "\xf2\x48\xcd\xc9\xc9\x07\x00")}, []string{hello}},
		conform{"13 RFC 7692/in fragments", [][]byte{masked(rsv1|1, "\xf2\x48\xcd"), masked(fin, "\xc9\xc9\x07\x00")}, []string{hello}},
		conform{"13 RFC 7692/not compressed", [][]byte{masked(fin|rsv1|1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")}, []string{hello}},
		conform{"13 RFC 7692/with a last block", [][]byte{masked(fin|rsv1|1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")}, []string{hello}},
		conform{"13 RFC 7692/two blocks", [][]byte{masked(fin|rsv1|1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")}, []string{hello}},
		conform{"13 packed/nothing", [][]byte{masked(fin|rsv1|1, "\x00")}, []string{"text "}},
		conform{"13 packed/a ping between", [][]byte{masked(rsv1|1, "\xf2\x48\xcd"), masked(fin|9, "p"), masked(fin, "\xc9\xc9\x07\x00")}, []string{"pong p", hello}},
		conform{"13 packed/a ping", [][]byte{masked(fin|rsv1|9, "p")}, []string{"close 1002"}},
		conform{"13 packed/a continuation", [][]byte{masked(rsv1|1, "\xf2\x48\xcd"), masked(fin|rsv1, "\xc9\xc9\x07\x00")}, []string{"close 1002"}},
		conform{"13 packed/rubbish", [][]byte{masked(fin|rsv1|1, "\xff\xff\xff\xff")}, []string{"close 1007"}},
		conform{"13 packed/text that is none", [][]byte{masked(fin|rsv1|1, packed("abc\xffabc"))}, []string{"close 1007"}},
	)
}
