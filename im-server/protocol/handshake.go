package protocol

import "strconv"

// Names of the handshake: a GET of Path with a WebSocket upgrade. What has a header has a query parameter too, for
// clients that cannot set headers; the header wins.
const (
	Path = "/ws/connect"

	SubprotocolJSON        = "im.v1.json" // may be offered; no offer means the same
	SubprotocolMessagePack = "im.v1.msgpack"
	SubprotocolProtobuf    = "im.v1.protobuf"

	HeaderDevice     = "X-Device-ID"
	HeaderPlatform   = "X-Platform"
	HeaderAppVersion = "X-App-Version"
	HeaderFactor     = "X-Second-Factor"

	QueryToken      = "token" // else Authorization: Bearer
	QueryDevice     = "device_id"
	QueryPlatform   = "platform"
	QueryAppVersion = "app_version"
	QueryFactor     = "second_factor"
	QueryVersion    = "v"            // of the protocol
	QueryAttempt    = "attempt"      // which try this is, from 1
	QueryPrevReason = "prev_reason"  // close reason of the connection before
	QueryPrevLife   = "prev_life_ms" // how long it lived
	QuerySession    = "session_id"   // to go on with
	QueryEpoch      = "epoch"        // of that session
	QuerySeq        = "seq"          // of the last message that the client has of it
	QueryWait       = "wait"         // 1: the client's first envelope is a resume
)

// Refusal is the JSON body of a refused handshake; the HTTP status and Retry-After go with it.
type Refusal struct {
	Reason string `json:"reason"` // of the contract's handshake reasons
	Text   string `json:"text"`   // for a person
}

// maxCloseText is what RFC 6455 leaves for the text of a close frame, in bytes.
const maxCloseText = 123

// CloseText is the text of a close frame that the server sends, JSON of at most 123 bytes: {"r":"drain","retry_ms":1834}.
type CloseText struct {
	Reason  string // close reason of the contract
	RetryMS int64  // come back after so many milliseconds; 0: not said
	Fresh   bool   // the session is over with the connection: do not ask for it
}

// Append appends the text.
func (c *CloseText) Append(dst []byte) []byte {
	dst = append(dst, `{"r":`...)
	dst = appendString(dst, c.Reason)
	if c.RetryMS > 0 {
		dst = append(dst, `,"retry_ms":`...)
		dst = strconv.AppendInt(dst, c.RetryMS, 10)
	}
	if c.Fresh {
		dst = append(dst, `,"fresh":true`...)
	}
	return append(dst, '}')
}

// ParseCloseText reads the text of a close frame; fields that are not known are passed over. Every error is a *DecodeError.
func ParseCloseText(text string) (CloseText, error) {
	if len(text) > maxCloseText {
		return CloseText{}, fault(CodeBadField, "close", "at most %d bytes are allowed, not %d", maxCloseText, len(text))
	}
	if err := checkJSON([]byte(text)); err != nil {
		return CloseText{}, err
	}
	var c CloseText
	err := fields([]byte(text), "", func(key string, raw []byte) (err error) {
		switch key {
		case "r":
			c.Reason, err = name(raw, key, MaxID)
		case "retry_ms":
			c.RetryMS, err = natural(raw, key)
		case "fresh":
			c.Fresh = string(raw) == "true"
		}
		return err
	})
	if err == nil && c.Reason == "" {
		err = fault(CodeMissingField, "r", "missing")
	}
	return c, err
}
