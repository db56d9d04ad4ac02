package imserver

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"imwatch/im-server/protocol"
)

// writeCount is how many writes to clients there were.
func (f *fixture) writeCount() uint64 {
	f.t.Helper()
	var m dto.Metric
	if err := prometheus.Metric(f.watch.writes).Write(&m); err != nil {
		f.t.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount()
}

// TestBurstGoesOutTogether sends so much at once that it takes several reads: what it gives each client goes out in one
// write, in order.
func TestBurstGoesOutTogether(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	writer, member := f.dial("writer"), f.dial("member")
	writer.join("r")
	member.join("r")
	const n = 40
	var wire []byte
	for i := range n {
		wire = append(wire, masked(fin|1, fmt.Sprintf(`{"v":1,"type":"publish","id":"%d","payload":{"room":"r","body":"a text of a person"}}`, i))...)
	}
	before := f.writeCount()
	if _, err := writer.tcp().Write(wire); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if e := member.next(); e.Type != protocol.TypeMessage || e.ID != fmt.Sprint(i) || e.Seq != int64(i+1) {
			t.Fatalf("instead of message %d came %+v", i, e)
		}
		if a, ok := writer.next().Payload.(*protocol.Ack); !ok || a.Ref != fmt.Sprint(i) || a.Delivered != 1 {
			t.Fatalf("instead of the acknowledgement of %d came %+v", i, a)
		}
	}
	// One write each. What came before may be counted late, and there may be a ping.
	if writes := f.writeCount() - before; writes > 2+4 {
		t.Errorf("%d messages and their acknowledgements took %d writes, want 2", n, writes)
	}
}

// TestWaitingEndsABurst has what may wait come behind what is quick, whose answers must not wait with it.
func TestWaitingEndsABurst(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	f := serve(t, testConfig(t), Deps{Authenticator: authFunc(func(_ context.Context, c Credentials) (Identity, error) {
		if c.Token == "slow" {
			close(asked)
			<-answer
		}
		return Identity{UserID: "u"}, nil
	})})
	c := f.dial("u")
	wire := masked(fin|1, `{"v":1,"type":"echo","id":"1","payload":{"a":1}}`)
	wire = append(wire, masked(fin|1, `{"v":1,"type":"auth","id":"2","payload":{"token":"slow"}}`)...)
	if _, err := c.tcp().Write(wire); err != nil {
		t.Fatal(err)
	}
	<-asked
	if e := c.next(); e.Type != protocol.TypeEcho || e.ID != "1" {
		t.Errorf("before the token is checked came %+v", e)
	}
	close(answer)
	if a, ok := c.next().Payload.(*protocol.Ack); !ok || a.Ref != "2" {
		t.Errorf("the token was answered by %+v", a)
	}
}

// TestFullSocketLosesNothing has a client that reads late: what its socket does not take at once is written in parts, and
// more comes meanwhile.
func TestFullSocketLosesNothing(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	writer, member := f.dial("writer"), f.dial("member")
	writer.join("r")
	member.join("r")
	if err := tcpOf(f.hub.byID(member.hello.ConnectionID).nc).SetWriteBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	if err := member.tcp().SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	const n = 900
	for i := range n {
		writer.send(fmt.Sprintf(`{"v":1,"type":"publish","id":"%d","payload":{"room":"r","body":"%0500d"}}`, i, i))
		if i%30 == 0 { // bursts of several lengths
			for writer.next().Payload.(*protocol.Ack).Ref != fmt.Sprint(i) { //nolint:forcetypeassert // or the test fails
			}
		}
	}
	for i := range n {
		if e := member.next(); e.Type != protocol.TypeMessage || e.ID != fmt.Sprint(i) || e.Seq != int64(i+1) {
			t.Fatalf("instead of message %d came %+v", i, e)
		}
	}
}
