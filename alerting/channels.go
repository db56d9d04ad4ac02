package alerting

import (
	"fmt"
	"net/http"
	"time"

	"imwatch/alerting/email"
	"imwatch/alerting/sms"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
)

// newChannel makes the built-in channel of a receiver.
func newChannel(r Receiver, client *http.Client, now func() time.Time) (Channel, error) {
	switch r.Channel() {
	case ChannelWeCom:
		return wecom.New(*r.WeCom, client, now)
	case ChannelEmail:
		return email.New(*r.Email, now)
	case ChannelWebhook:
		return webhook.New(*r.Webhook, client, now)
	case ChannelSMS:
		return sms.New(*r.SMS, client, now)
	}
	return nil, fmt.Errorf("receiver %s has no channel", r.Name)
}
