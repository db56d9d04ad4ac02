package alerting

import (
	"net/http"
	"time"
)

// NewChannel makes the built-in channel of a valid receiver.
func NewChannel(r Receiver, client *http.Client) (Channel, error) {
	return r.kind().build(&r, makings{client: client, now: time.Now})
}
