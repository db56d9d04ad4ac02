package status

import "time"

// Report is how the indexers of a process are, one for each sink.
type Report struct {
	At      time.Time `json:"at"`
	Healthy bool      `json:"healthy"` // all of them are
	Sinks   []Status  `json:"sinks"`
}

// Status is how the indexer into one sink is.
type Status struct {
	At         time.Time        `json:"at"`
	Sink       string           `json:"sink"`
	Group      string           `json:"group"` // consumer group
	Healthy    bool             `json:"healthy"`
	Trouble    []string         `json:"trouble"`    // why it is not
	Partitions []Partition      `json:"partitions"` // that are ours
	Lag        Lag              `json:"lag"`
	Throughput Throughput       `json:"throughput"`
	Store      Store            `json:"store"`
	Held       []Held           `json:"held,omitempty"`       // by sinks that write chunks
	Searchable *Searchable      `json:"searchable,omitempty"` // where it is measured
	Canaries   []Canary         `json:"canaries"`
	Outcomes   map[string]int64 `json:"outcomes"` // messages since the start, by what became of them
	DeadLetter *DeadLetter      `json:"last_dead_letter,omitempty"`
	Refused    *DeadLetter      `json:"last_refused_dead_letter,omitempty"` // it is on the bus only
}

// Partition is how far one partition is.
type Partition struct {
	Topic      string     `json:"topic"`
	Partition  int        `json:"partition"`
	Next       int64      `json:"next"`               // offset that is read next
	Committed  int64      `json:"committed"`          // everything before it is in the store
	End        int64      `json:"end"`                // offset that the next message will get
	EndSeen    *time.Time `json:"end_seen,omitempty"` // when; absent: not yet
	LagLines   int64      `json:"lag_lines"`
	LagBytes   int64      `json:"lag_bytes_estimated"` // by the mean size of what was indexed
	LagSeconds float64    `json:"lag_seconds"`         // age of the oldest message that is not in the store
	Rate       float64    `json:"stored_per_second"`
	ETA        *float64   `json:"eta_seconds,omitempty"` // until it has caught up; absent: it becomes no less
}

// Lag is how far what is stored is behind what Kafka has acknowledged, in our partitions.
type Lag struct {
	Lines   int64    `json:"lines"`
	Bytes   int64    `json:"bytes_estimated"` // by the mean size of what was indexed
	Seconds float64  `json:"seconds"`         // age of the oldest message that is not in the store
	Bound   float64  `json:"bound_seconds"`
	Behind  bool     `json:"behind"`                // the bound is passed
	ETA     *float64 `json:"eta_seconds,omitempty"` // until it has caught up; absent: it becomes no less
}

// Throughput is what came in the last half minute, and what was stored.
type Throughput struct {
	Stored   float64 `json:"stored_per_second"`
	Produced float64 `json:"produced_per_second"`
}

// Store is the way to the store.
type Store struct {
	InFlight int        `json:"batches_in_flight"`
	Bytes    int64      `json:"bytes_in_flight"`
	Batch    int        `json:"batch_bytes"`      // that the next batch should have
	Window   *Window    `json:"window,omitempty"` // absent: one batch at a time
	Success  *time.Time `json:"last_success,omitempty"`
	Error    string     `json:"last_error,omitempty"` // in the store's words
	ErrorAt  *time.Time `json:"last_error_at,omitempty"`
	Failing  *time.Time `json:"failing_since,omitempty"` // nothing was taken since
}

// Window is how many bytes may be with the store at once.
type Window struct {
	Bytes int64 `json:"bytes"`
	Least int64 `json:"least"`
	Most  int64 `json:"most"`
}

// Held is what a sink that writes chunks has of a partition and has not kept yet, from the one offset to the other.
type Held struct {
	Topic     string  `json:"topic"`
	Partition int     `json:"partition"`
	From      int64   `json:"from"`
	To        int64   `json:"to"`
	Bytes     int     `json:"bytes"`
	Age       float64 `json:"age_seconds"`
}

// Searchable is how long what is stored takes until a search finds it.
type Searchable struct {
	Seconds float64    `json:"seconds"`            // measured last, or for how long it has not been found by now
	Waiting bool       `json:"waiting"`            // a document is being looked for
	Index   string     `json:"index,omitempty"`    // in which
	At      *time.Time `json:"found_at,omitempty"` // when one was found last
	Error   string     `json:"last_error,omitempty"`
	ErrorAt *time.Time `json:"last_error_at,omitempty"`
}

// Canary is the way of a node's newest canary, from being sent behind the lines to being searchable.
type Canary struct {
	Node    string    `json:"node"`
	At      time.Time `json:"at"`      // when it was sent
	Seconds float64   `json:"seconds"` // that it took; it grows while the next one is missing
	Every   float64   `json:"every_seconds"`
	Late    bool      `json:"late"` // the next one is missing
}

// DeadLetter is a message that could not be indexed, and why.
type DeadLetter struct {
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"`
	Detail    string    `json:"detail"`
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
}
