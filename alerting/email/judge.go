package email

import (
	"errors"
	"net/textproto"

	"imwatch/alerting/channel"

	gomail "github.com/wneessen/go-mail"
)

// judge reads what came of a mail that was not delivered. Codes 4xx may pass, 5xx will not; where the server gave no
// code (the connection, TLS) a later attempt may. some: it was about an address, and nothing was handed over.
func judge(err error) (r channel.Result, some bool) {
	send, isSend := errors.AsType[*gomail.SendError](err)
	code := 0
	if isSend {
		code = send.ErrorCode()
	}
	if p, ok := errors.AsType[*textproto.Error](err); ok && code == 0 {
		code = p.Code
	}
	words := err.Error()
	switch {
	case code >= 500:
		r = channel.Refuse("%s", words)
	case code == 0 && isSend && handedOver(send.Reason):
		r = channel.NoAnswer("%s", words)
	default:
		r = channel.TryLater(0, "%s", words)
	}
	return r, isSend && send.Reason == gomail.ErrSMTPRcptTo
}

// handedOver says whether the server may have the mail already when it gave no answer.
func handedOver(reason gomail.SendErrReason) bool {
	return reason == gomail.ErrSMTPDataClose || reason == gomail.ErrWriteContent
}
