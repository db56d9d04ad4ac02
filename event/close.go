package event

import "time"

// Who ends a connection (im.close.initiator).
const (
	ByClient  = "client"
	ByServer  = "server"
	ByNetwork = "network"
	ByProxy   = "proxy"
)

// What a client is told to do after an end (im.close.retry).
const (
	RetryResume  = "resume"
	RetryBackoff = "backoff"
	RetryNever   = "never"
)

// CloseReason is one way a connection ends (im.close.reason), with all that follows from it.
type CloseReason struct {
	Reason    string
	Code      int // close code of RFC 6455; ours are 4000–4499 (come back) and 4500–4999 (do not). 0: no frame is sent
	Initiator string
	Retry     string
	Outcome   string
	Level     string
	Text      string // sent to the client in the close frame, at most 100 bytes
	Meaning   string
}

// The close reasons of the contract.
var (
	CloseNormal     = CloseReason{"normal", 1000, ByClient, RetryNever, OutcomeSuccess, LevelInfo, "bye", "the client closed"}
	CloseGoingAway  = CloseReason{"going_away", 1001, ByClient, RetryResume, OutcomeSuccess, LevelInfo, "going away", "the client's page or app went away"}
	CloseLogout     = CloseReason{"logout", 4510, ByClient, RetryNever, OutcomeSuccess, LevelInfo, "logged out", "the client logged out"}
	CloseClientGone = CloseReason{"client_gone", 0, ByNetwork, RetryResume, OutcomeFailure, LevelWarn, "", "end of stream without a close frame"}
	ClosePeerReset  = CloseReason{"peer_reset", 0, ByNetwork, RetryResume, OutcomeFailure, LevelWarn, "", "the peer's TCP reset the connection"}
	CloseNetTimeout = CloseReason{"net_timeout", 0, ByNetwork, RetryResume, OutcomeFailure, LevelWarn, "", "TCP gave the connection up"}

	CloseHeartbeatTimeout = server("heartbeat_timeout", 4002, RetryResume, OutcomeFailure, LevelWarn, "no heartbeat", "no sign of life for the heartbeat limit")
	CloseIdle             = server("idle", 4011, RetryBackoff, OutcomeFailure, LevelWarn, "idle", "nothing was said for the idle limit, or a message was begun and not finished")
	CloseHelloTimeout     = server("hello_timeout", 4501, RetryNever, OutcomeFailure, LevelWarn, "no hello in time", "the client did not introduce itself in time")
	CloseProtocolError    = server("protocol_error", 4502, RetryNever, OutcomeFailure, LevelWarn, "protocol error", "the client broke the protocol")
	CloseMessageTooBig    = server("message_too_big", 1009, RetryNever, OutcomeFailure, LevelWarn, "message too big", "a message passed the size limit, or came in too many fragments")
	CloseTooManyErrors    = server("too_many_errors", 4509, RetryNever, OutcomeFailure, LevelWarn, "too many errors", "the client's error budget is used up")
	CloseAuthExpired      = server("auth_expired", 4009, RetryBackoff, OutcomeFailure, LevelWarn, "token expired", "the token ended while the connection was open")
	CloseAuthRevoked      = server("auth_revoked", 4500, RetryNever, OutcomeFailure, LevelWarn, "token revoked", "the token was revoked")
	ClosePermission       = server("permission_denied", 4507, RetryNever, OutcomeFailure, LevelWarn, "permission denied", "the account may not do this")
	CloseKicked           = server("kicked", 4504, RetryNever, OutcomeSuccess, LevelInfo, "ended by an administrator", "an administrator ended it")
	CloseSessionReplaced  = server("session_replaced", 4006, RetryNever, OutcomeSuccess, LevelInfo, "session continued elsewhere", "a newer connection took the session")
	CloseDeviceConflict   = server("device_conflict", 4505, RetryNever, OutcomeFailure, LevelWarn, "logged in on another device", "another device of the same kind took over")
	CloseUserLimit        = server("user_limit", 4506, RetryNever, OutcomeFailure, LevelWarn, "too many connections", "the account has too many connections")
	CloseSlowConsumer     = server("slow_consumer", 4003, RetryResume, OutcomeFailure, LevelWarn, "too slow", "the client did not take its messages in time")
	CloseRateLimited      = server("rate_limited", 4008, RetryBackoff, OutcomeFailure, LevelWarn, "too fast", "the client sent too much")
	CloseWriteError       = server("write_error", 4005, RetryResume, OutcomeFailure, LevelWarn, "write failed", "a write to the socket failed")
	CloseWriteTimeout     = server("write_timeout", 4004, RetryResume, OutcomeFailure, LevelWarn, "write timed out", "a write to the socket did not end in time")
	CloseStateLost        = server("state_lost", 4007, RetryResume, OutcomeFailure, LevelWarn, "state lost", "a gap in the stream could not be closed")
	CloseMaxLifetime      = server("max_lifetime", 4013, RetryResume, OutcomeSuccess, LevelInfo, "reconnect please", "the connection reached its greatest age")
	CloseOverload         = server("overload", 4012, RetryBackoff, OutcomeFailure, LevelWarn, "server overloaded", "the node sheds load")
	CloseDrain            = server("drain", 4001, RetryResume, OutcomeSuccess, LevelInfo, "server restarting", "the node is going down in order")
	CloseServerError      = server("server_error", 4000, RetryBackoff, OutcomeFailure, LevelWarn, "server error", "a defect of ours")

	CloseOrphaned = CloseReason{"orphaned", 0, ByServer, RetryResume, OutcomeFailure, LevelError, "", "the node died; written by the reaper"}
)

func server(reason string, code int, retry, outcome, level, text, meaning string) CloseReason {
	return CloseReason{reason, code, ByServer, retry, outcome, level, text, meaning}
}

// CloseReasons gives all close reasons in the contract's order.
func CloseReasons() []CloseReason {
	return []CloseReason{
		CloseNormal, CloseGoingAway, CloseLogout, CloseClientGone, ClosePeerReset, CloseNetTimeout, CloseHeartbeatTimeout,
		CloseIdle, CloseHelloTimeout, CloseProtocolError, CloseMessageTooBig, CloseTooManyErrors, CloseAuthExpired,
		CloseAuthRevoked, ClosePermission, CloseKicked, CloseSessionReplaced, CloseDeviceConflict, CloseUserLimit,
		CloseSlowConsumer, CloseRateLimited, CloseWriteError, CloseWriteTimeout, CloseStateLost, CloseMaxLifetime,
		CloseOverload, CloseDrain, CloseServerError, CloseOrphaned,
	}
}

// CloseReasonByName finds a reason of the list; false for any other text, a client's word among them.
func CloseReasonByName(name string) (CloseReason, bool) {
	for _, r := range CloseReasons() {
		if r.Reason == name {
			return r, true
		}
	}
	return CloseReason{}, false
}

// ShortLife is the life under which a connection's end is a warning whatever its reason.
const ShortLife = 30 * time.Second

// LevelFor gives the level of the disconnect line of a connection that lived for life.
func (r CloseReason) LevelFor(life time.Duration) string {
	if r.Level == LevelInfo && life < ShortLife {
		return LevelWarn
	}
	return r.Level
}
