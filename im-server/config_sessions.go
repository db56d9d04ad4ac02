package imserver

import (
	"time"

	"imwatch/im-server/cluster"
)

// SessionsConfig says how long sessions outlive their connections, and what is done for messages to arrive.
type SessionsConfig struct {
	Resume       time.Duration `yaml:"resume" hot:"true" doc:"how long a session whose connection was lost can be resumed"`
	Messages     int           `yaml:"messages" hot:"true" doc:"messages of one session that wait for its acknowledgement; older ones are given up for a resume; at most half of limits.queue_messages"`
	Bytes        int           `yaml:"bytes" hot:"true" doc:"and their bytes; at most half of limits.queue_bytes"`
	AckEvery     time.Duration `yaml:"ack_every" hot:"true" doc:"clients are told to acknowledge at least so often"`
	AckTimeout   time.Duration `yaml:"ack_timeout" hot:"true" doc:"time without an acknowledgement after which messages are sent again; doubled each time"`
	Attempts     int           `yaml:"attempts" hot:"true" doc:"how often a message is sent before its delivery has failed"`
	PerDevice    string        `yaml:"per_device" hot:"true" doc:"a second session of one device: allow, replace (the older ends) or refuse"`
	Hello        time.Duration `yaml:"hello" hot:"true" doc:"time for the first envelope of a client that has to say something first"`
	Publishers   []string      `yaml:"publishers" hot:"true" doc:"users that may publish to global topics"`
	GlobalTopics []string      `yaml:"global_topics" doc:"global topics, which everybody gets"`
	Keep         cluster.Keep  `yaml:"keep"`
}

// The policies of sessions.per_device.
const (
	perDeviceAllow   = "allow"
	perDeviceReplace = "replace"
	perDeviceRefuse  = "refuse"
)

func defaultSessions() SessionsConfig {
	return SessionsConfig{
		Resume: 5 * time.Minute, Messages: 1000, Bytes: 512 << 10, AckEvery: 5 * time.Second, AckTimeout: 10 * time.Second, Attempts: 5,
		PerDevice: perDeviceAllow, Hello: 5 * time.Second, GlobalTopics: []string{"all"}, Keep: cluster.DefaultKeep(),
	}
}

func (c SessionsConfig) validate(v *faults) {
	v.positive("sessions.resume", c.Resume)
	v.check(c.Messages >= 1, "sessions.messages", "%d must be at least 1", c.Messages)
	v.check(c.Bytes >= 1, "sessions.bytes", "%d must be at least 1", c.Bytes)
	v.positive("sessions.ack_every", c.AckEvery)
	v.check(c.AckTimeout > c.AckEvery, "sessions.ack_timeout", "%v must be more than sessions.ack_every, %v", c.AckTimeout, c.AckEvery)
	v.check(c.Attempts >= 1 && c.Attempts <= 20, "sessions.attempts", "%d must be from 1 to 20", c.Attempts)
	v.check(c.PerDevice == perDeviceAllow || c.PerDevice == perDeviceReplace || c.PerDevice == perDeviceRefuse,
		"sessions.per_device", "%q must be allow, replace or refuse", c.PerDevice)
	v.positive("sessions.hello", c.Hello)
	for _, t := range c.GlobalTopics {
		v.check(goodName(t), "sessions.global_topics", "%q is no name of 1 to 128 bytes", t)
	}
	if err := c.Keep.Validate("sessions.keep."); err != nil {
		*v = append(*v, err)
	}
	v.check(c.Keep.Dedupe >= c.Resume, "sessions.keep.dedupe", "%v must be at least sessions.resume, %v", c.Keep.Dedupe, c.Resume)
}
