package kafkabus

import "time"

// WatchEvery sets how often topics are looked at for new partitions, for consumers made from now on.
func (b *Bus) WatchEvery(d time.Duration) { b.watchEvery = d }
