package event

import "time"

// ECSVersion is the version of the Elastic Common Schema that the names follow.
const ECSVersion = "8.17.0"

// The datasets (event.dataset).
const (
	DatasetConnection = "im.connection"
	DatasetHTTP       = "im.http"
	DatasetMessage    = "im.message"
	DatasetPipeline   = "im.pipeline"
	DatasetAlert      = "im.alert"
	DatasetNotify     = "im.notify"
)

// The levels (log.level), from the least to the most.
const (
	LevelTrace = "trace"
	LevelDebug = "debug"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
	LevelFatal = "fatal"
)

// The outcomes (event.outcome).
const (
	OutcomeSuccess = "success"
	OutcomeFailure = "failure"
	OutcomeUnknown = "unknown"
)

// Action is one of the things that happen (event.action), with what it implies. Level and Outcome are the usual
// ones; where they depend on more (a close reason, a status), the writer sets the fields again.
type Action struct {
	Code     string
	Dataset  string
	Level    string
	Outcome  string
	Category []string
	Type     []string
	Text     string // the message, one sentence for a person
	Meaning  string
}

// The actions of the contract.
var (
	ActionConnect             = conn("connect", LevelInfo, OutcomeSuccess, both, startConn, "connection opened", "handshake done, session bound")
	ActionHandshakeFailure    = conn("handshake_failure", LevelWarn, OutcomeFailure, []string{"network"}, []string{"connection", "denied"}, "handshake failed", "no connection came of it")
	ActionHeartbeat           = conn("heartbeat", LevelDebug, OutcomeSuccess, network, info, "heartbeat answered", "a pong; off by default, sampled")
	ActionHeartbeatMissed     = conn("heartbeat_missed", LevelWarn, OutcomeFailure, network, info, "heartbeat missed", "an interval passed without a pong")
	ActionHeartbeatTimeout    = conn("heartbeat_timeout", LevelError, OutcomeFailure, network, info, "heartbeat timed out", "the limit was reached: the connection is being ended")
	ActionDisconnect          = conn("disconnect", LevelInfo, OutcomeSuccess, both, endConn, "connection ended", "exactly one end for each connect")
	ActionOrphaned            = conn("orphaned", LevelError, OutcomeFailure, session, end, "connection lost with its node", "the other possible end: the node died")
	ActionSessionReplaced     = conn("session_replaced", LevelInfo, OutcomeSuccess, session, end, "session taken by a newer connection", "a newer connection took the session")
	ActionSessionKicked       = conn("session_kicked", LevelInfo, OutcomeSuccess, session, end, "session ended by an administrator", "somebody ended the session")
	ActionResume              = conn("resume", LevelInfo, OutcomeSuccess, session, start, "session continued", "a session was continued")
	ActionResumeFailure       = conn("resume_failure", LevelWarn, OutcomeFailure, session, info, "session could not be continued", "a session could not be continued")
	ActionMessageRejected     = message("message_rejected", LevelWarn, denied, "message refused", "a bad frame")
	ActionMessageFailed       = message("message_failed", LevelError, info, "message could not be delivered", "a delivery that ended without an ack")
	ActionMessageExpired      = message("message_expired", LevelWarn, info, "offline message expired", "an offline message past its keep")
	ActionSlowConsumer        = conn("slow_consumer", LevelWarn, OutcomeFailure, network, info, "send queue over its limit", "the send queue passed its limit")
	ActionSlowConsumerRecover = conn("slow_consumer_recovered", LevelInfo, OutcomeSuccess, network, info, "send queue back under its limit", "the send queue came back under its limit")
	ActionRateLimited         = conn("rate_limited", LevelWarn, OutcomeFailure, network, denied, "message rate over its limit", "a connected client passed its message rate; folded")
	ActionJoin                = conn("join", LevelDebug, OutcomeSuccess, session, info, "room joined", "a room; off by default, sampled")
	ActionLeave               = conn("leave", LevelDebug, OutcomeSuccess, session, info, "room left", "a room; off by default, sampled")
	ActionConnectionStats     = conn("connection_stats", LevelInfo, OutcomeSuccess, network, info, "node gauges", "every 10 s, the node's gauges")
	ActionCertificateExpiry   = conn("certificate_expiry", LevelWarn, OutcomeUnknown, network, info, "certificate ends soon", "daily while the end of the certificate is near")
	ActionTopicGap            = message("topic_gap", LevelWarn, info, "subscriber missed messages", "a subscriber could not be given all it missed")
	ActionHTTPRequest         = Action{"http_request", DatasetHTTP, LevelInfo, OutcomeSuccess, []string{"web"}, []string{"access"}, "request served", "one a request: the access log"}
	ActionDependencyDown      = process("dependency_down", LevelError, OutcomeFailure, change, "dependency lost", "Redis, Kafka or Elasticsearch was lost")
	ActionDependencyUp        = process("dependency_up", LevelInfo, OutcomeSuccess, change, "dependency back", "Redis, Kafka or Elasticsearch came back")
	ActionConfigChange        = process("config_change", LevelWarn, OutcomeSuccess, change, "configuration changed", "who changed what, from, to (secrets masked)")
	ActionServerStart         = process("server_start", LevelInfo, OutcomeSuccess, start, "server started", "the node is ready")
	ActionServerDrain         = process("server_drain", LevelInfo, OutcomeSuccess, change, "server draining", "the node takes no new connections and ends those it has")
	ActionServerStop          = process("server_stop", LevelInfo, OutcomeSuccess, end, "server stopped", "the last line of a node's life")
	ActionPanic               = process("panic", LevelFatal, OutcomeFailure, info, "panic in the server", "a defect of ours, recovered")
	ActionWatermark           = Action{"watermark", DatasetPipeline, LevelInfo, OutcomeSuccess, []string{"process"}, info, "shipped until", "a shipper's progress; never indexed"}
	ActionCanary              = Action{"canary", DatasetPipeline, LevelInfo, OutcomeSuccess, []string{"process"}, info, "the way is open", "a harmless record that goes the whole way; never an event to rules, never indexed"}
)

