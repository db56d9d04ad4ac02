// Package bus is the port to the message log between the stages: produce, consume in a group, read from given
// offsets, commit.
//
// The stages see only this package. Adapters: kafkabus (Kafka's protocol, by segmentio/kafka-go), embedded (a broker
// inside the process with its data on disk, reached through kafkabus) and membus (memory only, for tests in fake
// time). All of them pass the one suite in bustest.
//
// What it promises: order within a partition only; at least once; nothing is delivered before it is durable. It does
// not promise that a message comes once: what crosses the bus carries an id of its own that makes a repeat harmless.
// A Sealer has the brokers drop most repeats all the same.
package bus

import (
	"context"
	"errors"
	"time"
)

// Topics of the pipeline, as the event contract names them.
const (
	TopicLifecycle  = "im.lifecycle"
	TopicAlerts     = "im.alerts"
	TopicDeadLetter = "im.deadletter"
	// TopicCanary carries what the detector says of itself to alerting: canaries that came through, and its pulse.
	TopicCanary = "im.canary"
)

// ErrTooLarge is returned (wrapped in a *TooLargeError) by Produce for a message that the broker will never take
// because of its size. Nothing of the call's other messages is promised then: the caller takes the message out and
// calls again.
var ErrTooLarge = errors.New("message too large for the broker")

// ErrUnknownTopic is returned (wrapped) when a topic does not exist. Topics are made by EnsureTopics, never by a
// first write.
var ErrUnknownTopic = errors.New("unknown topic")

// Message is one record. Value and Key belong to the receiver after Fetch, and must not be changed by the caller of
// Produce until it returns.
type Message struct {
	Topic     string
	Partition int   // where it was read from; ignored by Produce, but not by ProduceInto
	Offset    int64 // its place in the partition; ignored by Produce
	Key       []byte
	Value     []byte
	Time      time.Time // when it was produced (the broker's or the producer's clock); set by Fetch
}

// Producer writes messages. Safe for concurrent use.
type Producer interface {
	// Produce returns when every message is acknowledged by all replicas in sync. Messages with the same key go to
	// the same partition, in the order of the call; a message without a key goes to any. It retries what can be
	// retried until ctx ends; a returned error means that any subset may have been written.
	Produce(ctx context.Context, topic string, ms ...Message) error
	// Broadcast writes one copy of m into every partition of topic, under the same conditions. It is how watermarks
	// travel: a copy stands behind everything that earlier Produce calls of this Producer were acknowledged for.
	Broadcast(ctx context.Context, topic string, m Message) error
}

// Identity names a producer to the brokers: from one identity they take what comes twice once.
type Identity struct {
	ID    int64
	Epoch int16
}

// Stamp says who produces a sealed batch, and which of the messages that this identity has produced into the partition
// its first one is. The first batch of an identity has 0, each other one as many as were produced before it.
type Stamp struct {
	Identity
	Sequence int32
}

// ErrSequence is returned (wrapped) by ProduceSealed for a batch that does not follow the one that the brokers know as
// the identity's last, and is none of its last five: it is older, or something before it is missing, or the brokers
// have forgotten the identity. It was not written.
var ErrSequence = errors.New("the batch does not follow the producer's last one")

// Sealer produces batches that were sealed before, and drops repeats: a batch that was written already, by a call
// whose answer was lost, or before producer and brokers were killed, is not written again. Safe for concurrent use.
type Sealer interface {
	// Partitions tells how many partitions a topic has. Like Produce it retries until ctx ends.
	Partitions(ctx context.Context, topic string) (int, error)
	// Identify gives an identity that nobody has had. Like Produce it retries until ctx ends.
	Identify(ctx context.Context) (Identity, error)
	// Seal appends to dst one batch of the first of those messages of ms that pick names (indices; nil: of all), as many
	// as a batch takes, and returns it with their number. Only Key and Value of them are looked at. A first one that no
	// batch takes is a *TooLargeError with its index in ms. The bytes may be kept for ever, on disk too, for any bus of
	// this kind.
	Seal(dst []byte, ms []Message, pick []int32) (out []byte, n int, err error)
	// Unseal gives the messages of a sealed batch back, in new memory.
	Unseal(sealed []byte) ([]Message, error)
	// ProduceSealed stamps a sealed batch, which changes its bytes, and returns when it is acknowledged by all replicas
	// in sync, now or by an earlier call. One batch of a partition is under way at a time. It retries what can be
	// retried until ctx ends; then, or after any other error but the following, the batch may have been written, and the
	// same call is to be made again. ErrSequence and ErrTooLarge (more than the topic takes): it was not written.
	ProduceSealed(ctx context.Context, topic string, partition int, as Stamp, sealed []byte) error
}

