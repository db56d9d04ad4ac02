package imserver

import (
	"testing"

	"imwatch/event"
)

// TestDevicesOfAUser holds what a second session of a device does to each policy, at the limit of connections too.
func TestDevicesOfAUser(t *testing.T) {
	t.Parallel()
	for policy, reason := range map[string]event.CloseReason{perDeviceReplace: event.CloseSessionReplaced, perDeviceRefuse: event.CloseDeviceConflict} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Sessions.PerDevice, cfg.Limits.UserConnections = policy, 2
			f := serve(t, cfg, Deps{})
			phone, desk := f.dialWith("al", nil, "?device_id=phone"), f.dialWith("al", nil, "?device_id=desk")
			again := f.dialWith("al", nil, "?device_id=phone")
			gone := phone
			if policy == perDeviceRefuse {
				gone = again
			}
			if ce := gone.closed(); ce.Code != reason.Code {
				t.Errorf("closed with %v", ce)
			}
			want(t, f.end(gone), map[event.FieldID]string{event.FieldCloseReason: reason.Reason})
			if ce := f.dialWith("al", nil, "?device_id=third").closed(); ce.Code != event.CloseUserLimit.Code {
				t.Errorf("a third device was closed with %v", ce)
			}
			if n := len(f.log.all(event.ActionSessionReplaced)); n != map[string]int{perDeviceReplace: 1}[policy] {
				t.Errorf("%d session_replaced", n)
			}
			desk.send(`{"v":1,"type":"ping","id":"p"}`)
			desk.next() // it is well
		})
	}
}
