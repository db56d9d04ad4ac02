package ops

import "time"

// Conn is a connection as it was at one moment.
type Conn struct {
	ID         string    `json:"id"`
	Session    string    `json:"session"`
	User       string    `json:"user"`
	Device     string    `json:"device,omitempty"`
	Platform   string    `json:"platform,omitempty"`
	AppVersion string    `json:"app_version,omitempty"`
	UserAgent  string    `json:"user_agent,omitempty"`
	IP         string    `json:"ip"`
	Port       int64     `json:"port,omitempty"`
	Protocol   string    `json:"protocol"` // the WebSocket subprotocol
	TraceID    string    `json:"trace_id"`
	Node       string    `json:"node"`
	State      string    `json:"state"` // one of the states
	Opened     time.Time `json:"opened"`
	AgeMS      int64     `json:"age_ms"`  // of a closed connection: how long it lived
	IdleMS     int64     `json:"idle_ms"` // since anything was received

	RTTMS    float64 `json:"rtt_ms,omitempty"` // of the last ping; 0: none was answered yet
	Missed   int     `json:"missed_heartbeats"`
	PongAge  int64   `json:"pong_age_ms"` // -1: there was none
	Queue    int     `json:"queue_messages"`
	Bytes    int     `json:"queue_bytes"`
	QueueAge int64   `json:"queue_age_ms"` // how long the oldest has waited

	Seq         int64 `json:"seq"`     // number of the last message
	Acked       int64 `json:"acked"`   // highest number that the client has acknowledged
	Unacked     int64 `json:"unacked"` // messages in between
	BytesIn     int64 `json:"bytes_in"`
	BytesOut    int64 `json:"bytes_out"`
	MessagesIn  int64 `json:"messages_in"`
	MessagesOut int64 `json:"messages_out"`
	Errors      int   `json:"refused_messages,omitempty"`

	Rooms []string `json:"rooms,omitempty"` // of one connection only, not in lists
	End   *End     `json:"end,omitempty"`   // nil while it is open
}

// End is how a connection ends or ended.
type End struct {
	At        time.Time `json:"at,omitzero"` // zero while it is closing
	Reason    string    `json:"reason"`
	Code      int       `json:"code"`
	PeerCode  int       `json:"peer_code,omitempty"`
	Initiator string    `json:"initiator"`
	Phase     string    `json:"phase"`
	Clean     bool      `json:"clean"`
	Error     string    `json:"error,omitempty"`
}

// The states of a connection.
const (
	StateOpen    = "open"
	StateClosing = "closing" // its end has begun
	StateClosed  = "closed"
)

// Live says whether the connection is not over yet.
func (c *Conn) Live() bool { return c.State != StateClosed }