// Consumer reads messages. Not safe for concurrent use, but Close may be called at any time.
type Consumer interface {
	// Fetch blocks until at least one message is there and returns up to limit of those at hand, in order within each
	// partition. It returns ctx's error when that ends and ErrClosed after Close. A broker that is away is no error:
	// Fetch waits for it. After a rebalance it begins again at what the group has committed.
	Fetch(ctx context.Context, limit int) ([]Message, error)
	// Commit says that these and everything before them in their partitions need not be delivered to the group
	// again. Only Topic, Partition and Offset of ms are looked at. It is an error for a consumer that was made by
	// Read. After a rebalance, commits for partitions that are no longer ours are ignored, and so are those that lie
	// before what is committed. While the broker is away or the group rebalances it waits, until ctx ends.
	Commit(ctx context.Context, ms ...Message) error
	// Close leaves the group without committing anything.
	Close() error
}

// Claims is a membership in a consumer group for those who read by themselves, from positions that they keep: the group
// only says which partitions are ours. Not safe for concurrent use, but Close may be called at any time.
type Claims interface {
	// Next waits until the group has given us a share that Next has not returned yet. It returns ctx's error when that
	// ends and ErrClosed after Close. A broker that is away is no error.
	Next(ctx context.Context) (Claim, error)
	// Commit tells how far partitions were read, everything before each position, for those who ask with Committed: who
	// reads by itself goes on where it knows. Partitions that are not ours, and positions before what is committed, are
	// passed over. While the broker is away or the group rebalances it waits, until ctx ends. It may be called beside
	// Next.
	Commit(ctx context.Context, at Position) error
	// Close leaves the group: our partitions go to others at once.
	Close() error
}

// Claim is our share of a topic's partitions. Nobody else has them before Lost is closed, unless the group thinks that
// we are dead: who was cut off from the brokers learns that later than others.
type Claim struct {
	Partitions []int // in order; there may be none, where there are more members than partitions
	Lost       <-chan struct{}
}

// ErrClosed is what Fetch returns after Close, of the consumer or of its bus. Every other call on what is closed
// returns it too, wrapped.
var ErrClosed = errors.New("closed")

// Position is an offset in every partition of one topic, by partition number.
type Position map[int]int64

// TopicSpec says how a topic is made.
type TopicSpec struct {
	Name       string
	Partitions int
	Retention  time.Duration // 0: the broker's default
	Bytes      int64         // bytes kept per partition at most; 0: the broker's default
	Compact    bool          // keep the last message of each key
}

// Bus is a connection to a message log. Safe for concurrent use.
type Bus interface {
	Producer
	Sealer
	// ProduceInto is Produce for those who choose the partition: each message goes into the one that its Partition
	// names, in the order of the call. A partition that the topic does not have is an error, and nothing is written.
	ProduceInto(ctx context.Context, topic string, ms ...Message) error
	// Consume joins a consumer group. A group without a committed offset begins at the oldest message.
	Consume(ctx context.Context, group string, topics ...string) (Consumer, error)
	// Read reads all partitions of a topic, without a group, from the given offsets on (a partition that from does
	// not name, or whose offset is no longer there: from the oldest).
	Read(ctx context.Context, topic string, from Position) (Consumer, error)
	// ReadPartitions is Read for those partitions only that from names.
	ReadPartitions(ctx context.Context, topic string, from Position) (Consumer, error)
	// Claims joins a consumer group without reading. Members of one group must all have joined it this way, for the
	// same topic.
	Claims(ctx context.Context, group, topic string) (Claims, error)
	// Ends gives the offset that the next message of each partition will get, and Starts the oldest one kept.
	Ends(ctx context.Context, topic string) (Position, error)
	Starts(ctx context.Context, topic string) (Position, error)
	// Committed gives the group's committed offsets; partitions without one are left out.
	Committed(ctx context.Context, group, topic string) (Position, error)
	// Members tells how many consumers are in a group now; 0 for one that nobody has joined.
	Members(ctx context.Context, group string) (int, error)
	// EnsureTopics makes the topics that are missing and waits until they can be written to. Existing topics are left
	// as they are.
	EnsureTopics(ctx context.Context, specs ...TopicSpec) error
	// Ping says whether the broker answers.
	Ping(ctx context.Context) error
	// Close ends all its consumers too.
	Close() error
}

// Lag is how far a consumer is behind in one partition of what it reads.
type Lag struct {
	Topic     string
	Partition int
	Next      int64     // the offset of the next message to be handed out
	Committed int64     // everything before it is committed; without a group: Next
	End       int64     // the partition's next offset, when it was last seen
	Seen      time.Time // when that was; zero: never yet
	Until     time.Time // everything produced before it was handed out; zero: not known
	Stored    time.Time // everything produced before it is committed; zero: not known
}

// Lagger is a Consumer that knows how far it is behind, also while nothing is fetched. Safe for concurrent use.
type Lagger interface {
	// Lags gives the partitions that are the consumer's at the moment, in order. It is nil before its group has given it
	// any, between two generations and after Close, and empty where the group has none for it.
	Lags() []Lag
}
