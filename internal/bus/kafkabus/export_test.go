package kafkabus

import "time"

// WatchEvery sets how often topics are looked at for new partitions, for consumers made from now on.
func (b *Bus) WatchEvery(d time.Duration) { b.watchEvery = d }

// EndsEvery sets how often the ends of what is read are asked for, for consumers made from now on.
func (b *Bus) EndsEvery(d time.Duration) { b.endsEvery = d }