// Shared by the actions above; never changed.
var (
	session   = []string{"session"}
	network   = []string{"network"}
	both      = []string{"session", "network"}
	start     = []string{"start"}
	end       = []string{"end"}
	info      = []string{"info"}
	change    = []string{"change"}
	denied    = []string{"denied"}
	startConn = []string{"start", "connection"}
	endConn   = []string{"end", "connection"}
)

func conn(code, level, outcome string, category, typ []string, text, meaning string) Action {
	return Action{code, DatasetConnection, level, outcome, category, typ, text, meaning}
}

func message(code, level string, typ []string, text, meaning string) Action {
	return Action{code, DatasetMessage, level, OutcomeFailure, network, typ, text, meaning}
}

func process(code, level, outcome string, typ []string, text, meaning string) Action {
	return Action{code, DatasetConnection, level, outcome, []string{"process"}, typ, text, meaning}
}

// Actions gives all actions in the contract's order.
func Actions() []Action {
	return []Action{
		ActionConnect, ActionHandshakeFailure, ActionHeartbeat, ActionHeartbeatMissed, ActionHeartbeatTimeout, ActionDisconnect,
		ActionOrphaned, ActionSessionReplaced, ActionSessionKicked, ActionResume, ActionResumeFailure, ActionMessageRejected,
		ActionMessageFailed, ActionMessageExpired, ActionSlowConsumer, ActionSlowConsumerRecover, ActionRateLimited, ActionJoin,
		ActionLeave, ActionConnectionStats, ActionCertificateExpiry, ActionTopicGap, ActionHTTPRequest, ActionDependencyDown,
		ActionDependencyUp, ActionConfigChange, ActionServerStart, ActionServerDrain, ActionServerStop, ActionPanic, ActionWatermark,
		ActionCanary,
	}
}

// Begin fills an empty event with what the action implies and the moment it happened. Service, id and trace are the
// writer's to set.
func (e *Event) Begin(a Action, at time.Time) {
	e.SetTime(FieldTimestamp, at)
	e.SetText(FieldECSVersion, ECSVersion)
	e.SetText(FieldEventDataset, a.Dataset)
	e.SetText(FieldEventKind, "event")
	e.SetText(FieldEventAction, a.Code)
	e.SetList(FieldEventCategory, a.Category...)
	e.SetList(FieldEventType, a.Type...)
	e.SetText(FieldEventOutcome, a.Outcome)
	e.SetText(FieldLogLevel, a.Level)
	e.SetText(FieldMessage, a.Text)
}
