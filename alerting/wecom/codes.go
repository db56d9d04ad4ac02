package wecom

import (
	"encoding/json"
	"time"

	"imwatch/alerting/channel"
)

// The error codes that do not mean "never": the service is busy, the robot was called too often, a frequency limit of
// the interface or of the server was passed.
const (
	codeOK       = 0
	codeBusy     = -1
	codeTooOften = 45009
	codeTooFast  = 45033
	codeLimited  = 45011
)

// tooOften is how long a robot that was called too often is left alone: its limit is counted by the minute.
const tooOften = time.Minute

// judge reads the body of an answer with status 200.
func judge(body []byte) channel.Result {
	var a struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Code == nil {
		// Something between us and WeCom answered, or WeCom changed: whether the message was taken is open.
		return channel.NoAnswer("HTTP 200 without an errcode: %s", body)
	}
	switch *a.Code {
	case codeOK:
		return channel.Accept("errcode 0")
	case codeBusy:
		return channel.TryLater(0, "errcode -1: %s", a.Message)
	case codeTooOften, codeTooFast, codeLimited:
		return channel.TryLater(tooOften, "errcode %d: %s", *a.Code, a.Message)
	}
	// Everything else is about the request or the robot (93000 key, 40058 arguments, 40008 type): the same request
	// gets the same answer.
	return channel.Refuse("errcode %d: %s", *a.Code, a.Message)
}
