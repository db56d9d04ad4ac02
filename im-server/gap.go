package imserver

import (
	"imwatch/event"
	"imwatch/im-server/protocol"
)

// gap is messages of a topic that are lost to a session.
type gap struct {
	action event.Action
	topic  string
	missed int64 // 0: it is not known how many
}

// tellGap tells client and log that messages of a topic are lost to the session; 0: how many is not known. Without a
// connection it is told to the next. x.mu is held.
func (x *session) tellGap(action event.Action, topic string, n int64) {
	c := x.c
	if c == nil || x.greet {
		x.noteGap(gap{action, topic, n})
		return
	}
	told := &protocol.Gap{Missed: n}
	told.To, told.Room, told.Global = split(topic)
	c.reply(protocol.TypeGap, "", told)
	ev := c.event(action)
	ev.SetText(event.FieldTopicKind, topicKind(topic))
	if told.Room != "" {
		ev.SetText(event.FieldRoomID, told.Room)
	}
	if n > 1 {
		ev.SetFloat(event.FieldSampleWeight, float64(n))
	}
	x.s.emit(ev)
	x.s.metrics.delivery.gaps.Add(float64(max(1, n)))
}

// noteGap keeps a gap for later, together with what is kept of the same topic. x.mu is held.
func (x *session) noteGap(g gap) {
	for i := range x.gaps {
		if old := &x.gaps[i]; old.action.Code == g.action.Code && old.topic == g.topic {
			if old.missed == 0 || g.missed == 0 {
				old.missed = 0
			} else {
				old.missed += g.missed
			}
			return
		}
	}
	x.gaps = append(x.gaps, g)
}
