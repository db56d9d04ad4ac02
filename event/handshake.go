package event

// The stages of a handshake (im.handshake.stage).
const (
	StageTLS          = "tls"
	StageIP           = "ip"
	StageRate         = "rate"
	StageCapacity     = "capacity"
	StageOrigin       = "origin"
	StageUpgrade      = "upgrade"
	StageAuth         = "auth"
	StageSecondFactor = "second_factor"
	StageHello        = "hello"
)

// HandshakeReason is one way a handshake fails (event.reason of handshake_failure), with all that follows from it.
type HandshakeReason struct {
	Reason     string
	Stage      string
	Status     int  // HTTP status of the answer; 0: there is no HTTP yet
	RetryAfter bool // the answer carries Retry-After
	Level      string
	Text       string // in the answer's body
	Meaning    string
}

// The handshake reasons of the contract.
var (
	HandshakeBadUpgrade         = HandshakeReason{"bad_upgrade", StageUpgrade, 400, false, LevelWarn, "not a WebSocket upgrade", "the request is no valid upgrade"}
	HandshakeUnsupportedVersion = HandshakeReason{"unsupported_version", StageUpgrade, 426, false, LevelWarn, "unsupported WebSocket version", "another version of WebSocket or of our protocol"}
	HandshakeOriginDenied       = HandshakeReason{"origin_denied", StageOrigin, 403, false, LevelWarn, "origin not allowed", "the Origin header is not in the list"}
	HandshakeIPDenied           = HandshakeReason{"ip_denied", StageIP, 403, false, LevelWarn, "address not allowed", "the address is denied"}
	HandshakeRateLimitedIP      = HandshakeReason{"rate_limited_ip", StageRate, 429, true, LevelWarn, "too many connects from this address", "the address connects too often"}
	HandshakeRateLimitedUser    = HandshakeReason{"rate_limited_user", StageRate, 429, true, LevelWarn, "too many connects of this account", "the account connects too often"}
	HandshakeNodeFull           = HandshakeReason{"node_full", StageCapacity, 503, true, LevelError, "server full", "the node has its greatest number of connections"}
	HandshakeTokenMissing       = HandshakeReason{"token_missing", StageAuth, 401, false, LevelWarn, "token missing", "no token was sent"}
	HandshakeTokenMalformed     = HandshakeReason{"token_malformed", StageAuth, 401, false, LevelWarn, "token malformed", "the token is no JWT"}
	HandshakeTokenSignature     = HandshakeReason{"token_signature", StageAuth, 401, false, LevelWarn, "token signature invalid", "the signature or its algorithm is wrong"}
	HandshakeCredentialsBad     = HandshakeReason{"credentials_bad", StageAuth, 401, false, LevelWarn, "credentials refused", "the authenticator refused the credentials"}
	HandshakeTokenExpired       = HandshakeReason{"token_expired", StageAuth, 401, false, LevelWarn, "token expired", "exp has passed"}
	HandshakeTokenNotYetValid   = HandshakeReason{"token_not_yet_valid", StageAuth, 401, false, LevelWarn, "token not yet valid", "nbf has not come"}
	HandshakeTokenAudience      = HandshakeReason{"token_audience", StageAuth, 401, false, LevelWarn, "token for another audience", "iss or aud is another one"}
	HandshakeTokenRevoked       = HandshakeReason{"token_revoked", StageAuth, 401, false, LevelWarn, "token revoked", "the token was revoked"}
	HandshakeSecondFactor       = HandshakeReason{"second_factor", StageSecondFactor, 401, false, LevelWarn, "second factor needed", "the second factor is missing or wrong"}
	HandshakeTLS                = HandshakeReason{"tls", StageTLS, 0, false, LevelWarn, "", "the TLS handshake failed"}
	HandshakeTimeout            = HandshakeReason{"timeout", StageHello, 408, false, LevelWarn, "handshake timed out", "the client took too long"}
	HandshakeDraining           = HandshakeReason{"draining", StageCapacity, 503, true, LevelWarn, "server restarting", "the node is going down in order"}
	HandshakeDependency         = HandshakeReason{"dependency", StageAuth, 503, true, LevelError, "try again later", "something the handshake needs is away"}
	HandshakeInternal           = HandshakeReason{"internal", StageUpgrade, 500, false, LevelError, "internal error", "a defect of ours"}
)

// HandshakeReasons gives all handshake reasons in the contract's order.
func HandshakeReasons() []HandshakeReason {
	return []HandshakeReason{
		HandshakeBadUpgrade, HandshakeUnsupportedVersion, HandshakeOriginDenied, HandshakeIPDenied, HandshakeRateLimitedIP,
		HandshakeRateLimitedUser, HandshakeNodeFull, HandshakeTokenMissing, HandshakeTokenMalformed, HandshakeTokenSignature,
		HandshakeCredentialsBad, HandshakeTokenExpired, HandshakeTokenNotYetValid, HandshakeTokenAudience,
		HandshakeTokenRevoked, HandshakeSecondFactor, HandshakeTLS, HandshakeTimeout, HandshakeDraining,
		HandshakeDependency, HandshakeInternal,
	}
}
