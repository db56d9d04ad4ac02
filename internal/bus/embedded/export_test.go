package embedded

import "github.com/twmb/franz-go/pkg/kfake"

// Broker is the broker itself.
func Broker(b *Bus) *kfake.Cluster { return b.cluster }
