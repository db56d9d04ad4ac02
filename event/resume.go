package event

// Why a session could not be resumed (event.reason of a resume_failure).
const (
	ResumeUnknownSession   = "unknown_session"
	ResumeExpired          = "expired"
	ResumeSeqTooOld        = "seq_too_old"
	ResumeSeqAhead         = "seq_ahead"
	ResumeEpochChanged     = "epoch_changed"
	ResumeWrongUser        = "wrong_user"
	ResumeStillAttached    = "still_attached"
	ResumeStoreUnavailable = "store_unavailable"
)

// ResumeReasons gives all of them.
func ResumeReasons() []string {
	return []string{
		ResumeUnknownSession, ResumeExpired, ResumeSeqTooOld, ResumeSeqAhead, ResumeEpochChanged, ResumeWrongUser,
		ResumeStillAttached, ResumeStoreUnavailable,
	}
}
