package deliver

import (
	"context"
	"errors"

	"imwatch/alerting/channel"
	"imwatch/alerting/outbox"
	"imwatch/internal/store"
)

// behind says whether this receiver is still to be told what comes before an entry. Here the queue keeps the order;
// this is for what another alerter decided and left behind. It is put into the queue, where it comes first. with names
// what goes out in the same message.
func (s *Sender) behind(ctx context.Context, e *outbox.Entry, with map[string]bool) (bool, error) {
	if e.Kind != channel.Updated && e.Kind != channel.Resolved {
		return false, nil
	}
	ids := []string{began(e)}
	if e.After != "" && e.After != ids[0] {
		ids = append(ids, e.After)
	}
	for _, id := range ids {
		if with[id] {
			continue
		}
		earlier, err := s.look(ctx, e, id)
		if err != nil {
			return false, err
		}
		if earlier != nil && earlier.State == outbox.Pending {
			s.Queue.Add(earlier.Ref())
			return true, nil
		}
	}
	return false, nil
}

// overtaken says whether an entry is a repeat or an escalation of an alert whose end has been decided since: "still
// firing" after "resolved" would be false. It is written down as superseded.
func (s *Sender) overtaken(ctx context.Context, e *outbox.Entry, version string) (bool, error) {
	if e.Kind != channel.Repeat && e.Kind != channel.Escalated {
		return false, nil
	}
	end, err := s.look(ctx, e, outbox.ID(e.Alert.ID, channel.Resolved, e.Moment, e.Receiver))
	if end == nil || err != nil {
		return false, err
	}
	e.State = outbox.Superseded
	_, err = s.Ledger.Save(ctx, e, version)
	return err == nil, err
}

// began gives the id of what the receiver of an entry was told first of its alert.
func began(e *outbox.Entry) string {
	if e.Began != "" {
		return e.Began
	}
	return outbox.ID(e.Alert.ID, channel.Firing, e.Moment, e.Receiver)
}

// look reads another entry of the same alert and receiver; nil: there is none.
func (s *Sender) look(ctx context.Context, e *outbox.Entry, id string) (*outbox.Entry, error) {
	other, _, err := s.Ledger.Get(ctx, outbox.Ref{Index: e.Index(), ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	return other, err
}
