package status

import "time"

// Status is how a shipper is.
type Status struct {
	At         time.Time  `json:"at"`
	Node       string     `json:"node"` // where it runs
	Healthy    bool       `json:"healthy"`
	Trouble    []string   `json:"trouble"` // why it is not
	Files      Files      `json:"files"`
	Queue      Queue      `json:"queue"`
	Kafka      Kafka      `json:"kafka"`
	Throughput Throughput `json:"throughput"`
	Lag        Lag        `json:"lag"`
}

// Files sums up the files and inputs.
type Files struct {
	Known   int            `json:"known"`
	Open    int            `json:"open"`
	States  map[string]int `json:"states"`
	Behind  int            `json:"behind"`  // not all of them is acknowledged
	Failing int            `json:"failing"` // with an error within the last minute
}

// Queue is what waits for the brokers.
type Queue struct {
	Dir      string  `json:"dir,omitempty"` // empty: there is none, lines wait in the logs
	Bytes    int64   `json:"bytes"`         // on disk, not acknowledged
	Most     int64   `json:"max_bytes"`
	Segments int     `json:"segments"`
	Entries  int64   `json:"entries"`        // not acknowledged
	Oldest   float64 `json:"oldest_seconds"` // how long the oldest entry has waited
	Full     string  `json:"full"`           // what is done when it is full
	Blocked  bool    `json:"blocked"`        // it takes no more, and nothing is read
}

// Kafka is the way to the brokers.
type Kafka struct {
	Reached  bool       `json:"reached"`   // the topics' partitions are known
	InFlight int        `json:"in_flight"` // entries on their way
	Bytes    int        `json:"in_flight_bytes"`
	Lanes    []Lane     `json:"lanes"`
	LastAck  *time.Time `json:"last_acknowledged,omitempty"`
	Silent   float64    `json:"silent_seconds"` // for how long nothing was acknowledged though something was on its way
	Error    string     `json:"last_error,omitempty"`
	ErrorAt  *time.Time `json:"last_error_at,omitempty"`
}

// Lane is the way into one partition.
type Lane struct {
	Topic     string     `json:"topic"`
	Partition int        `json:"partition"`
	InFlight  int        `json:"in_flight"`    // entries that it has not delivered
	Acked     uint64     `json:"acknowledged"` // entry of the queue
	LastAck   *time.Time `json:"last_acknowledged,omitempty"`
}

// Throughput is what was acknowledged in the last half minute, and what was written to the logs.
type Throughput struct {
	Lines   float64 `json:"lines_per_second"`
	Bytes   float64 `json:"record_bytes_per_second"`
	Written float64 `json:"written_lines_per_second"`
}

// Lag is how far what is acknowledged is behind what is written.
type Lag struct {
	Lines   int64    `json:"lines"`
	Bytes   int64    `json:"bytes"`
	Seconds float64  `json:"seconds"` // age of the oldest line that is not acknowledged
	Bound   float64  `json:"bound_seconds"`
	Behind  bool     `json:"behind"`                // the bound is passed
	ETA     *float64 `json:"eta_seconds,omitempty"` // until it has caught up; absent: it becomes no less
}
