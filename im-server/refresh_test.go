package imserver

import (
	"fmt"
	"testing"

	"imwatch/im-server/protocol"
)

// TestNewTokenOnAnOpenConnection takes one of the same user, and no other; the connection goes on either way.
func TestNewTokenOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	f := serve(t, testConfig(t), Deps{})
	c := f.dial("ann")
	for _, tt := range []struct {
		token string
		code  protocol.Code
	}{{tokenFor(t, "ann"), ""}, {tokenFor(t, "bob"), protocol.CodeDenied}, {"nonsense", protocol.CodeDenied}, {tokenFor(t, "ann"), ""}} {
		c.send(fmt.Sprintf(`{"v":1,"type":"auth","id":"a","payload":{"token":%q}}`, tt.token))
		switch p := c.next().Payload.(type) {
		case *protocol.Ack:
			if tt.code != "" || p.Ref != "a" {
				t.Errorf("got %+v, want %q", p, tt.code)
			}
		case *protocol.Error:
			if p.Code != tt.code || p.Ref != "a" {
				t.Errorf("got %+v, want %q", p, tt.code)
			}
		default:
			t.Errorf("got %+v", p)
		}
	}
	_ = c.Close()
}
